/**
 * Commits as units, in their order. Each goes on what those before it made; one that does not go on that is left out. A commit needs those whose lines it
 * takes away or stands beside, those that bring or change what it names, and, both ways, the one that it mends or reverts: without its mend, a fix that
 * was found wanting is not carried.
 */
import { join } from "node:path";
import { includesOf, type KernelContext } from "@suture/kbuild";
import type { ReleaseUnit, UnitReason } from "@suture/protocol";
import type { Task } from "@suture/task";
import { type DeclarationKind, declarationsIn } from "../c/declarations.ts";
import { fail } from "../errors.ts";
import type { FileChange } from "../patch/change.ts";
import { named } from "../patch/heading.ts";
import type { Hunk } from "../patch/hunk.ts";
import { linesOf, type Placed, placeHunks } from "../patch/place.ts";
import { type Commit, commitsOf, type Range } from "./commits.ts";
import { type LineHunk, textIn } from "./difference.ts";
import { doubtOf } from "./existing.ts";
import { changedHunks, type NamedHunk, namedHunks, OWN, type Touched } from "./pieces.ts";
import { Reaching } from "./reaching.ts";
import { reasonOf } from "./reasons.ts";
import { builtFiles, diffText, hunksOf, mayBeLinked, type Plan, type Unit } from "./units.ts";
import { type Edit, Weave } from "./weave.ts";

interface Change {
  path: string;
  change: FileChange;
}

export async function commitUnits(task: Task, kernel: KernelContext, given: readonly Range[]): Promise<Plan> {
  return task.stage("units", async (stage) => {
    const commits: Commit[] = [];
    const ranges: Plan["ranges"] = [];
    for (const range of given) {
      stage.note(`commits of ${range.range}`);
      const found = await commitsOf(task, range);
      ranges.push({ ...range, commits: found.length });
      // One that several trees have is one.
      commits.push(...found.filter(({ id }) => !commits.some((other) => other.id === id)));
    }
    const changes = commits.map(({ changes }) => changes.flatMap((change): Change[] => pathsOf(change).map((path) => ({ path, change }))));
    const paths = [...new Set(changes.flat().map(({ path }) => path))].sort();
    const unread = commits.flatMap(({ unread }) => unread?.paths ?? []);
    const sources = [...paths, ...unread].filter((path) => /\.[ch]$/.test(path));
    const graph = await includesOf(
      task,
      kernel.target,
      join(kernel.cache, "kbuild"),
      new Map(sources.map((path) => [path, addedText(changes, path)])),
    );
    const reaching = new Reaching(kernel, graph);
    const isNew = async (path: string): Promise<boolean> => (await textIn(kernel.sourceRoot, path)) === undefined;
    const built = builtFiles(kernel, [...new Set([...paths, ...unread])], (path) => reaching.of(path));
    const linked = new Set<string>();
    for (const path of paths) if (!built.has(path) && mayBeLinked(kernel, path) && (await isNew(path))) linked.add(path);
    for (const path of linked) built.add(path);
    const maker = new Maker(kernel, built, linked, (reader, declarer) => reaching.of(declarer).has(reader));
    for (const [index, commit] of commits.entries()) {
      stage.note(commit.subject);
      stage.progress(index, commits.length, "commits");
      await task.pause();
      await maker.add(commit, changes[index] ?? []);
    }
    const units = maker.finish(commits);
    const gone = units.filter(({ known }) => known?.state === "not built").length;
    stage.result(`${units.length} commits, ${gone} of which change nothing in this kernel`);
    const last = commits.at(-1)?.id;
    return {
      from: "git",
      units,
      files: maker.files,
      ranges,
      target: last === undefined ? {} : { version: last.slice(0, 12) },
      graph,
      sees: (reader, declarer) => reaching.of(declarer).has(reader),
      reaching: (path) => reaching.of(path),
    };
  });
}

/** The file in the source, or both where one becomes another. */
function pathsOf({ oldName, newName }: FileChange): string[] {
  return [...new Set([oldName, newName].flatMap((name) => (name === undefined ? [] : [name.replace(/^[ab]\//, "")])))];
}

function addedText(changes: readonly (readonly Change[])[], path: string): string {
  return changes
    .flat()
    .filter((one) => one.path === path)
    .flatMap(({ change }) => change.hunks.flatMap((hunk) => hunk.new))
    .join("");
}

class Maker {
  readonly #kernel: KernelContext;
  readonly #built: ReadonlySet<string>;
  readonly #linked: ReadonlySet<string>;
  readonly #sees: Plan["sees"];
  readonly files = new Map<string, Weave>();
  readonly #units: Unit[] = [];
  readonly #needs: Set<number>[] = [];
  /** What earlier commits bring, change or take away, by name. */
  readonly #touched = new Map<string, { index: number; path: string; isStatic: boolean; kind: Touched["kind"]; contract: boolean }[]>();

  constructor(kernel: KernelContext, built: ReadonlySet<string>, linked: ReadonlySet<string>, sees: Plan["sees"]) {
    this.#kernel = kernel;
    this.#built = built;
    this.#linked = linked;
    this.#sees = sees;
  }

  async add(commit: Commit, changes: readonly Change[]): Promise<void> {
    const index = this.#units.length;
    const files: ReleaseUnit["files"] = [];
    const hunks: NamedHunk[] = [];
    const texts: string[] = [];
    const edits: { weave: Weave; edits: Edit[] }[] = [];
    const reasons: UnitReason[] = [];
    let there = 0;
    let wanted = 0;
    for (const { path, change } of changes) {
      if (!this.#built.has(path)) {
        files.push({ path, built: false, hunks: [] });
        continue;
      }
      wanted++;
      const refusal = this.#cannot(path, change);
      if (refusal !== undefined) {
        reasons.push(reasonOf(refusal));
        files.push({ path, built: true, hunks: [] });
        continue;
      }
      const weave = await this.#weave(path);
      const lines = weave.current;
      const before = lines.length === 0 && !weave.existed ? undefined : lines.join("");
      const placed = placeHunks(lines, change.hunks);
      if ("why" in placed) {
        if (isThere(lines, change.hunks)) there++;
        reasons.push(
          reasonOf(
            fail(
              "PATCH_DOES_NOT_APPLY",
              `${path}: hunk ${placed.hunk + 1} of ${change.hunks.length} ${placed.why}`,
              { file: path },
              { mend: MEND },
            ),
          ),
        );
        files.push({ path, built: true, hunks: [] });
        continue;
      }
      const own = lineHunks(placed);
      const after = applied(lines, own);
      const named = namedHunks({ path, before, after }, own, hunks.length);
      hunks.push(...named);
      files.push({ path, built: true, hunks: hunksOf(named) });
      texts.push(diffText(path, before === undefined ? undefined : lines, own));
      edits.push({ weave, edits: own.map(({ oldStart, old, now }) => ({ at: oldStart, remove: old.length, insert: now })) });
    }
    const needs = new Set<number>();
    const unread = commit.unread;
    const unreadBuilt = unread?.paths.some((path) => this.#built.has(path)) ?? false;
    if (unread !== undefined) {
      wanted += unreadBuilt ? 1 : 0;
      if (unreadBuilt) reasons.push(reasonOf(unread.refusal));
      files.push(...unread.paths.map((path) => ({ path, built: this.#built.has(path), hunks: [] })));
    }
    const known: Unit["known"] =
      wanted === 0
        ? { state: "not built", reasons: [] }
        : there === wanted
          ? { state: "in the kernel", reasons: [] }
          : reasons.length > 0
            ? { state: "left out", reasons }
            : undefined;
    if (known?.state === "left out") this.#missing(index, hunks, changes);
    if (known === undefined) {
      for (const one of edits) for (const other of one.weave.weave(index, one.edits)) needs.add(other);
      this.#name(index, hunks, needs);
    }
    this.#needs.push(needs);
    this.#units.push({
      index,
      id: commit.id.slice(0, 12),
      title: commit.subject,
      commit: commit.id,
      files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
      hunks: known === undefined ? (changedHunks([hunks])[0] ?? []) : [],
      doubt: doubtOf(hunks),
      diff: texts.join(""),
      needs,
      idle: known === undefined && hunks.every(({ idle }) => idle),
      namesCve: /\bCVE-\d{4}-\d{4,7}\b/.test(commit.message),
      ...(known === undefined ? {} : { known }),
    });
  }

  #cannot(path: string, change: FileChange) {
    if (change.cannot !== undefined) return fail("PATCH_UNREADABLE", `it ${change.cannot}: ${path}`, { file: path }, { mend: MEND });
    if (change.newName === undefined) return fail("PATCH_UNREADABLE", `it deletes ${path}`, { file: path }, { mend: MEND });
    if (this.#linked.has(path))
      return fail(
        "PATCH_NOT_FOR_KERNEL",
        "the newer source may be built of this new file, and this kernel is not",
        { file: path },
        { mend: MEND },
      );
    return undefined;
  }

  async #weave(path: string): Promise<Weave> {
    let weave = this.files.get(path);
    if (weave === undefined) {
      const text = await textIn(this.#kernel.sourceRoot, path);
      weave = new Weave(linesOf(text ?? ""), text !== undefined);
      this.files.set(path, weave);
    }
    return weave;
  }

  /** What earlier ones have to do with the names of this. */
  #name(index: number, hunks: readonly NamedHunk[], needs: Set<number>): void {
    const own: { name: string; touched: NamedHunk["inside"][number]; path: string }[] = [];
    for (const hunk of hunks) {
      if (hunk.idle) continue;
      const names = new Set([...hunk.mentions, ...hunk.calls]);
      for (const name of names)
        for (const earlier of this.#touched.get(name) ?? [])
          if (earlier.contract && earlier.kind !== "other" && this.#means(hunk.path, earlier)) needs.add(earlier.index);
      for (const touched of hunk.inside) own.push({ name: touched.name, touched, path: hunk.path });
    }
    for (const { name, touched, path } of own)
      this.#touched.set(name, [
        ...(this.#touched.get(name) ?? []),
        { index, path, isStatic: touched.isStatic, kind: touched.kind, contract: touched.contract },
      ]);
    needs.delete(index);
  }

  /** Of one that does not go on the kernel's source: who names what it has to do with needs it. */
  #missing(index: number, hunks: readonly NamedHunk[], changes: readonly Change[]): void {
    const add = (name: string, path: string): void => {
      this.#touched.set(name, [...(this.#touched.get(name) ?? []), { index, path, isStatic: false, kind: "function", contract: true }]);
    };
    for (const { path, inside } of hunks) for (const { name } of inside) add(name, path);
    for (const { path, change } of changes) {
      if (!this.#built.has(path)) continue;
      for (const { heading, new: lines } of change.hunks) {
        const name = /^\w+$/.exec(named(heading) ?? "")?.[0];
        if (name !== undefined) add(name, path);
        for (const { names, members } of declarationsIn(lines.join("")).filter(({ kind }) => !NO_NAMES.has(kind)))
          for (const one of [...names, ...members.keys()]) if (DECLARES.test(one)) add(one, path);
      }
    }
  }

  #means(reader: string, { path, isStatic, kind }: { path: string; isStatic: boolean; kind: Touched["kind"] }): boolean {
    if (reader === path) return true;
    if (path.endsWith(".c") && !OWN.has(kind) && !isStatic) return true;
    return this.#sees(reader, path);
  }

  /** What mends and reverts say of others, which goes both ways. */
  finish(commits: readonly Commit[]): Unit[] {
    const byId = new Map<string, number>();
    for (const [index, { id, message }] of commits.entries()) {
      for (const one of [id, ...upstreamOf(message)]) if (!byId.has(one)) byId.set(one, index);
    }
    const indexOf = (start: string): number | undefined => {
      const exact = byId.get(start);
      if (exact !== undefined) return exact;
      const found = new Set([...byId].filter(([id]) => id.startsWith(start)).map(([, index]) => index));
      return found.size === 1 ? [...found][0] : undefined;
    };
    for (const [index, { message }] of commits.entries())
      for (const start of mended(message)) {
        const other = indexOf(start);
        if (other === undefined || other >= index) continue;
        if (this.#isOutside(index) || this.#isOutside(other)) continue;
        this.#needs[index]?.add(other);
        this.#needs[other]?.add(index);
      }
    return this.#units;
  }

  /** It has nothing to do with what goes in. */
  #isOutside(index: number): boolean {
    const state = this.#units[index]?.known?.state;
    return state === "not built" || state === "in the kernel";
  }
}

/** In a piece of a file statements may be taken for declarations of short names. */
/** What declares nothing. */
const NO_NAMES: ReadonlySet<DeclarationKind> = new Set(["other", "call", "include"]);
const DECLARES = /^\w{4,}$/;

const MEND = "Boot a kernel that has it; what needs nothing of it goes in without.";

/** Commits of a stable series say which one of the main line they are. */
function upstreamOf(message: string): string[] {
  return [...message.matchAll(/^(?:\[ Upstream commit ([0-9a-f]{12,40}) \]|commit ([0-9a-f]{12,40}) upstream\.?)$/gim)].map(
    ([, a, b]) => a ?? b ?? "",
  );
}

/** The commits that one mends or takes back. */
function mended(message: string): string[] {
  return [...message.matchAll(/^Fixes:\s*([0-9a-f]{8,40})\b|\bThis reverts commit ([0-9a-f]{8,40})\b/gim)].map(([, a, b]) => a ?? b ?? "");
}

/** Whether the text has all of it already. */
function isThere(lines: readonly string[], hunks: readonly Hunk[]): boolean {
  const reversed = hunks.map((hunk) => ({ ...hunk, oldStart: hunk.newStart, newStart: hunk.oldStart, old: hunk.new, new: hunk.old }));
  return !hunks.some((hunk) => hunk.new.length === 0) && !("why" in placeHunks(lines, reversed));
}

/** Without the lines of context. */
function lineHunks(placed: readonly Placed[]): LineHunk[] {
  const out: LineHunk[] = [];
  let shift = 0;
  for (const { hunk, at } of placed) {
    let line = at;
    let [oldAt, newAt] = [0, 0];
    let open: { oldStart: number; newStart: number; old: string[]; now: string[] } | undefined;
    const close = (): void => {
      if (open === undefined) return;
      out.push(open);
      shift += open.now.length - open.old.length;
      open = undefined;
    };
    for (const marked of hunk.lines) {
      const mark = marked[0] ?? " ";
      if (mark === " ") {
        close();
        line++;
        oldAt++;
        newAt++;
        continue;
      }
      open ??= { oldStart: line, newStart: line + shift, old: [], now: [] };
      if (mark === "-") {
        open.old.push(hunk.old[oldAt++] ?? "");
        line++;
      } else open.now.push(hunk.new[newAt++] ?? "");
    }
    close();
  }
  return out;
}

function applied(lines: readonly string[], hunks: readonly LineHunk[]): string {
  const out: string[] = [];
  let at = 0;
  for (const { oldStart, old, now } of hunks) {
    out.push(...lines.slice(at, oldStart), ...now);
    at = oldStart + old.length;
  }
  return [...out, ...lines.slice(at)].join("");
}
