/**
 * One livepatch of all that a newer release has and a livepatch can carry. All units go in at first; what is refused is traced to the units that bring
 * it, and those are left out with all that depends on them, until nothing is refused. Each round begins with one choice of units and ends with a smaller
 * one, so that it ends; and it looks at objects in their order, so that the outcome is the same whenever and wherever it is done.
 */
import { availableParallelism } from "node:os";
import type { SutureError } from "@suture/errors";
import type { KernelContext, ObjectCommand } from "@suture/kbuild";
import type { AccountSummary, CatchUpReport } from "@suture/protocol";
import { inParallel, type Stage, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { type Hole, holesByType } from "../hole/carry.ts";
import type { Livepatch } from "../link/livepatch.ts";
import type { Predecessor } from "../options.ts";
import { checkMacros } from "../patch/macros.ts";
import { catchUpBefore } from "../predecessor.ts";
import { refusedOr } from "../run/refusals.ts";
import { blamed, blamedOfMany, type Refused, suspects } from "./blame.ts";
import { type Asked, Choice, functionsRead } from "./choice.ts";
import { ChosenSource } from "./chosen-source.ts";
import { ChosenView } from "./chosen-view.ts";
import { linkRelease } from "./link.ts";
import { NamedBetween } from "./named-between.ts";
import { OtherReaders } from "./other-readers.ts";
import { PreprocessedObjects } from "./preprocessed-objects.ts";
import { probes } from "./probes.ts";
import { Reached } from "./reached.ts";
import { reasonOf } from "./reasons.ts";
import { type Finished, ReleaseObjects } from "./release-objects.ts";
import { reportOf } from "./report.ts";
import { unfit } from "./unfit.ts";
import type { Left, Plan, Unit } from "./units.ts";
import { type AskedWords, checkHoles, checkParts, holesIn, tellWords, type Words, wordsOf } from "./words.ts";

export interface CatchUpOptions extends Asked, AskedWords {
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
  const predecessor = options.predecessor === undefined ? undefined : catchUpBefore(options.predecessor, kernel);
  const words = wordsOf(kernel, options);
  const choice = new Choice(plan, options);
  const source = new ChosenSource(plan, choice.in);
  checkHoles(source.changed(choice.in), words);
  const overlay = source.overlay(choice.in);
  const view = await ChosenView.make(task, kernel, overlay);
  const jobs = options.jobs ?? availableParallelism();
  const { acceptLayouts, acceptInits, unproven } = options;
  const named = new NamedBetween(task, kernel, plan.graph);
  const objects = new ReleaseObjects(
    task,
    kernel,
    { own: view, named },
    {
      acceptLayouts: new Set(acceptLayouts),
      acceptInits: new Set(acceptInits),
      acceptData: options.plain === true ? undefined : words.data,
      redirects: words.redirects,
      holes: holesByType([...words.holes].map(memberOf)),
      acceptThreads: functionsRead(plan.units, options.acceptDoubt),
      unproven,
      from: `catch-up to ${plan.target.version ?? "commits"}`,
      jobs,
    },
  );
  try {
    const layoutsHold = acceptLayouts.length + words.holes.size === 0;
    const preprocessed = new PreprocessedObjects(task, kernel, view.view, { jobs, layoutsHold });
    const others = new OtherReaders(task, kernel, { graph: plan.graph, units: plan.units, source });
    const reached = new Reached(kernel, { plan, source, preprocessed, named });
    choice.leave(await others.refused(choice));
    return await new Rounds(task, kernel, {
      plan,
      choice,
      source,
      objects,
      preprocessed,
      others,
      reached,
      predecessor,
      words,
      options,
      jobs,
    }).run();
  } finally {
    await objects.dispose();
  }
}

interface Parts {
  plan: Plan;
  choice: Choice;
  source: ChosenSource;
  objects: ReleaseObjects;
  preprocessed: PreprocessedObjects;
  others: OtherReaders;
  reached: Reached;
  /** As `options` name it, without what the newer release has already. */
  predecessor: Predecessor | undefined;
  words: Words;
  options: CatchUpOptions;
  jobs: number;
}

class Rounds {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #units: readonly Unit[];
  readonly #parts: Parts;
  #holes: readonly Hole[] = [];
  #count = 0;

  constructor(task: Task, kernel: KernelContext, parts: Parts) {
    this.#task = task;
    this.#kernel = kernel;
    this.#units = parts.plan.units;
    this.#parts = parts;
  }

  async run(): Promise<CaughtUp> {
    for (;;) {
      const finished = await this.#settle();
      try {
        return await this.#link(finished);
      } catch (error) {
        if (!this.#leaveUnlinked(refusedOr(this.#task, error))) throw error;
        this.#parts.objects.forgetParts();
      }
    }
  }

  /** Round by round, until nothing is refused. */
  async #settle(): Promise<Finished> {
    const { choice, objects } = this.#parts;
    for (;;) {
      const finished = await this.#task.stage(`round ${++this.#count}`, async (stage) => {
        const before = new Set(choice.left.keys());
        const found = await this.#round(stage);
        const told = `${objects.objects.size} objects; ${choice.in.size} units are in, ${this.#units.length - choice.in.size} are not`;
        stage.result(`${told}${found === undefined ? this.#leftSince(before) : "; nothing is refused"}`);
        return found;
      });
      if (finished !== undefined) return finished;
    }
  }

  /** For what units were left out, the most frequent first. */
  #leftSince(before: ReadonlySet<number>): string {
    const counts = new Map<string, number>();
    for (const [index, { reasons }] of this.#parts.choice.left) {
      const [{ code } = { code: "" }] = reasons;
      if (!before.has(index)) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    const sorted = [...counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
    return sorted.length === 0 ? "" : `; left out now: ${sorted.map(([code, count]) => `${code} ${count}`).join(", ")}`;
  }

  /** @returns what the livepatch is made of, where nothing was refused and nothing new came up */
  async #round(stage: Stage): Promise<Finished | undefined> {
    const { plan, choice, source, objects, preprocessed, others, reached } = this.#parts;
    this.#leaveRenumbered();
    if (await this.#leaveRefused(stage, probes(this.#kernel, plan, choice, reached.headers(choice)))) return undefined;
    const direct = source.changed(choice.in).flatMap(({ path }) => this.#kernel.commands.ofSource(path));
    if (await this.#leaveRefused(stage, direct)) return undefined;
    const through = await reached.objects(stage, choice, objects.objects);
    if (through.length > 0) {
      for (const object of through) {
        const refusal = unfit(this.#task, this.#kernel, object);
        if (refusal !== undefined) choice.leave(each(reached.unitsFor(object, choice), refusal));
      }
      await this.#leaveRefused(stage, through);
      return undefined;
    }
    const steps = await others.refusedSteps(stage, choice, {
      preprocessed,
      reading: (units, read) => objects.inView(source.overlay(units), read),
    });
    if (choice.leave(steps) > 0 || (await this.#leaveHoles())) return undefined;
    // What goes in is made of just these texts, and the outcome is the same however the rounds went.
    const exact = await objects.lookAtAll(stage);
    if (exact.size > 0) return (await this.#leaveBlamed(stage, exact)) ? undefined : stuck([...exact.values()].flat());
    const { finished, refusals } = await objects.finish(stage);
    if (refusals.size > 0) return (await this.#leaveBlamed(stage, refusals)) ? undefined : stuck([...refusals.values()].flat());
    return this.#leaveMissed(finished) ? undefined : finished;
  }

  /** @returns whether units were left out */
  async #leaveRefused(stage: Stage, added: readonly string[]): Promise<boolean> {
    const { choice, source, objects } = this.#parts;
    const commands: ObjectCommand[] = [];
    for (const object of [...new Set(added)].sort())
      if (unfit(this.#task, this.#kernel, object) === undefined) commands.push(this.#kernel.commands.of(object));
    const found = await objects.look(stage, source.overlay(choice.in), commands);
    if (found.size === 0) return false;
    return (await this.#leaveBlamed(stage, found)) || stuck([...found.values()].flat());
  }

  /**
   * What many objects are refused for first, then object by object. Where units were left out that an object has a part in, it is looked at anew: they
   * may be all that it was refused for.
   * @returns whether units were left out
   */
  async #leaveBlamed(stage: Stage, found: ReadonlyMap<string, readonly SutureError[]>): Promise<boolean> {
    const { choice, source, objects, jobs } = this.#parts;
    const before = choice.in.size;
    const unknown = await this.#leaveUnknown(stage, found);
    const tryOut = async (object: string, units: ReadonlySet<number>): Promise<readonly SutureError[]> =>
      objects.tryOut(object, source.overlay(units));
    const refused = (object: string, refusals: readonly SutureError[]): Refused[] =>
      refusals.length === 0 ? [] : [{ object, relevant: this.#relevantTo(object), refusals }];
    const isAsItWas = ({ relevant }: Refused): boolean => choice.among(relevant).length === relevant.length;
    const others = [...found.keys()].filter((object) => !unknown.has(object));
    let waiting = others.sort().flatMap((object) => refused(object, found.get(object) ?? []));
    const ofMany = async (object: string, units: ReadonlySet<number>): Promise<readonly SutureError[]> => {
      stage.note(`what many objects are refused for: ${object}`);
      return tryOut(object, units);
    };
    leave(choice, await blamedOfMany(this.#units, choice.in, waiting, ofMany, jobs));
    while (waiting.length > 0) {
      const again: Refused[] = [];
      for (let done = 0; done < waiting.length; ) {
        const next: Refused[] = [];
        for (; done < waiting.length && next.length < jobs; done++) {
          const one = waiting[done] as Refused;
          (isAsItWas(one) ? next : again).push(one);
        }
        if (next.length === 0) continue;
        stage.note(`what ${next.map(({ object }) => object).join(" and ")} ${next.length === 1 ? "is" : "are"} refused for`);
        stage.progress(done, waiting.length, "objects");
        const there = new Set(choice.in);
        const faults = await inParallel(next, jobs, async (one) =>
          blamed(this.#units, there, one, async (units) => tryOut(one.object, units)),
        );
        for (const [at, one] of next.entries())
          if (isAsItWas(one)) leave(choice, faults[at] ?? new Map());
          else again.push(one);
      }
      const there = new Set(choice.in);
      waiting = (
        await inParallel(again, jobs, async ({ object }) => {
          stage.note(`${object} without what was left out`);
          return refused(object, await tryOut(object, there));
        })
      ).flat();
    }
    return choice.in.size < before;
  }

  /**
   * Objects of which nothing can be said whatever goes in, since they do not compile without any change either, or are not what the kernel runs: what
   * changes what they name.
   * @returns those objects, which are not looked at any more
   */
  async #leaveUnknown(stage: Stage, found: ReadonlyMap<string, readonly SutureError[]>): Promise<ReadonlySet<string>> {
    const { choice, objects, reached } = this.#parts;
    const unknown = new Set<string>();
    for (const object of [...found.keys()].sort()) {
      const refusal = await this.#whateverGoesIn(object, found.get(object) ?? []);
      if (refusal === undefined || choice.leave(each(await reached.unitsNamed(stage, object, choice), refusal)) === 0) continue;
      objects.forget(object);
      unknown.add(object);
    }
    return unknown;
  }

  /** What an object is refused for without any unit, of what it is refused for. */
  async #whateverGoesIn(object: string, refusals: readonly SutureError[]): Promise<SutureError | undefined> {
    const unproven = refusals.find(({ code, where }) => code === "BUILD_UNPROVEN" && where.file === object);
    if (unproven !== undefined || !refusals.some(({ code }) => code === "BUILD_COMPILE")) return unproven;
    const refusal = await this.#parts.objects.uncompiled(object);
    if (refusal === undefined) return undefined;
    const { where, message } = refusal;
    return fail("CATCHUP_UNCOMPILED", `${where.file ?? object} does not compile as it is: ${message}`, where);
  }

  /** Units in whose files an object has a part. */
  #relevantTo(object: string): number[] {
    const { choice, objects, plan } = this.#parts;
    const inputs = objects.inputsOf(object);
    const { commands } = this.#kernel;
    const source = commands.objects.includes(object) ? commands.of(object).source : undefined;
    return [...choice.in]
      .sort((a, b) => a - b)
      .filter((index) => {
        const unit = this.#units[index];
        if (unit === undefined || unit.idle) return false;
        return unit.hunks.some(({ path }) =>
          inputs === undefined ? source === undefined || path === source || plan.sees(source, path) : inputs.has(path),
        );
      });
  }

  /** Macros whose numbers change places. */
  #leaveRenumbered(): void {
    const { choice, source, options } = this.#parts;
    for (;;) {
      try {
        checkMacros(source.changed(choice.in), new Set(options.acceptLayouts));
        return;
      } catch (error) {
        const refusal = refusedOr(this.#task, error);
        const { file = "", symbol = "" } = refusal.where;
        const own = choice.among(source.unitsOf(file)).filter((index) => this.#units[index]?.idle !== true);
        const named = own.filter((index) =>
          this.#units[index]?.hunks.some(({ path, inside }) => path === file && inside.some(({ name }) => name === symbol)),
        );
        if (own.length === 0) throw error;
        choice.leave(each(named.length > 0 ? named : own, refusal));
      }
    }
  }

  /** Members that lie in padding, where something of that is not as it has to be. @returns whether units were left out */
  async #leaveHoles(): Promise<boolean> {
    const { choice, source, words } = this.#parts;
    const { found, refused } = await holesIn(this.#task, this.#kernel, source.changed(choice.in), words);
    this.#holes = found;
    let isLeft = false;
    for (const { refusal, type, members } of refused) {
      const why = refusedOr(this.#task, refusal);
      const bringing = [...choice.in].filter((index) =>
        this.#units[index]?.hunks.some(({ inside }) =>
          inside.some(({ kind, name, of = [] }) => kind === "member" && members.has(name) && of.includes(type)),
        ),
      );
      if (choice.leave(each(bringing, why)) === 0) throw why;
      isLeft = true;
    }
    return isLeft;
  }

  /** What is refused of objects together: what one leaves out and another needs. @returns whether units were left out */
  #leaveMissed({ parts }: Finished): boolean {
    try {
      checkParts(parts, this.#parts.words);
      return false;
    } catch (error) {
      const refusal = refusedOr(this.#task, error);
      const gone = new Map<number, Left>();
      for (const one of [refusal, ...refusal.others])
        for (const [index, left] of each(suspects(this.#units, this.#relevantTo(one.where.file ?? ""), [one]), one)) gone.set(index, left);
      return this.#parts.choice.leave(gone) > 0 || stuck([refusal]);
    }
  }

  /** What the linked module is refused for. @returns whether units were left out */
  #leaveUnlinked(refusal: SutureError): boolean {
    const { choice } = this.#parts;
    const { file = "", symbol } = refusal.where;
    const near = this.#kernel.commands.objects.includes(file) ? this.#relevantTo(file) : [...choice.in].sort((a, b) => a - b);
    const named = symbol === undefined && near.length === choice.in.size ? [] : suspects(this.#units, near, [refusal]);
    return choice.leave(each(named, refusal)) > 0;
  }

  async #link(finished: Finished): Promise<CaughtUp> {
    const { plan, choice, source, objects, predecessor, words, options } = this.#parts;
    const inputsOf = (object: string): ReadonlySet<string> | undefined => objects.inputsOf(object);
    const report = await reportOf(this.#kernel, plan, { in: choice.in, left: choice.left, finished, only: options.only, inputsOf });
    tellWords(this.#task, finished.parts, this.#holes, words);
    const version = plan.target.version ?? plan.target.release ?? "commits";
    const livepatch = await linkRelease(this.#task, this.#kernel, finished, report, {
      name: options.name ?? `catch-up-${version.replace(/[^\w-]+/g, "-")}`.slice(0, 40),
      patchText: source.patchText(choice.in),
      predecessor,
      holes: this.#holes,
      acceptLayouts: options.acceptLayouts,
      acceptInits: options.acceptInits,
      plain: options.plain === true,
      unproven: options.unproven,
      account: options.account,
    });
    return { report, livepatch };
  }
}

function memberOf(word: string): { type: string; name: string } {
  const [type = "", name = ""] = word.split(".");
  return { type, name };
}

function leave(choice: Choice, faults: ReadonlyMap<number, readonly SutureError[]>): void {
  choice.leave(new Map([...faults].map(([index, refusals]): [number, Left] => [index, { reasons: refusals.map(reasonOf), with: [] }])));
}

function each(units: readonly number[], refusal: SutureError): Map<number, Left> {
  return new Map(units.map((index) => [index, { reasons: [reasonOf(refusal)], with: [] }]));
}

function stuck(refusals: readonly SutureError[]): never {
  const [first, ...others] = refusals;
  if (first === undefined) throw new Error("nothing is refused, and yet it does not go on");
  throw first.with(others);
}
