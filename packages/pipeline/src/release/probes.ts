/**
 * Objects to be looked at before all others: few that show what many would be refused for. A type that lies otherwise in a header that all include is
 * found out by the first files that name it, and not by compiling all of them.
 */
import type { KernelContext } from "@suture/kbuild";
import type { Choice } from "./choice.ts";
import type { ChangedHunk } from "./pieces.ts";
import type { Plan } from "./units.ts";

/** So many for each type: not every file that names it uses it. */
const EACH = 2;
/** A header of fewer readers among the changed files is no matter. */
const MANY = 10;

/** @param headers that the choice changes */
export function probes(kernel: KernelContext, { units, sees }: Plan, choice: Choice, headers: readonly string[]): string[] {
  const hunks = [...choice.in].sort((a, b) => a - b).flatMap((index) => units[index]?.hunks ?? []);
  const sources = new Map<string, ChangedHunk>();
  for (const hunk of hunks) if (hunk.path.endsWith(".c")) sources.set(hunk.path, hunk);
  const sorted = [...sources.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const found = new Set<string>();
  for (const header of headers) {
    const readers = sorted.filter(({ path }) => sees(path, header));
    if (readers.length < MANY) continue;
    const inside = hunks.filter(({ path }) => path === header).flatMap((hunk) => hunk.inside);
    const types = new Set(
      inside.flatMap(({ kind, name, of = [] }) => (kind === "member" || kind === "enumerator" ? of : kind === "type" ? [name] : [])),
    );
    for (const type of types) for (const { path } of readers.filter(({ words }) => words.has(type)).slice(0, EACH)) found.add(path);
  }
  return [...found].sort().flatMap((path) => kernel.commands.ofSource(path));
}
