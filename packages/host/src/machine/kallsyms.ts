/** Functions of the running kernel by name: /proc/kallsyms, whose names anybody may read. */

/** @param bytes of /proc/kallsyms. @returns how often each of the names occurs in each object ("vmlinux" or a module); undefined if the kernel does not list its symbols. */
export function symbolCounts(bytes: Buffer | undefined, names: ReadonlySet<string>): Map<string, Map<string, number>> | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const counts = new Map<string, Map<string, number>>();
  for (const name of names) {
    const byObject = new Map<string, number>();
    for (const object of objectsWith(bytes, name)) byObject.set(object, (byObject.get(object) ?? 0) + 1);
    if (byObject.size > 0) counts.set(name, byObject);
  }
  return counts;
}

/** Lines are `ADDRESS TYPE NAME`, with a tab and `[MODULE]` for those of modules. */
function* objectsWith(bytes: Buffer, name: string): Generator<string> {
  const wanted = ` ${name}`;
  for (let at = bytes.indexOf(wanted, 0, "latin1"); at >= 0; at = bytes.indexOf(wanted, at + wanted.length, "latin1")) {
    const after = at + wanted.length;
    const next = bytes[after];
    if (next === undefined || next === NEWLINE) yield "vmlinux";
    else if (next === TAB) yield bytes.toString("latin1", after + 2, bytes.indexOf("]", after));
  }
}

const TAB = 9;
const NEWLINE = 10;
