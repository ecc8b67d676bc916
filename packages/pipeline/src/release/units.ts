/** Units of a release: what goes into the livepatch whole or not at all, and the source with any choice of them. */
import type { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import type { IncludeGraph, KernelContext } from "@suture/kbuild";
import type { ReleaseUnit, UnitReason } from "@suture/protocol";
import type { LineHunk } from "./difference.ts";
import type { Halves } from "./halves.ts";
import type { ChangedHunk } from "./pieces.ts";
import type { Paths } from "./reaching.ts";
import type { Weave } from "./weave.ts";

export interface Unit {
  /** Its place among all units, which are in a fixed order. */
  index: number;
  id: string;
  title: string;
  commit?: string;
  files: ReleaseUnit["files"];
  /** In files of which this kernel is made. */
  hunks: readonly ChangedHunk[];
  diff: string;
  /** Units without which it is not the same change. */
  needs: ReadonlySet<number>;
  /** It changes comments only. */
  idle: boolean;
  /** It says that it mends a CVE; only commits say so. */
  namesCve: boolean;
  /** Why it is left out unless somebody has read it. */
  doubt?: SutureError | undefined;
  /** Known before anything is compiled. */
  known?: { state: "not built" | "left out" | "in the kernel"; reasons: UnitReason[] };
}

/** Why a unit is not in. */
export interface Left {
  reasons: UnitReason[];
  /** The units that it needs and that are not in. */
  with: number[];
}

/** All units, and the files that they change. */
export interface Plan {
  from: "packages" | "git";
  units: readonly Unit[];
  /** By path, of files of which this kernel is made. */
  files: ReadonlyMap<string, Weave>;
  ranges: { folder: string; range: string; commits: number }[];
  target: { release?: string; version?: string };
  /** Where nothing says which changes are one fix. */
  halves?: Halves;
  /** What includes what, also as the files become. */
  graph: IncludeGraph;
  /** Whether a file sees what another declares, by inclusion. */
  sees(reader: string, declarer: string): boolean;
  /** The files that include a file, directly or not. */
  reaching(path: string): Paths;
}

/** With all that it needs; undefined if one of those is not among `there`. */
export function withNeeds(units: readonly Unit[], index: number, there: ReadonlySet<number>): Set<number> | undefined {
  const found = new Set<number>();
  const queue = [index];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (found.has(at)) continue;
    if (!there.has(at)) return undefined;
    found.add(at);
    queue.push(...(units[at]?.needs ?? []));
  }
  return found;
}

/** Those that cannot stay without `gone`: by what each of them it cannot. */
export function dependents(units: readonly Unit[], gone: ReadonlySet<number>, there: ReadonlySet<number>): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const isOut = (index: number): boolean => gone.has(index) || found.has(index) || !there.has(index);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { index, needs } of units) {
      if (gone.has(index) || !there.has(index) || found.has(index)) continue;
      const missing = [...needs].filter(isOut);
      if (missing.length === 0) continue;
      found.set(index, missing);
      grown = true;
    }
  }
  return found;
}

/** What stays of a choice without some, and without those that cannot stay then. */
export function without(units: readonly Unit[], there: ReadonlySet<number>, gone: Iterable<number>): Set<number> {
  const out = new Set(gone);
  const also = dependents(units, out, there);
  return new Set([...there].filter((index) => !out.has(index) && !also.has(index)));
}

/** Where it is counts: what is changed alike in two functions is two changes. */
export function idOf(hunks: readonly (LineHunk & { path: string })[]): string {
  return `u${sha256(JSON.stringify(hunks.map(({ path, oldStart, old, now }) => [path, oldStart, old, now]))).slice(0, 12)}`;
}

/** Made up of the first files and the names that are changed in them. */
export function titleOf(hunks: readonly ChangedHunk[]): string {
  const paths = [...new Set(hunks.map(({ path }) => path))];
  const main = paths.find((path) => path.endsWith(".c")) ?? paths[0] ?? "";
  const own = hunks.filter(({ path }) => path === main).flatMap(({ inside }) => inside);
  const rank = ["function", "variable", "type", "macro", "member", "enumerator", "other"];
  const sorted = [...own].sort((a, b) => rank.indexOf(a.kind) - rank.indexOf(b.kind));
  const names = [...new Set(sorted.map(({ name }) => name))];
  const shown = names.slice(0, 3).join(", ");
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  const others = paths.length > 1 ? ` (${paths.length} files)` : "";
  return `${main}${shown === "" ? "" : `: ${shown}${more}`}${others}`;
}

const CONTEXT = 3;

/** One file's hunks as a unified diff. */
export function diffText(path: string, before: readonly string[] | undefined, hunks: readonly LineHunk[]): string {
  const out = [`--- ${before === undefined ? "/dev/null" : `a/${path}`}\n`, `+++ b/${path}\n`];
  const lines = before ?? [];
  let shift = 0;
  for (let at = 0; at < hunks.length; ) {
    let end = at;
    while (end + 1 < hunks.length && (hunks[end + 1]?.oldStart ?? 0) - endOf(hunks[end]) <= 2 * CONTEXT) end++;
    const group = hunks.slice(at, end + 1);
    const from = Math.max(0, (group[0]?.oldStart ?? 0) - CONTEXT);
    const to = Math.min(lines.length, endOf(group.at(-1)) + CONTEXT);
    const body: string[] = [];
    let line = from;
    let added = 0;
    for (const hunk of group) {
      for (; line < hunk.oldStart; line++) body.push(marked(" ", lines[line] ?? ""));
      for (const old of hunk.old) body.push(marked("-", old));
      for (const now of hunk.now) body.push(marked("+", now));
      line += hunk.old.length;
      added += hunk.now.length - hunk.old.length;
    }
    for (; line < to; line++) body.push(marked(" ", lines[line] ?? ""));
    const [oldCount, newCount] = [to - from, to - from + added];
    const start = (count: number, first: number): number => (count === 0 ? first : first + 1);
    out.push(`@@ -${start(oldCount, from)},${oldCount} +${start(newCount, from + shift)},${newCount} @@\n`, ...body);
    shift += added;
    at = end + 1;
  }
  return out.join("");
}

function endOf(hunk: LineHunk | undefined): number {
  return hunk === undefined ? 0 : hunk.oldStart + hunk.old.length;
}

function marked(mark: string, line: string): string {
  return line.endsWith("\n") ? `${mark}${line}` : `${mark}${line}\n\\ No newline at end of file\n`;
}

/** Of hunks, as the report has them. */
export function hunksOf(hunks: readonly ChangedHunk[]): ReleaseUnit["files"][number]["hunks"] {
  return hunks.map(({ oldStart, old, newStart, now, inside }) => ({
    oldStart: oldStart + 1,
    oldCount: old.length,
    newStart: newStart + 1,
    newCount: now.length,
    heading: inside[0]?.name ?? "",
  }));
}

/** Folders whose files no kernel of this processor is made of. */
const NO_KERNEL =
  /^(?:Documentation|tools|samples|LICENSES|usr|scripts|debian)\/|^[^/]*$|(?:^|\/)(?:Kconfig[^/]*|Kbuild|Makefile[^/]*|\.gitignore)$|\.(?:rst|txt|yaml|dts|dtsi)$/;

/** Of which of the files this kernel is made, by themselves or by what includes them. @param reaching the files that include a file, directly or not */
export function builtFiles(kernel: KernelContext, paths: readonly string[], reaching: (path: string) => Paths): Set<string> {
  const { commands } = kernel;
  const sources = new Set(commands.sources);
  const inputs = new Set(commands.steps.flatMap(({ source, inputs }) => [source, ...inputs]));
  const built = new Set<string>();
  for (const path of paths) {
    if (NO_KERNEL.test(path)) continue;
    const direct = sources.has(path) || inputs.has(path);
    if (direct || [...reaching(path)].some((file) => file !== path && (sources.has(file) || inputs.has(file)))) built.add(path);
  }
  return built;
}

/** A new C file in a folder of which the kernel is built: that its Makefile names it cannot be told from here. */
export function mayBeLinked(kernel: KernelContext, path: string): boolean {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return (
    /\.[cS]$/.test(path) &&
    kernel.commands.objects.some((object) => object.startsWith(folder) && !object.slice(folder.length).includes("/"))
  );
}
