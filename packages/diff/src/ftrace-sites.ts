/** Whether ftrace can redirect calls of a function. */
import { R_X86_64 } from "@suture/elf";
import { bytesOf, type Cut, type Item, isItem } from "./items.ts";
import type { Side } from "./plan.ts";
import { FTRACE_SITES } from "./x86-64.ts";

/** The tool that lists calls of __fentry__ has not run yet. */
export function hasNoSites({ elf }: Cut): boolean {
  return !elf.sections.some(({ name }) => name === FTRACE_SITES);
}

export function hasFtraceSite({ entries, fentryCalls }: Side, item: Item | undefined): boolean {
  if (item === undefined) return false;
  return (entries.get(item) ?? []).some(({ table }) => table.section === FTRACE_SITES) || (fentryCalls && callsFentry(item));
}

const ENDBR64 = [0xf3, 0x0f, 0x1e, 0xfa];
const CALL = 0xe8;

/** Whether the function begins with the call that -mfentry makes. */
function callsFentry(item: Item): boolean {
  const code = bytesOf(item);
  const landing = ENDBR64.every((byte, i) => code[item.entry + i] === byte);
  const call = item.entry + (landing ? ENDBR64.length : 0);
  if (code[call] !== CALL) return false;
  const { to, type } = item.refs.find(({ at }) => at === call + 1) ?? {};
  return to !== undefined && !isItem(to) && to.name === "__fentry__" && (type === R_X86_64.PLT32 || type === R_X86_64.PC32);
}
