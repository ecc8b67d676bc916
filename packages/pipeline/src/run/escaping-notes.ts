/** What a person should know before a livepatch is taken out: addresses of its own strings, functions and variables that its code gives away. */
import type { EscapingPointer } from "@suture/diff";

const SHOWN = 3;

export function escapingNotes(handed: readonly EscapingPointer[]): string[] {
  if (handed.length === 0) return [];
  const kinds = (["string", "function", "variable"] as const).flatMap((kind) => {
    const names = [
      ...new Set(handed.filter((one) => one.kind === kind).map(({ name }) => (kind === "string" ? JSON.stringify(name) : name))),
    ];
    const more = names.length > SHOWN ? ", ..." : "";
    return names.length === 0
      ? []
      : [`${names.length} ${kind}${names.length === 1 ? "" : "s"} (${names.slice(0, SHOWN).join(", ")}${more})`];
  });
  const functions = [...new Set(handed.map((one) => one.function))];
  const by = `${functions.slice(0, SHOWN).join(", ")}${functions.length > SHOWN ? ", ..." : ""}`;
  return [
    `${by} may give away the address of ${kinds.join(" and ")} of the livepatch: if something keeps one, unloading leaves it dangling. Disable or replace it instead`,
  ];
}
