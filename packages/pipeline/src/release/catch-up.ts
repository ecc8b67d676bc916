/**
 * One livepatch of all that a newer release has and a livepatch can carry. All units go in at first; what is refused is traced to the units that bring
 * it, and those are left out with all that depends on them, until nothing is refused. Each round begins with one choice of units and ends with a smaller
 * one, so that it ends; and it looks at objects in their order, so that the outcome is the same whenever and wherever it is done.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import { type IncludeGraph, includesOf, type KernelContext, type ObjectCommand, type Step } from "@suture/kbuild";
import { combine } from "@suture/livepatch";
import { type AccountSummary, type CatchUpReport, type Manifest, writeReport } from "@suture/protocol";
import type { Stage, Task } from "@suture/task";
import { fail } from "../errors.ts";
import { type Livepatch, linkLivepatch } from "../link/livepatch.ts";
import { manifestOf } from "../manifest.ts";
import { patchName } from "../name.ts";
import type { BuildOptions, Predecessor } from "../options.ts";
import { keepLineNumbers } from "../patch/lines.ts";
import { checkMacros } from "../patch/macros.ts";
import { parseSourcePatch } from "../patch/read.ts";
import { catchUpBefore, lostOf, withPredecessor } from "../predecessor.ts";
import { readBy, scriptReading, stepsReading } from "../reach/readers.ts";
import { refuseMissed } from "../run/patch-run.ts";
import { refusedOr } from "../run/refusals.ts";
import { blamed, suspects } from "./blame.ts";
import { hunksBetween } from "./difference.ts";
import { HeaderNames, namesChanged, sourcesNaming } from "./headers.ts";
import { PreprocessedObjects } from "./preprocessed-objects.ts";
import { reasonOf } from "./reasons.ts";
import { type Finished, ReleaseObjects } from "./release-objects.ts";
import { reportOf, summaryOf } from "./report.ts";
import { dependents, diffText, type Left, type Plan, type Unit, withNeeds } from "./units.ts";

export interface CatchUpOptions {
  only: "all" | "cve";
  /** Units, by id, commit, or a file or folder that they change. */
  leaveOut: readonly string[];
  /** Only these, with what they need; empty for all. */
  take: readonly string[];
  predecessor?: Predecessor | undefined;
  acceptLayouts: readonly string[];
  acceptInits: readonly string[];
  unproven: boolean;
  /** Where each CVE stands, by what became of the units, for the manifest. */
  account?: ((report: CatchUpReport) => Promise<AccountSummary>) | undefined;
  name?: string | undefined;
  jobs?: number | undefined;
}

export interface CaughtUp {
  report: CatchUpReport;
  /** Undefined where nothing can be carried. */
  livepatch: Livepatch | undefined;
}

export async function catchUp(task: Task, kernel: KernelContext, plan: Plan, options: CatchUpOptions): Promise<CaughtUp> {
  return new CatchUp(task, kernel, plan, options).run();
}

/** More are counted. */
const LOST_SHOWN = 20;

class CatchUp {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #plan: Plan;
  readonly #options: CatchUpOptions;
  readonly #jobs: number;
  /** The choice: units that are in. */
  readonly #in = new Set<number>();
  readonly #left = new Map<number, Left>();
  readonly #base = new Map<string, string | undefined>();
  /** Of files that the choice changed at first. */
  readonly #paths: Set<string>;
  /** Texts with line numbers, by path and choice. */
  readonly #texts = new Map<string, { key: string; text: string | undefined; plain: string | undefined }>();
  #objects!: ReleaseObjects;
  #graph!: IncludeGraph;
  #steps: readonly Step[] = [];
  #headers: HeaderNames | undefined;
  #preprocessed!: PreprocessedObjects;

  constructor(task: Task, kernel: KernelContext, plan: Plan, options: CatchUpOptions) {
    this.#task = task;
    this.#kernel = kernel;
    this.#plan = plan;
    this.#options = options;
    this.#jobs = options.jobs ?? availableParallelism();
    this.#paths = new Set([...plan.files.keys()].sort());
    for (const [path, weave] of plan.files) this.#base.set(path, weave.textOf(new Set()));
  }

  async run(): Promise<CaughtUp> {
    const task = this.#task;
    const kernel = this.#kernel;
    const predecessor = this.#options.predecessor === undefined ? undefined : catchUpBefore(this.#options.predecessor, kernel);
    this.#choose();
    for (const [path, weave] of this.#plan.files) if (!weave.units.some((unit) => this.#in.has(unit))) this.#paths.delete(path);
    const overlay = this.#overlay(this.#in);
    this.#graph = await includesOf(task, kernel.target, join(kernel.cache, "kbuild"), overlay);
    const view = await kernel.changed(task, overlay);
    const { acceptLayouts, acceptInits, unproven } = this.#options;
    const from = `catch-up to ${this.#plan.target.version ?? "commits"}`;
    const accepted = { acceptLayouts: new Set(acceptLayouts), acceptInits: new Set(acceptInits) };
    this.#objects = new ReleaseObjects(task, kernel, overlay, { view, ...accepted, unproven, from, jobs: this.#jobs });
    this.#preprocessed = new PreprocessedObjects(task, kernel, view, this.#jobs);
    try {
      await this.#leaveOtherReaders();
      const finished = await this.#settle();
      return await this.#finish(finished, predecessor);
    } finally {
      await view.dispose();
    }
  }

  get #units(): readonly Unit[] {
    return this.#plan.units;
  }

  /** What is asked for, and can be at all. */
  #choose(): void {
    const { leaveOut, take, only } = this.#options;
    const means = (word: string, unit: Unit): boolean =>
      unit.id === word ||
      (word.length >= 7 && (unit.id.startsWith(word) || unit.commit?.startsWith(word) === true)) ||
      unit.files.some(({ path }) => path === word || path.startsWith(word.endsWith("/") ? word : `${word}/`));
    for (const word of [...leaveOut, ...take])
      if (!this.#units.some((unit) => means(word, unit)))
        throw fail("CATCHUP_UNIT", `no unit is ${word}, and none changes a file of that name`);
    for (const unit of this.#units) if (unit.known === undefined) this.#in.add(unit.index);
    const asked = new Map<number, Left>();
    for (const unit of this.#units) {
      if (unit.known?.state === "left out") asked.set(unit.index, { reasons: unit.known.reasons, with: [] });
      else if (unit.known === undefined && leaveOut.some((word) => means(word, unit)))
        asked.set(unit.index, { reasons: [reasonOf(fail("CATCHUP_ASKED", "--leave-out names it"))], with: [] });
    }
    this.#leave(asked);
    const wanted = (unit: Unit): boolean =>
      (take.length === 0 || take.some((word) => means(word, unit))) && (only === "all" || unit.namesCve);
    const kept = new Set<number>();
    for (const unit of this.#units)
      if (this.#in.has(unit.index) && wanted(unit)) for (const one of withNeeds(this.#units, unit.index, this.#in) ?? []) kept.add(one);
    const other = only === "cve" ? "it names no CVE, and none that does needs it" : "--take names others, and none of those needs it";
    this.#leave(
      new Map(
        [...this.#in]
          .filter((index) => !kept.has(index))
          .map((index) => [index, { reasons: [reasonOf(fail("CATCHUP_ASKED", other))], with: [] }]),
      ),
    );
  }

  /** With all that depends on them. @returns how many are out that were in */
  #leave(gone: ReadonlyMap<number, Left>): number {
    const before = this.#in.size;
    for (const [index, left] of gone) {
      if (!this.#in.delete(index) && this.#left.has(index)) continue;
      this.#left.set(index, left);
    }
    const notIn = new Set(
      this.#units.filter(({ index, known }) => !this.#in.has(index) && known?.state !== "in the kernel").map(({ index }) => index),
    );
    for (const [index, missing] of dependents(this.#units, notIn, this.#in)) {
      this.#in.delete(index);
      const names = missing.map((one) => this.#units[one]?.title ?? "").slice(0, 3);
      const why = `it needs ${names.join(", ")}${missing.length > 3 ? ` and ${missing.length - 3} more` : ""}`;
      this.#left.set(index, { reasons: [reasonOf(fail("CATCHUP_NEEDS", why))], with: missing });
    }
    return before - this.#in.size;
  }

  /** Of all files that units change: with no unit in, one is there as it was. */
  #overlay(units: ReadonlySet<number>): Map<string, string> {
    const overlay = new Map<string, string>();
    for (const path of this.#paths) {
      const { text } = this.#textOf(path, units);
      if (text !== undefined) overlay.set(path, text);
    }
    return overlay;
  }

  #textOf(path: string, units: ReadonlySet<number>): { text: string | undefined; plain: string | undefined } {
    const weave = this.#plan.files.get(path);
    const own = weave?.units.filter((unit) => units.has(unit)) ?? [];
    const key = own.join(" ");
    const known = this.#texts.get(path);
    if (known?.key === key) return known;
    const before = this.#base.get(path);
    const plain = weave?.textOf(new Set(own));
    const text = before === undefined || plain === undefined || !/\.[ch]$/.test(path) ? plain : keepLineNumbers(before, plain);
    this.#texts.set(path, { key, text, plain });
    return { text, plain };
  }

  #changedFiles(): { path: string; before: string | undefined; after: string }[] {
    return [...this.#paths].flatMap((path) => {
      const before = this.#base.get(path);
      const after = this.#textOf(path, this.#in).plain;
      return after === undefined || after === before ? [] : [{ path, before, after }];
    });
  }

  #unitsOf(path: string): number[] {
    return (this.#plan.files.get(path)?.units ?? []).filter((index) => this.#in.has(index));
  }

  /** What besides C is made of changed files, as far as that shows without compiling. */
  async #leaveOtherReaders(): Promise<void> {
    const gone = new Map<number, Left>();
    const out = (path: string, refusal: SutureError): void => {
      for (const index of this.#unitsOf(path))
        if (this.#units[index]?.idle !== true) gone.set(index, { reasons: [reasonOf(refusal)], with: [] });
    };
    const { steps } = this.#kernel.commands;
    const named = new Map(steps.flatMap((step) => [step.source, ...step.inputs].map((path) => [path, step] as const)));
    for (const path of this.#paths) {
      const step = named.get(path);
      if (step !== undefined && (step.kind !== "assembly" || !path.endsWith(".h")))
        out(
          path,
          fail(
            "PATCH_NOT_C",
            `it changes ${path} (${step.kind}), of which ${step.output} is made: the kernel that runs keeps what was made of the old one`,
            { file: path },
          ),
        );
      else if (!/\.([ch]|inc)$/.test(path)) out(path, fail("PATCH_NOT_C", `it changes ${path}`, { file: path }));
      else {
        const script = await scriptReading(this.#kernel, path, this.#graph);
        if (script !== undefined)
          out(
            path,
            fail(
              "PATCH_NOT_C",
              `it changes ${path}, which ${script}, a program of the kernel's build, reads: what it makes stays as it is`,
              { file: path },
            ),
          );
      }
      for (const object of this.#kernel.commands.ofSource(path)) {
        const refusal = this.#unfit(object);
        if (refusal !== undefined) out(path, refusal);
      }
    }
    this.#leave(gone);
  }

  /** Objects that no livepatch reaches. */
  #unfit(object: string): SutureError | undefined {
    const { commands } = this.#kernel;
    const program = commands.programOf(object);
    if (program !== undefined)
      return fail("BUILD_OTHER_PROGRAM", `${object} is of ${program}, a program that the kernel carries and does not run itself`, {
        file: object,
      });
    try {
      commands.of(object);
      return undefined;
    } catch (error) {
      return refusedOr(this.#task, error);
    }
  }

  /** Round by round, until nothing is refused. */
  async #settle(): Promise<Finished> {
    for (let round = 1; ; round++) {
      const finished = await this.#task.stage(`round ${round}`, async (stage) => {
        const found = await this.#round(stage);
        const decided = this.#units.length - this.#in.size;
        const told = `${this.#objects.objects.size} objects; ${this.#in.size} units are in, ${decided} are not`;
        stage.result(found === undefined ? told : `${told}; nothing is refused`);
        return found;
      });
      if (finished !== undefined) return finished;
    }
  }

  /** @returns what the livepatch is made of, where nothing was refused and nothing new came up */
  async #round(stage: Stage): Promise<Finished | undefined> {
    this.#leaveRenumbered();
    const direct = this.#changedFiles().flatMap(({ path }) => this.#kernel.commands.ofSource(path));
    if (await this.#leaveRefused(stage, direct)) return undefined;
    const through = await this.#throughHeaders(stage);
    if (through.length > 0) {
      await this.#leaveRefused(stage, through);
      return undefined;
    }
    if (await this.#leaveSteps(stage)) return undefined;
    const { finished, refusals } = await this.#objects.finish(stage);
    if (refusals.size > 0) return (await this.#leaveBlamed(stage, refusals)) ? undefined : this.#stuck([...refusals.values()].flat());
    return (await this.#leaveMissed(finished)) ? undefined : finished;
  }

  #stuck(refusals: readonly SutureError[]): never {
    const [first, ...others] = refusals;
    if (first === undefined) throw new Error("nothing is refused, and yet it does not go on");
    throw first.with(others);
  }

  /** @returns whether units were left out */
  async #leaveRefused(stage: Stage, objects: readonly string[]): Promise<boolean> {
    const added: ObjectCommand[] = [];
    for (const object of [...new Set(objects)].sort()) if (this.#unfit(object) === undefined) added.push(this.#kernel.commands.of(object));
    const found = await this.#objects.look(stage, this.#overlay(this.#in), added);
    if (found.size === 0) return false;
    return (await this.#leaveBlamed(stage, found)) || this.#stuck([...found.values()].flat());
  }

  async #leaveBlamed(stage: Stage, found: ReadonlyMap<string, readonly SutureError[]>): Promise<boolean> {
    const gone = new Map<number, Left>();
    const objects = [...found.keys()].sort();
    for (const [done, object] of objects.entries()) {
      stage.note(`what ${object} is refused for`);
      stage.progress(done, objects.length, "objects");
      const refusals = found.get(object) ?? [];
      const units = await blamed(this.#units, this.#in, { refusals, relevant: this.#relevantTo(object) }, async (choice) =>
        this.#objects.tryOut(object, this.#overlay(choice)),
      );
      for (const [index, reasons] of units) {
        const known = gone.get(index);
        gone.set(index, { reasons: [...(known?.reasons ?? []), ...reasons.map(reasonOf)], with: [] });
      }
    }
    return this.#leave(gone) > 0;
  }

  /** Units in whose files an object has a part. */
  #relevantTo(object: string): number[] {
    const inputs = this.#objects.inputsOf(object);
    const { commands } = this.#kernel;
    const source = commands.objects.includes(object) ? commands.of(object).source : undefined;
    return [...this.#in]
      .sort((a, b) => a - b)
      .filter((index) => {
        const unit = this.#units[index];
        if (unit === undefined || unit.idle) return false;
        return unit.hunks.some(({ path }) =>
          inputs === undefined ? source === undefined || path === source || this.#plan.sees(source, path) : inputs.has(path),
        );
      });
  }

  /** Macros whose numbers change places. */
  #leaveRenumbered(): void {
    for (;;) {
      try {
        checkMacros(this.#changedFiles(), new Set(this.#options.acceptLayouts));
        return;
      } catch (error) {
        const refusal = refusedOr(this.#task, error);
        const { file = "", symbol = "" } = refusal.where;
        const own = this.#unitsOf(file).filter((index) => this.#units[index]?.idle !== true);
        const named = own.filter((index) =>
          this.#units[index]?.hunks.some(({ path, inside }) => path === file && inside.some(({ name }) => name === symbol)),
        );
        if (own.length === 0) throw error;
        const units = named.length > 0 ? named : own;
        this.#leave(new Map(units.map((index) => [index, { reasons: [reasonOf(refusal)], with: [] }])));
      }
    }
  }

  /** Objects that changed headers make otherwise, and that were not looked at yet. */
  async #throughHeaders(stage: Stage): Promise<string[]> {
    const { commands } = this.#kernel;
    const changed = this.#changedFiles().filter(({ path }) => commands.ofSource(path).length === 0 || path.endsWith(".h"));
    if (changed.length === 0) return [];
    const names = new Set<string>();
    const sources = new Set<string>();
    const built = new Set(commands.sources);
    for (const { path } of changed) {
      const hunks = this.#unitsOf(path).flatMap((index) => this.#units[index]?.hunks.filter((hunk) => hunk.path === path) ?? []);
      const own = namesChanged(hunks);
      if (own !== undefined) for (const name of own) names.add(name);
      else for (const source of this.#reaching(path)) if (built.has(source)) sources.add(source);
    }
    stage.note("which files name what headers change");
    this.#headers ??= await HeaderNames.read(this.#task, this.#kernel, stage);
    const closed = await this.#headers.closed(this.#task, names);
    const reached = new Set<string>();
    for (const { path } of changed) for (const source of this.#reaching(path)) if (built.has(source)) reached.add(source);
    for (const source of await sourcesNaming(this.#task, this.#kernel, [...reached].sort(), closed)) sources.add(source);
    const candidates = [...sources]
      .sort()
      .flatMap((source) => commands.ofSource(source))
      .filter((object) => !this.#objects.objects.has(object) && commands.programOf(object) === undefined);
    const differ = await this.#preprocessed.differing(stage, candidates, this.#overlay(this.#in));
    for (const object of differ) {
      const refusal = this.#unfit(object);
      if (refusal === undefined) continue;
      const source = commands.sources.find((path) => commands.ofSource(path).includes(object)) ?? "";
      const units = changed.filter(({ path }) => this.#plan.sees(source, path)).flatMap(({ path }) => this.#unitsOf(path));
      this.#leave(new Map(units.map((index) => [index, { reasons: [reasonOf(refusal)], with: [] }])));
    }
    return differ;
  }

  #reaching(path: string): ReadonlySet<string> {
    return this.#plan.reaching(path);
  }

  /** Assembly, constants for it, linker scripts, and what programs of the build make of headers. @returns whether units were left out */
  async #leaveSteps(stage: Stage): Promise<boolean> {
    const kernel = this.#kernel;
    const task = this.#task;
    const headers = this.#changedFiles()
      .filter(({ path }) => !kernel.commands.sources.includes(path))
      .map(({ path }) => path);
    if (headers.length === 0) return false;
    this.#steps = await stepsReading(kernel, headers, this.#graph);
    const gone = new Map<number, Left>();
    for (const [done, step] of this.#steps.entries()) {
      stage.note(step.output);
      stage.progress(done, this.#steps.length, "steps of the build");
      const before = await this.#preprocessed.originalOf(step, (view) => readBy(task, step, view));
      const refused = async (choice: ReadonlySet<number>): Promise<readonly SutureError[]> => {
        const after = await this.#objects.inView(this.#overlay(choice), (view) => readBy(task, step, view));
        const why = `${step.source === "" ? step.output : step.source} (${step.kind}) reads a header that it changes, and reads it otherwise then`;
        return after !== undefined && after === before
          ? []
          : [fail("PATCH_NOT_C", `${why}: the kernel that runs keeps what was made of the old one`, { file: step.output })];
      };
      const refusals = await refused(this.#in);
      if (refusals.length === 0) continue;
      const relevant = [...new Set(headers.flatMap((path) => this.#unitsOf(path)))].sort((a, b) => a - b);
      for (const [index, reasons] of await blamed(this.#units, this.#in, { refusals, relevant }, refused))
        gone.set(index, { reasons: reasons.map(reasonOf), with: [] });
    }
    return this.#leave(gone) > 0;
  }

  /** What one object leaves out and another needs. @returns whether units were left out */
  async #leaveMissed({ parts }: Finished): Promise<boolean> {
    try {
      refuseMissed(parts);
      return false;
    } catch (error) {
      const refusal = refusedOr(this.#task, error);
      const gone = new Map<number, Left>();
      for (const one of [refusal, ...refusal.others])
        for (const index of suspects(this.#units, this.#relevantTo(one.where.file ?? ""), [one]))
          gone.set(index, { reasons: [reasonOf(one)], with: [] });
      return this.#leave(gone) > 0 || this.#stuck([refusal]);
    }
  }

  async #finish(settled: Finished, predecessor: Predecessor | undefined): Promise<CaughtUp> {
    let finished = settled;
    for (;;) {
      try {
        return await this.#link(finished, predecessor);
      } catch (error) {
        const refusal = refusedOr(this.#task, error);
        const { file = "", symbol } = refusal.where;
        const near = this.#kernel.commands.objects.includes(file) ? this.#relevantTo(file) : [...this.#in].sort((a, b) => a - b);
        const named = symbol === undefined && near.length === this.#in.size ? [] : suspects(this.#units, near, [refusal]);
        if (named.length === 0 || this.#leave(new Map(named.map((index) => [index, { reasons: [reasonOf(refusal)], with: [] }]))) === 0)
          throw error;
        finished = await this.#settle();
      }
    }
  }

  async #link(finished: Finished, predecessor: Predecessor | undefined): Promise<CaughtUp> {
    const task = this.#task;
    const kernel = this.#kernel;
    const report = reportOf(kernel, this.#plan, {
      in: this.#in,
      left: this.#left,
      finished,
      only: this.#options.only,
      inputsOf: (object) => this.#objects.inputsOf(object),
    });
    const parts = finished.parts.filter(({ delta }) => delta.object !== undefined);
    if (!parts.some(({ delta }) => delta.functions.length > 0 || delta.callbacks.length > 0)) return { report, livepatch: undefined };
    const { unproven, acceptLayouts, acceptInits } = this.#options;
    const version = this.#plan.target.version ?? this.#plan.target.release ?? "commits";
    const name = patchName(this.#options.name ?? `catch-up-${version.replace(/[^\w-]+/g, "-")}`.slice(0, 40), [], []);
    const patch = await parseSourcePatch(Buffer.from(this.#patchText(), "latin1"), `${name}.patch`);
    const given: BuildOptions = {
      patches: [patch],
      predecessor,
      name,
      replace: true,
      unproven,
      acceptLayouts,
      acceptInits,
    };
    const options = withPredecessor(given, kernel);
    const account = await this.#options.account?.(report);
    const accounted = account === undefined ? {} : { account };
    return task.stage("link", async (stage) => {
      stage.note("joining what changed");
      const states = [...(options.states ?? [])];
      const combined = combine(finished.parts, { name, replace: true, states, symbolSources: kernel.symbolSources, btf: kernel.btf });
      const draft = await manifestOf(kernel, options, name, {
        parts: finished.parts,
        objects: finished.records,
        notes: [],
        combined,
        authored: undefined,
        states,
      });
      stage.note("ld, modpost, and a look at every relocation");
      const livepatch = await linkLivepatch(task, kernel, combined.object, {
        ...draft,
        catchUp: summaryOf(report, sha256(writeReport(report))),
        ...accounted,
      });
      if (predecessor !== undefined) this.#tellLost(predecessor, livepatch.manifest);
      stage.result(`${livepatch.file}, ${livepatch.bytes.length} bytes`);
      return { report, livepatch };
    });
  }

  #tellLost(predecessor: Predecessor, manifest: Manifest): void {
    for (const [what, names] of Object.entries(lostOf(predecessor, manifest)))
      if (names.length > 0)
        this.#task.reporter.warn(
          `${predecessor.file} has ${what} that this livepatch does not have: ${names.slice(0, LOST_SHOWN).join(", ")}${
            names.length > LOST_SHOWN ? ` and ${names.length - LOST_SHOWN} more` : ""
          }`,
        );
  }

  /** All that is in, as one patch of the kernel's source. */
  #patchText(): string {
    const out: string[] = [];
    for (const { path, before, after } of this.#changedFiles())
      out.push(diffText(path, before?.split(/(?<=\n)/), hunksBetween(before ?? "", after)));
    return out.join("");
  }
}
