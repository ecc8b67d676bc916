/** Functions of the running kernel by name: /proc/kallsyms, whose names anybody may read. */
import { bytesOf, type Machine } from "./machine.ts";

/** How often each of the names occurs in each object ("vmlinux" or a module); undefined if the kernel does not list its symbols. */
export async function symbolCounts(machine: Machine, names: ReadonlySet<string>): Promise<Map<string, Map<string, number>> | undefined> {
  const bytes = await bytesOf(machine, "/proc/kallsyms");
  if (bytes === undefined || bytes.length === 0) return undefined;
  const counts = new Map<string, Map<string, number>>();
  for (const line of bytes.toString("latin1").split("\n")) {
    const [, , symbol = ""] = line.split(" ", 3);
    const [name = "", module] = symbol.split("\t");
    if (!names.has(name)) continue;
    const object = module === undefined ? "vmlinux" : module.slice(1, -1);
    const byObject = counts.get(name) ?? new Map<string, number>();
    byObject.set(object, (byObject.get(object) ?? 0) + 1);
    counts.set(name, byObject);
  }
  return counts;
}
