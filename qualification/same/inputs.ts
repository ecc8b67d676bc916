/** What livepatches are built of to see whether they stay the same: of every class there is, on kernels of two series. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { createTwoFilesPatch } from "diff";
import { type Fix, readManifest } from "../corpus/manifest.ts";
import { readC } from "../edits/c-file.ts";
import type { Edit } from "../edits/edit.ts";
import { filesOf } from "../edits/files.ts";
import { hopedFacts } from "../edits/hoped-facts.ts";
import { sourceText } from "../edits/judge.ts";
import { KINDS } from "../edits/kinds.ts";
import { Random } from "../edits/random.ts";
import { treeOf } from "../edits/tree.ts";
import { ROOT } from "../run.ts";

/** One `suture build`. */
export interface Input {
  name: string;
  class: string;
  kernel: string;
  /** Words of the command besides --kernel, --name and --output. */
  args: string[];
  /** The input whose livepatch it is built upon. */
  upon?: string;
}

const EXAMPLES = join(ROOT, "docs/examples");
const LARGEST = 28_000;
/** Families of edits whose kinds are tried; most of the others are refused. */
const BUILT = ["code", "refactoring", "variable", "name", "init"];

/** Fixes of a corpus, of each class and owner in turn. Of headers that everybody includes there are a thousand objects: those are left out. */
export function fromCorpus(folder: string, sample: number, seed: number): Input[] {
  const { release, patches } = readManifest(folder);
  const wide = (fix: Fix): boolean => fix.files.some((file) => file.startsWith("include/linux/") || file.startsWith("include/uapi/"));
  const groups = new Map<string, Fix[]>();
  for (const fix of new Random(seed).shuffled(patches.filter((one) => !wide(one)))) {
    const owner = fix.objects.every(({ module }) => module === "vmlinux") ? "kernel" : "module";
    const key = `${fix.files.some((file) => file.endsWith(".h")) ? "header" : fix.class}, ${owner}`;
    groups.set(key, [...(groups.get(key) ?? []), fix]);
  }
  return inTurn([...groups].map(([key, fixes]) => fixes.map((fix): [string, Fix] => [key, fix])))
    .slice(0, sample)
    .map(([key, fix]) => ({ name: `corpus-${fix.name}`, class: `fix: ${key}`, kernel: release, args: [join(folder, fix.patch)] }));
}

/** What is made for one kernel, of its own source and of our examples. @param edits how many edits */
export function ofKernel(kernel: KernelContext, folder: string, { edits, seed }: { edits: number; seed: number }): Input[] {
  const { release } = kernel.target;
  const series = /^\d+\.\d+/.exec(release)?.[0] ?? release;
  const input = (name: string, kind: string, args: string[], upon?: string): Input => ({
    name: `${series}-${name}`,
    class: kind,
    kernel: release,
    args,
    ...(upon === undefined ? {} : { upon: `${series}-${upon}` }),
  });
  const patches = join(folder, series);
  mkdirSync(patches, { recursive: true });
  const made = [...editsOf(kernel, edits, seed)].map(([name, edit]) => {
    const path = join(patches, `${name}.patch`);
    writeFileSync(path, patchOf(edit), "latin1");
    return { name, path, kind: edit.files.some((file) => file.path.endsWith(".h")) ? "edit: header" : "edit" };
  });
  const line = (word: string): string => {
    const path = join(patches, `meminfo-${word}.patch`);
    const before = readFileSync(join(kernel.target.tree, "fs/proc/meminfo.c"), "latin1");
    const after = before.replace(`"${word}: `, `"${word}+:`);
    if (after === before) throw new Error(`fs/proc/meminfo.c has no ${word}`);
    // Neighbouring lines are patches of their own: none has another's line in its context.
    writeFileSync(path, createTwoFilesPatch("a/fs/proc/meminfo.c", "b/fs/proc/meminfo.c", before, after, "", "", { context: 0 }), "latin1");
    return path;
  };
  const example = (name: string): string => join(EXAMPLES, `${name}.c`);
  const modules = new Random(seed).shuffled(
    kernel.commands.sources.flatMap((path) => {
      const [object] = kernel.commands.ofSource(path);
      const owner = object === undefined ? undefined : kernel.commands.ownerOf(object);
      return object !== undefined && owner !== undefined && owner !== "vmlinux" && /^(?:fs|net)\//.test(object) ? [object] : [];
    }),
  );
  return [
    ...readdirSync(EXAMPLES)
      .sort()
      .map((file) => input(`example-${basename(file, ".c")}`, "authored", ["--from", join(EXAMPLES, file)])),
    input("meminfo", "patch", [line("MemTotal")]),
    input("several", "several patches", [line("MemFree"), line("Buffers"), line("Cached")]),
    input("mixed", "patch and authored", [line("SwapTotal"), "--from", example("lock")]),
    input("replacing", "replaces all others", [line("SwapFree"), "--replace"]),
    input("state", "state and shadow variable", [line("MemTotal"), "--from", example("new-field"), "--state", "1:3", "--replace"]),
    input("upon", "upon", [line("MemFree")], "state"),
    input("upon-upon", "upon", [line("Buffers"), line("Active")], "upon"),
    input("upon-authored", "upon", ["--from", example("repair")], "meminfo"),
    ...["fs/pipe.o", "mm/mempool.o", "kernel/time/timer.o"].map((object) =>
      input(`rebuild-${basename(object, ".o")}`, "rebuilt", ["--rebuild", object]),
    ),
    ...modules.slice(0, 3).map((object) => input(`rebuild-${basename(object, ".o")}`, "rebuilt module", ["--rebuild", object])),
    ...made.map(({ name, path, kind }) => input(name, kind, [path])),
  ];
}

/** One of each file, of each kind in turn; one in five in a header. */
function* editsOf(kernel: KernelContext, count: number, seed: number): Generator<[string, Edit]> {
  const tree = treeOf(kernel);
  const uses = new Map<string, number>();
  let [left, headers] = [count, Math.ceil(count / 5)];
  for (const { path, object, owner } of filesOf(kernel, { seed, largest: LARGEST })) {
    if (left === 0) return;
    const text = sourceText(join(kernel.sourceRoot, path));
    if (text === undefined) continue;
    const file = readC(text);
    const found = KINDS.flatMap((kind): { name: string; edit: Edit; isHeader: boolean }[] => {
      const random = Random.of(`${path} ${kind.name}`, seed);
      const edit = kind.make({ path, object, owner, file, facts: hopedFacts(file, path), tree, random });
      if (edit === undefined || edit.files.every(({ before, after }) => before === after)) return [];
      const isHeader = edit.files.some((one) => one.path.endsWith(".h"));
      return isHeader || BUILT.includes(kind.family) ? [{ name: kind.name, edit, isHeader }] : [];
    });
    const inHeader = headers > 0 ? found.find(({ isHeader }) => isHeader) : undefined;
    // While headers are still to come, room is left for them.
    if (inHeader === undefined && left <= headers) continue;
    const usesOf = ({ name }: { name: string }): number => uses.get(name) ?? 0;
    const chosen = inHeader ?? found.filter(({ isHeader }) => !isHeader).sort((a, b) => usesOf(a) - usesOf(b))[0];
    if (chosen === undefined) continue;
    if (inHeader !== undefined) headers--;
    uses.set(chosen.name, usesOf(chosen) + 1);
    left--;
    yield [`edit-${basename(path, ".c")}-${chosen.name}`, chosen.edit];
  }
}

function patchOf({ files }: Edit): string {
  return files.map(({ path, before, after }) => createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after).replace(/^=+\n/, "")).join("");
}

/** The first of each list, the second of each, ... */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}
