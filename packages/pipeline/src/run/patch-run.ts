/**
 * One run of the pipeline over the objects that a fix affects. Each goes through it by itself: compiled, proven, compared; then its builds and its proof
 * are dropped, and what a livepatch is made of is kept: the delta, the places of the kernel's symbols, hashes.
 */

import { type Delta, diff, type Elsewhere } from "@suture/diff";
import { type ElfObject, readElf, writeElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext, ObjectCommand, Overlay, SourceView } from "@suture/kbuild";
import { compile, compileKept, diffOptions, locator, objectDigest, reachOf, refuseUnproven, type Variant } from "@suture/kbuild";
import type { Locate, Owner, Part } from "@suture/livepatch";
import type { ObjectProof } from "@suture/proof";
import { inScratch } from "@suture/sources";
import type { Task } from "@suture/task";
import { checkLayouts, checkVariables, type Holes, variableVanishes } from "@suture/types";
import { fail } from "../errors.ts";
import { checkSealedIn } from "../link/sealed-functions.ts";
import type { Looks } from "../options.ts";
import { BuiltObjects, type Compiled, type Seen } from "./built-objects.ts";
import { type Decision, decisionsOf } from "./decisions.ts";
import { detached } from "./detached.ts";
import { type Moves, movesBetween, type Outline, outlineOf } from "./elsewhere.ts";
import { escapingNotes } from "./escaping-notes.ts";
import { accepts, checkTogether, checkTypes, holdAdded, liveNotes } from "./live.ts";
import { checkMemory } from "./memory.ts";
import { type Asked, forceOf, leftOut } from "./rebuild.ts";
import { RoomViews, recompileWithRoom, type Wide, wantsRoom } from "./recompile-with-room.ts";
import { checkNeeded, checkPrototypes, checkRedirected, redirectNotes, tellOldCalls } from "./redirects.ts";
import { refuseAll, refusedOr } from "./refusals.ts";
import { type StackType, StackTypes, stackNotes } from "./stack-types.ts";
import { checkSuccessors, successorNotes } from "./successors.ts";
import { threadNotes } from "./thread-notes.ts";

/** What changed in an object, and what was to be replaced by itself and is not. */
export interface Compared extends Part {
  delta: Delta;
  notTaken: Delta["notTaken"];
  /** Structures that lie otherwise and live on the stacks of its functions only. */
  stackTypes: readonly StackType[];
}

/** What the module says of an object that it was made of. */
export interface ObjectRecord {
  object: string;
  owner: string;
  /** SHA-256 of the two builds. */
  original: string;
  patched: string;
  proof: ProofRecord;
}

export interface ProofRecord {
  /** Functions that are proven. */
  functions: number;
  /** Why it is not complete. */
  doubt: string | undefined;
}

export interface RunOptions extends Looks {
  /** Where the fix is in place of the kernel's source. */
  view: SourceView;
  overlay: Overlay;
  variant: Variant;
  /** What is replaced by itself, by object. */
  asked: ReadonlyMap<string, Asked>;
  acceptLayouts: ReadonlySet<string>;
  acceptInits: ReadonlySet<string>;
  /** As --accept-data names them. Undefined: functions are replaced, and nothing else of the kernel is changed. */
  acceptData: ReadonlySet<string> | undefined;
  /** Functions that a probe may redirect, as --redirect names them. */
  redirects?: ReadonlySet<string>;
  /** New members that may lie in padding. */
  holes?: Holes;
  /** Whether structures that live on stacks only may lie otherwise: the objects of the run are all that can know them. */
  stackTypes?: boolean;
  unproven: boolean;
  /** Names of the patches, for messages. */
  from: string;
  /** Compilers at a time, and so many objects in memory. */
  jobs: number;
  /** Of whoever calls `object` by itself, and disposes of them. */
  room?: RoomViews;
}

export class PatchRun {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #options: RunOptions;
  readonly #room: RoomViews;
  readonly #outlines = new Map<ObjectCommand, Outline>();
  readonly #records = new Map<ObjectCommand, ObjectRecord>();
  readonly #parts: Compared[] = [];
  /** Notes of objects that are the same. */
  readonly #unchanged: string[] = [];
  #stacks = StackTypes.none;

  constructor(task: Task, kernel: KernelContext, options: RunOptions) {
    this.#task = task;
    this.#kernel = kernel;
    this.#options = options;
    this.#room = options.room ?? new RoomViews(kernel, options.overlay);
  }

  /** @throws BUILD_*, DIFF_*: all refusals in one */
  async run(affected: readonly ObjectCommand[]): Promise<{ parts: readonly Compared[]; objects: readonly ObjectRecord[] }> {
    try {
      return await this.#run(affected);
    } finally {
      await this.#room.dispose();
    }
  }

  async #run(affected: readonly ObjectCommand[]): Promise<{ parts: readonly Compared[]; objects: readonly ObjectRecord[] }> {
    const { jobs, asked, view, variant } = this.#options;
    return inScratch("run", async (folder) => {
      const built = new BuiltObjects(this.#task, this.#kernel, { affected, asked: [...asked.keys()] }, { folder, jobs });
      await built.compile(view, variant, this.#seen);
      if (this.#options.stackTypes === true && variant === "types")
        this.#stacks = await StackTypes.of(this.#task, this.#kernel, built, {
          view,
          accepted: new Set([...this.#options.acceptLayouts, ...(this.#options.holes?.keys() ?? [])]),
        });
      await this.#task.stage("diff", async (stage) => {
        const { moves, refusal } = await this.#moves(built);
        this.#outlines.clear();
        const unproven: SutureError[] = [];
        const refused: SutureError[] = refusal === undefined ? [] : [refusal];
        for (const [done, command] of built.commands.entries()) {
          stage.note(command.object);
          stage.progress(done, built.commands.length, "objects");
          await this.#task.pause();
          try {
            await this.object(await built.open(command), moves);
          } catch (error) {
            const one = refusedOr(this.#task, error);
            (one.code === "BUILD_UNPROVEN" ? unproven : refused).push(one);
          }
          await built.drop(command);
        }
        const refusals = [...unproven, ...refused];
        if (refusals.length > 0) throw refuseAll(refusals);
        holdAdded(this.#parts, this.#parts);
        this.#tell();
        this.#refuseNothing();
        refuseMissed(this.#parts);
        checkTogether(this.#parts, this.#options.acceptData ?? new Set());
        const redirects = this.#options.redirects ?? new Set();
        checkRedirected(this.#parts, redirects);
        checkNeeded(this.#parts, redirects);
        const functions = this.#parts.flatMap(({ delta }) => [
          ...delta.functions.map(({ name }) => name),
          ...delta.redirects.map((one) => one.function),
        ]);
        const callbacks = this.#parts.reduce((sum, { delta }) => sum + delta.callbacks.length, 0);
        const changed = functions.length === 0 ? "0 changed" : `${functions.length} changed: ${functions.join(", ")}`.slice(0, 200);
        stage.result(callbacks === 0 ? changed : `${changed}; ${callbacks} callbacks`);
      });
      return { parts: this.#parts, objects: built.commands.flatMap((command) => this.#records.get(command) ?? []) };
    });
  }

  readonly #seen: Seen = async ({ command, original, patched }) => {
    await this.#options.observe?.({ object: command.object, original, patched: patched ?? original });
    if (patched === undefined) return;
    this.#outlines.set(command, outlineOf(command, readElf(original, command.object), readElf(patched, command.object)));
  };

  /** What is refused of all objects together is told beside what is refused of each: without the moves none is compared. */
  async #moves(built: BuiltObjects): Promise<{ moves: Moves | undefined; refusal: SutureError | undefined }> {
    try {
      const outlines = built.commands.flatMap((command) => this.#outlines.get(command) ?? []);
      return { moves: await movesBetween(this.#task, this.#kernel, built, outlines, this.#options), refusal: undefined };
    } catch (error) {
      return { moves: undefined, refusal: refusedOr(this.#task, error) };
    }
  }

  /** What the objects that went through `object` became. */
  get parts(): readonly Compared[] {
    return this.#parts;
  }

  recordOf(command: ObjectCommand): ObjectRecord | undefined {
    return this.#records.get(command);
  }

  /** Of objects of which nothing is taken. */
  get unchanged(): readonly string[] {
    return this.#unchanged;
  }

  /** One object on its way: nothing of it is held afterwards but what the livepatch is made of. @throws BUILD_*, DIFF_* */
  async object(compiled: Compiled, moves: Moves | undefined): Promise<void> {
    const { command, original, patched, proof } = compiled;
    const { object } = command;
    const kernel = this.#kernel;
    this.#records.set(command, {
      object,
      owner: command.owner,
      original: objectDigest(original.bytes, object),
      patched: objectDigest(patched, object),
      proof: recordOf(proof),
    });
    this.#checkProof(proof);
    if (moves === undefined) return;
    const wanted = this.#options.asked.get(object) ?? new Set();
    const owner = await kernel.owner(this.#task, command.owner);
    const asked = forceOf(wanted, proof);
    const known = forceOf("all", proof);
    const force = (name: string): boolean => asked(name) || (this.#stacks.isHolder(object, name) && known(name));
    const { delta, through } = await this.#compare(compiled, owner, force, moves.of(object));
    this.#stacks.check(object, delta);
    delta.notes.push(...(moves.notes.get(object) ?? []));
    const notTaken = leftOut(object, wanted, proof, delta);
    if (delta.object === undefined && [delta.skipped, delta.exposed, delta.missed, notTaken].every((list) => list.length === 0)) {
      this.#unchanged.push(...delta.notes);
      await this.#decided(object, delta, decisionsOf(object, delta, notTaken, locator(proof, owner)));
      return;
    }
    if (command.owner !== "vmlinux")
      await kernel.openExporters(
        this.#task,
        delta.externals.map(({ symbol }) => symbol.name),
      );
    const own = through(locator(proof, owner));
    const locate: Locate = (symbol) => moves.place(symbol) ?? own(symbol);
    const module = command.owner === "vmlinux" ? undefined : await kernel.module(this.#task, command.owner);
    checkMemory(kernel, module, { object, owner, delta, locate });
    await this.#decided(object, delta, decisionsOf(object, delta, notTaken, locate));
    await checkSealedIn(this.#task, kernel, { object, owner, delta, locate });
    const stackTypes = this.#stacks.recordsOf(object, owner.name);
    this.#parts.push({ object, notTaken, stackTypes, ...detached(delta, locate, owner, object) });
  }

  async #decided(object: string, { object: changed }: Delta, decisions: readonly Decision[]): Promise<void> {
    await this.#options.decided?.({ object, decisions, delta: changed === undefined ? undefined : () => writeElf(changed) });
  }

  /** @throws BUILD_UNPROVEN */
  #checkProof(proof: ObjectProof): void {
    if (proof.complete) return;
    const refusal = refuseUnproven(proof);
    if (!this.#options.unproven) throw refusal;
    this.#task.reporter.warn(`${proof.object} is NOT PROVEN to be what the kernel runs: ${refusal.message}`);
  }

  #tell(): void {
    for (const { delta, stackTypes } of this.#parts)
      delta.notes.push(
        ...stackNotes(stackTypes),
        ...successorNotes(delta.successors),
        ...liveNotes(delta.live),
        ...redirectNotes(delta.redirects),
        ...threadNotes(delta.threads),
        ...escapingNotes(delta.handed),
      );
    tellOldCalls(this.#parts);
    for (const { object, delta } of this.#parts) for (const note of delta.notes) this.#task.reporter.warn(`${object}: ${note}`);
  }

  /** @throws BUILD_NOTHING_CHANGED, BUILD_NOT_AT_RUN_TIME, BUILD_REBUILD */
  #refuseNothing(): void {
    const parts = this.#parts;
    const { from } = this.#options;
    if (parts.some(({ delta }) => delta.functions.length + delta.callbacks.length + delta.live.length + delta.redirects.length > 0)) return;
    const notTaken = parts.flatMap((part) => part.notTaken);
    if (notTaken.length > 0)
      throw fail("BUILD_REBUILD", `nothing can be replaced: ${notTaken.map(({ name, why }) => `${name} ${why}`).join("; ")}`, {
        file: from,
      });
    const skipped = parts.flatMap(({ delta }) => delta.skipped);
    if (skipped.length > 0)
      throw fail("BUILD_NOT_AT_RUN_TIME", skipped.map(({ name, why }) => `${name} ${why}`).join("; "), { file: from });
    const same = `${[...this.#records.values()].map(({ object }) => object).join(", ")}: the code is the same`;
    throw fail("BUILD_NOTHING_CHANGED", [same, ...this.#unchanged].join("; "), { file: from });
  }

  /**
   * A variable that is in the original only may be one that only its initial value is left of. Which of them the source still has, the types tell,
   * which are not written where a fix changes nothing but statements.
   */
  async #checkVanished(command: ObjectCommand, before: ElfObject, after: ElfObject): Promise<string[]> {
    if (!variableVanishes(before, after)) return [];
    const kernel = this.#kernel;
    const { object } = command;
    const { view, acceptLayouts } = this.#options;
    const original = await compileKept(this.#task, command, "types", kernel.original, kernel.tools);
    const patched = await compile(this.#task, command, "types", view);
    return checkVariables(readElf(original.bytes, object), readElf(patched.bytes, object), [], acceptLayouts);
  }

  /** @returns `through`: how symbols of the original that was compared are located by those of the one that is proven */
  async #compare(
    { command, original, patched, proof }: Compiled,
    owner: Owner,
    force: (name: string) => boolean,
    elsewhere: ReadonlyMap<string, Elsewhere>,
  ): Promise<{ delta: Delta; through: (locate: Locate) => Locate }> {
    const kernel = this.#kernel;
    const { variant, acceptLayouts: accepted, acceptInits, acceptData: data, redirects, overlay, holes } = this.#options;
    const before = original.elf;
    const after = readElf(patched, command.object);
    const acceptInit = (name: string): boolean => acceptInits.has(name);
    const acceptData = data === undefined ? undefined : accepts(data, command.object);
    const options = {
      ...diffOptions(kernel, command, owner),
      force,
      acceptInit,
      acceptData,
      acceptRedirect: redirects === undefined || redirects.size === 0 ? undefined : accepts(redirects, command.object),
      acceptsNothing: data?.size === 0,
      reach: reachOf(proof),
      elsewhere,
    };
    const differ: string[] = [];
    try {
      differ.push(...checkLayouts(before, after, accepted, { stacks: this.#stacks, ...(holes === undefined ? {} : { holes }) }));
      if (variant !== "types") differ.push(...(await this.#checkVanished(command, before, after)));
    } catch (error) {
      throw refuseAll([refusedOr(this.#task, error), ...this.#refusedBesides(() => diff(before, after, options))]);
    }
    const compared = (one: ElfObject, other: ElfObject): Delta => {
      const delta = diff(one, other, options);
      checkTypes(one, command.object, delta);
      checkSuccessors(one, other, command.object, delta);
      checkPrototypes(one, other, command.object, delta);
      delta.notes.push(...differ, ...checkVariables(one, other, delta.externals, accepted));
      return delta;
    };
    const codes = new Set<string>();
    let without: Delta | undefined;
    try {
      const delta = compared(before, after);
      without = delta;
      // Of functions that are replaced by themselves those that cannot be are left out.
      for (const { code } of delta.notTaken) if (wantsRoom(code)) codes.add(code);
      if (codes.size === 0) return { delta, through: (locate) => locate };
    } catch (error) {
      const refusal = refusedOr(this.#task, error);
      if (!wantsRoom(refusal.code)) throw refuseAll(lasting(refusal));
      codes.add(refusal.code);
    }
    let wide: Wide | undefined;
    try {
      wide = await recompileWithRoom(this.#task, kernel, command, codes, { overlay, views: this.#room }, before, variant);
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "BUILD_WIDE" || without === undefined) throw error;
    }
    if (wide === undefined) return { delta: without ?? compared(before, after), through: (locate) => locate };
    const delta = compared(wide.original, wide.patched);
    delta.notes.push(...wide.notes);
    return { delta, through: wide.locateBy };
  }

  #refusedBesides(compare: () => Delta): SutureError[] {
    try {
      compare();
      return [];
    } catch (error) {
      return lasting(refusedOr(this.#task, error));
    }
  }
}

/** What stays refused when the object is compiled with room. */
function lasting(refusal: SutureError): SutureError[] {
  const all = refusal.others.length === 0 ? [refusal] : refusal.all;
  return all.filter(({ code }) => !wantsRoom(code));
}

/** What one object leaves out may be what another's carried code needs. @throws DIFF_LEFT_OUT */
export function refuseMissed(parts: readonly Compared[]): void {
  const added = new Set(parts.flatMap(({ delta }) => delta.added.map(({ name }) => name)));
  const missed = parts.flatMap(({ delta }) => [
    ...delta.missed,
    ...[...delta.outward].flatMap(([name, error]) => (added.has(name) ? [error] : [])),
  ]);
  if (missed.length > 0) throw refuseAll(missed);
}

export function recordOf(proof: ObjectProof): ProofRecord {
  return {
    functions: proof.functions.filter(({ proven }) => proven).length,
    doubt: proof.complete ? undefined : refuseUnproven(proof).message,
  };
}
