/** The difference of two source packages as units: they know no commits. */
import { join } from "node:path";
import { includesOf, type KernelContext } from "@suture/kbuild";
import type { ReleaseUnit, UnitReason } from "@suture/protocol";
import type { ReleaseSource } from "@suture/sources";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { linesOf } from "../patch/place.ts";
import type { NameIndex } from "../reach/names/index.ts";
import { indexOf } from "../reach/names/open.ts";
import { changedPaths, hunksBetween, textIn } from "./difference.ts";
import { doubtOf, doubtOfBoth } from "./existing.ts";
import { type Halves, halvesOf, type Part } from "./halves.ts";
import { type ChangedHunk, changedHunks, type NamedHunk, namedHunks, piecesOf } from "./pieces.ts";
import { Reaching } from "./reaching.ts";
import { reasonOf } from "./reasons.ts";
import { builtFiles, diffText, hunksOf, idOf, mayBeLinked, type Plan, titleOf, type Unit } from "./units.ts";
import { Weave } from "./weave.ts";

export async function packageUnits(task: Task, kernel: KernelContext, own: ReleaseSource, newer: ReleaseSource): Promise<Plan> {
  const paths = await changedPaths(task, own, newer, kernel.cache);
  return task.stage("units", async (stage) => {
    stage.note("which files this kernel is made of");
    const includes = new Map<string, string>();
    for (const { path } of paths)
      if (/\.[ch]$/.test(path))
        includes.set(path, ((await textIn(newer.path, path))?.match(/^[ \t]*#[ \t]*include.*$/gm) ?? []).join("\n"));
    const graph = await includesOf(task, kernel.target, join(kernel.cache, "kbuild"), includes);
    const reaching = new Reaching(kernel, graph);
    const linked = paths.filter(({ path, before }) => !before && mayBeLinked(kernel, path)).map(({ path }) => path);
    const built = builtFiles(
      kernel,
      paths.map(({ path }) => path),
      (path) => reaching.of(path),
    );
    for (const path of linked) built.add(path);
    const hunks: NamedHunk[] = [];
    const files = new Map<string, Weave>();
    const cannot = new Map<string, UnitReason>();
    for (const [done, path] of [...built].sort().entries()) {
      stage.note(path);
      stage.progress(done, built.size, "files");
      await task.pause();
      const [before, after] = await Promise.all([textIn(kernel.sourceRoot, path), textIn(newer.path, path)]);
      if (after === undefined)
        cannot.set(
          path,
          reasonOf(fail("PATCH_UNREADABLE", "the newer release does not have it any more", { file: path }, { mend: MEND_FILES })),
        );
      if (linked.includes(path))
        cannot.set(
          path,
          reasonOf(
            fail(
              "PATCH_NOT_FOR_KERNEL",
              "the newer release may be built of this new file, and this kernel is not",
              { file: path },
              { mend: MEND_FILES },
            ),
          ),
        );
      files.set(path, new Weave(before === undefined ? [] : linesOf(before), before !== undefined));
      hunks.push(...namedHunks({ path, before, after: after ?? "" }, hunksBetween(before ?? "", after ?? ""), hunks.length));
    }
    stage.note("what belongs together");
    const groups = piecesOf(hunks, (reader, declarer) => reaching.of(declarer).has(reader));
    const units = changedHunks(groups).map((group, index) => ({ ...unitOf(group, index, files), doubt: doubtOf(groups[index] ?? []) }));
    for (const [at, unit] of units.entries()) {
      const reasons = [...new Set((groups[at] ?? []).map(({ path }) => path))].flatMap((path) => cannot.get(path) ?? []);
      if (reasons.length > 0) units[at] = { ...unit, known: { state: "left out", reasons } };
    }
    for (const unit of units) weaveIn(unit, files);
    const others = paths
      .filter(({ path }) => !built.has(path))
      .map(
        ({ path }): Omit<Unit, "index"> => ({
          id: idOf([{ path, oldStart: 0, newStart: 0, old: [own.version], now: [newer.version] }]),
          title: path,
          files: [{ path, built: false, hunks: [] }],
          hunks: [],
          diff: "",
          needs: new Set<number>(),
          idle: false,
          namesCve: false,
          known: { state: "not built", reasons: [] },
        }),
      );
    stage.note("what may be halves of one fix");
    const parts = groups.map((group, index) => ({ index, idle: units[index]?.idle === true, hunks: group }));
    const halves = halvesAmong(parts, await indexOf(task, kernel, graph, stage));
    for (const [at, ties] of halves)
      for (const [other, { isStrong }] of ties) {
        const [one, two] = [units[at], units[other]];
        if (!isStrong || at > other || one === undefined || two === undefined) continue;
        const doubt = doubtOfBoth(groups[at] ?? [], groups[other] ?? []);
        if (doubt === undefined) continue;
        units[at] = { ...one, doubt: one.doubt ?? doubt };
        units[other] = { ...two, doubt: two.doubt ?? doubt };
      }
    const all = [...units, ...others.map((unit, at) => ({ ...unit, index: units.length + at }))];
    stage.result(
      `${hunks.length} changes in ${built.size} files make ${units.length} units; ${others.length} files are not in this kernel`,
    );
    return planOf({ units: all, files, halves, target: { release: newer.release, version: newer.version }, graph }, reaching);
  });
}

/** By itself, so that nothing that stays holds the texts of all hunks. */
function planOf(plan: Pick<Plan, "units" | "files" | "halves" | "target" | "graph">, reaching: Reaching): Plan {
  return {
    ...plan,
    from: "packages",
    ranges: [],
    sees: (reader, declarer) => reaching.of(declarer).has(reader),
    reaching: (path) => reaching.of(path),
  };
}

/** By itself, so that nothing that stays holds the index. */
function halvesAmong(parts: readonly Part[], index: NameIndex): Halves {
  return halvesOf(parts, (name) => index.sourcesWith(name));
}

const MEND_FILES = "A livepatch replaces functions of C files that stay: boot the newer kernel for this.";

function unitOf(group: readonly ChangedHunk[], index: number, weaves: ReadonlyMap<string, Weave>): Unit {
  const paths = [...new Set(group.map(({ path }) => path))].sort();
  const files: ReleaseUnit["files"] = [];
  const texts: string[] = [];
  for (const path of paths) {
    const own = group.filter((hunk) => hunk.path === path);
    const weave = weaves.get(path);
    files.push({ path, built: true, hunks: hunksOf(own) });
    texts.push(diffText(path, weave?.existed === true ? weave.current : undefined, own));
  }
  return {
    index,
    id: idOf(group),
    title: titleOf(group),
    files,
    hunks: group,
    diff: texts.join(""),
    needs: new Set(),
    idle: group.every(({ idle }) => idle),
    namesCve: false,
  };
}

/** From the last line of each file on: the places of the others stay. */
function weaveIn({ index, hunks }: Unit, files: ReadonlyMap<string, Weave>): void {
  for (const [path, weave] of files) {
    const own = hunks.filter((hunk) => hunk.path === path);
    if (own.length > 0)
      weave.weaveOriginal(
        index,
        own.map(({ oldStart, old, now }) => ({ at: oldStart, remove: old.length, insert: now })),
      );
  }
}
