/** What a kernel says with a livepatch that it does not say without. */
import type { KernelEvent, KernelLine } from "@suture/protocol";

/** Numbers, addresses and the names of tasks differ from one time to the next. */
function kindOf(text: string): string {
  return text
    .replace(/0x[0-9a-f]+|\b[0-9a-f]{8,}\b/gi, "#")
    .replace(/\d+/g, "#")
    .trim();
}

/** @param name of the livepatch: what is said of it is expected */
export function newLines(without: readonly KernelLine[], patched: readonly KernelLine[], name: string): string[] {
  const known = new Set(without.map(({ text }) => kindOf(text)));
  const found: string[] = [];
  for (const { text } of patched) {
    const kind = kindOf(text);
    if (text === "" || known.has(kind) || text.startsWith("livepatch: ") || text.startsWith(`${name}: `)) continue;
    known.add(kind);
    found.push(text);
  }
  return found;
}

/** Reports of what was not reported without the livepatch: of another place, or of another kind. */
export function newEvents(without: readonly KernelEvent[], patched: readonly KernelEvent[]): KernelEvent[] {
  const keyOf = ({ kind, headline }: KernelEvent): string => `${kind} ${headline.replace(/CPU[: ]*\d+|PID: \d+|\+0x\S+|\d+s\b/g, "#")}`;
  const known = new Set(without.map(keyOf));
  return patched.filter((event) => !known.has(keyOf(event)));
}
