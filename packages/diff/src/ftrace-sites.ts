/** Whether ftrace can redirect calls of a function. */
import { archOf } from "@suture/arch";
import { bytesOf, type Item, type ItemizedObject, isItem } from "./items.ts";
import type { Side } from "./side.ts";

/** The tool that lists the calls that ftrace can redirect has not run yet. */
export function hasNoSites({ elf }: ItemizedObject): boolean {
  const { sites } = archOf(elf).ftrace;
  return !elf.sections.some(({ name }) => name === sites);
}

export function hasFtraceSite({ entries, tracerCalls }: Side, item: Item | undefined): boolean {
  if (item === undefined) return false;
  return (entries.get(item) ?? []).some(({ table }) => table.section === item.arch.ftrace.sites) || (tracerCalls && callsTracer(item));
}

/** Whether the function begins with the call that ftrace redirects. */
function callsTracer(item: Item): boolean {
  const { ftrace, relocations } = item.arch;
  const field = ftrace.callField(bytesOf(item), item.entry);
  const ref = field === undefined ? undefined : item.refs.find(({ at }) => at === field);
  return ref !== undefined && !isItem(ref.to) && ref.to.name === ftrace.callee && relocations.isNear(ref.type);
}
