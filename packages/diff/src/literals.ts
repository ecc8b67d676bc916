/** Items that have contents but no identity: the kernel's copy and the patch's copy are as good as each other. */
import type { Item } from "./items.ts";
import { stem } from "./names.ts";

const anonymousObjects = new Set(["__func__", "__FUNCTION__", "__PRETTY_FUNCTION__", "CSWTCH"]);

/** Strings, constants, switch tables, function names and pieces of alternatives: compared by what they hold, carried as copies. */
export function isLiteral(item: Item): boolean {
  if (item.kind === "element") return true;
  if (item.kind === "anonymous") return item.role === "rodata" || item.role === "replacement";
  return item.kind === "object" && item.role === "rodata" && anonymousObjects.has(stem(item.name));
}
