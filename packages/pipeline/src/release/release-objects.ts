/**
 * The objects that a release's difference reaches, as they become with a choice of its units: each is compiled, proven and compared again only where a
 * file that it is made of has another text than the last time. What was compiled is kept by content, and so is what was refused: a run that was
 * killed goes on where it was, and the next release on the same base compiles what is new.
 */
import { basename, join } from "node:path";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { keepJson, readKept, sha256 } from "@suture/files";
import {
  compileKept,
  type KernelContext,
  keyOf,
  type ObjectCommand,
  type Overlay,
  proveOriginal,
  type SourceView,
  type Variant,
} from "@suture/kbuild";
import { inParallel, type Stage, type Task } from "@suture/task";
import type { Holes } from "@suture/types";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { OwnTexts } from "../own-text.ts";
import type { Compiled } from "../run/built-objects.ts";
import { type Builds, type Moves, movesBetween, type Outline, outlineOf } from "../run/elsewhere.ts";
import { type Compared, type ObjectRecord, PatchRun } from "../run/patch-run.ts";
import { refusedOr } from "../run/refusals.ts";
import { sourceNames } from "./blame.ts";
import type { ChosenView } from "./chosen-view.ts";
import { codeIdentity } from "./code-identity.ts";
import { between, type NamedBetween } from "./named-between.ts";

/** Types may differ anywhere in a release: all objects are compiled with them. */
const VARIANT: Variant = "types";

export interface ReleaseOptions {
  acceptLayouts: ReadonlySet<string>;
  acceptInits: ReadonlySet<string>;
  acceptData: ReadonlySet<string> | undefined;
  /** See RunOptions. */
  redirects: ReadonlySet<string>;
  holes: Holes;
  /** Functions that go in though kernel threads are begun with them. */
  acceptThreads: ReadonlySet<string>;
  unproven: boolean;
  /** Names what is built, for messages. */
  from: string;
  jobs: number;
}

interface State {
  command: ObjectCommand;
  /** What its compiler read; undefined where it did not compile. */
  inputs: ReadonlySet<string> | undefined;
  /** What it was compiled of the last time. */
  overlay: Overlay | undefined;
  /** Of its patched build. */
  digest: string | undefined;
  outline: Outline | undefined;
  /** What was compared: its build, and what other objects have of it. */
  compared: string | undefined;
  refusals: readonly SutureError[];
  part: Compared | undefined;
  record: ObjectRecord | undefined;
  notes: readonly string[];
}

/** Of one owner's objects. */
interface Moved {
  key: string;
  moves: Moves | undefined;
  refusal: SutureError | undefined;
}

export interface Finished {
  parts: readonly Compared[];
  records: readonly ObjectRecord[];
}

const WHERE = v.object({
  file: v.optional(v.string()),
  section: v.optional(v.string()),
  symbol: v.optional(v.string()),
  offset: v.optional(v.number()),
});
/** By object. */
export type Refusals = ReadonlyMap<string, readonly SutureError[]>;

const VERDICT = v.object({
  refusals: v.array(v.object({ code: v.string(), why: v.string(), where: WHERE, mend: v.string() })),
});

export class ReleaseObjects {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #options: ReleaseOptions;
  readonly #states = new Map<string, State>();
  readonly #moved = new Map<string, Moved>();
  /** Of files that objects are made of: most are in a thousand of them. */
  readonly #paths = new OwnTexts();
  /** Of the choice that is looked at. */
  readonly #own: ChosenView;
  readonly #named: NamedBetween;
  /** For other choices, as many as are tried at a time. */
  readonly #others: ChosenView[] = [];

  /** @param own of all files that any choice of units changes */
  constructor(task: Task, kernel: KernelContext, { own, named }: { own: ChosenView; named: NamedBetween }, options: ReleaseOptions) {
    this.#task = task;
    this.#kernel = kernel;
    this.#options = options;
    this.#own = own;
    this.#named = named;
  }

  async dispose(): Promise<void> {
    await this.#own.dispose();
    for (const other of this.#others.splice(0)) await other.dispose();
  }

  get objects(): ReadonlySet<string> {
    return new Set(this.#states.keys());
  }

  /** What an object was made of the last time that it compiled. */
  inputsOf(object: string): ReadonlySet<string> | undefined {
    return this.#states.get(object)?.inputs;
  }

  /**
   * Of objects that are not refused anything, those alone that name what headers have otherwise since.
   * @param overlay texts of the files that differ
   * @param added objects to be looked at from now on
   * @returns what is refused, by object
   */
  async look(stage: Stage, overlay: Overlay, added: readonly ObjectCommand[] = []): Promise<Refusals> {
    await this.#own.show(overlay);
    for (const command of added) if (!this.#states.has(command.object)) this.#states.set(command.object, emptyState(command));
    return this.#lookAt(stage, await this.#namingChanges(stage, this.#reading(overlay)));
  }

  /** All that read a file that is another, whatever they name of it. */
  async lookAtAll(stage: Stage): Promise<Refusals> {
    return this.#lookAt(stage, this.#reading(this.#own.overlay));
  }

  get #sorted(): State[] {
    return [...this.#states.values()].sort((a, b) => (a.command.object < b.command.object ? -1 : 1));
  }

  /** Those that were made of another text of one of their files. */
  #reading(overlay: Overlay): State[] {
    const names = new Map<Overlay, ReadonlySet<string>>();
    return this.#sorted.filter(({ inputs, digest, overlay: before }) => {
      if (digest === undefined || inputs === undefined || before === undefined) return true;
      // By their last names: a header that comes or goes may stand in the way to one of its name, which the content decides.
      const changed = names.get(before) ?? new Set(between(before, overlay).map((path) => basename(path)));
      names.set(before, changed);
      return changed.size > 0 && [...inputs].some((path) => changed.has(basename(path)));
    });
  }

  async #namingChanges(stage: Stage, states: readonly State[]): Promise<State[]> {
    const now = this.#own.overlay;
    const found = new Set<State>();
    const asked = new Map<Overlay, State[]>();
    for (const state of states) {
      const { command, overlay, digest, refusals } = state;
      const known = overlay !== undefined && digest !== undefined && refusals.length === 0;
      if (known && overlay.get(command.source) === now.get(command.source)) asked.set(overlay, [...(asked.get(overlay) ?? []), state]);
      else found.add(state);
    }
    for (const [before, same] of asked) {
      const sources = new Set(same.map(({ command }) => command.source));
      const read = new Set(same.flatMap(({ inputs }) => [...(inputs ?? [])].map((path) => basename(path))));
      const headers = between(before, now).filter((path) => !path.endsWith(".c") || read.has(basename(path)));
      // Of layouts too: types are compared, also of what names none of their members.
      const naming = new Set(await this.#named.sources(stage, { before, now, headers, layoutsHold: false }, sources));
      for (const state of same) if (naming.has(state.command.source)) found.add(state);
    }
    return states.filter((state) => found.has(state));
  }

  async #lookAt(stage: Stage, dirty: readonly State[]): Promise<Refusals> {
    const states = this.#sorted;
    let done = 0;
    await inParallel(dirty, this.#options.jobs, async (state) => {
      stage.note(`compiling ${state.command.object}`);
      await this.#compile(state, this.#own);
      stage.progress(++done, dirty.length, "objects");
    });
    const found = new Map<string, SutureError[]>();
    const refuse = (object: string, refusals: readonly SutureError[]): void => {
      if (refusals.length > 0) found.set(object, [...(found.get(object) ?? []), ...refusals]);
    };
    const owners = new Map<string, State[]>();
    for (const state of states) {
      const { owner } = state.command;
      owners.set(owner, [...(owners.get(owner) ?? []), state]);
    }
    const moves = await inParallel([...owners], this.#options.jobs, async ([owner, own]) => {
      stage.note(`what moves between the objects of ${owner}`);
      return { owner, own, moved: await this.#moves(owner, own) };
    });
    for (const { owner, own, moved } of moves)
      if (moved.refusal !== undefined) refuse(moved.refusal.where.file ?? own[0]?.command.object ?? owner, [moved.refusal]);
    const waiting = states.filter((state) => this.#keyOf(state) !== state.compared);
    for (const [at, state] of waiting.entries()) {
      stage.note(`comparing ${state.command.object}`);
      stage.progress(at, waiting.length, "objects");
      await this.#task.pause();
      await this.#compare(state, this.#own, false);
    }
    for (const { command, refusals } of states) refuse(command.object, refusals);
    return found;
  }

  /** One object with another choice of units, and nothing kept of it but what was compiled. @returns what is refused */
  async tryOut(object: string, overlay: Overlay): Promise<readonly SutureError[]> {
    const state = this.#states.get(object);
    if (state === undefined) return [];
    return this.#elsewhere(overlay, async (at) => {
      const other: State = emptyState(state.command);
      await this.#compile(other, at);
      await this.#compare(other, at, false);
      return other.refusals;
    });
  }

  /** What somebody reads in a view with another choice of units. */
  async inView<T>(overlay: Overlay, read: (view: SourceView) => Promise<T>): Promise<T> {
    return this.#elsewhere(overlay, async ({ view }) => read(view));
  }

  async #elsewhere<T>(overlay: Overlay, work: (at: ChosenView) => Promise<T>): Promise<T> {
    const at = this.#others.pop() ?? (await this.#own.another());
    try {
      await at.show(overlay);
    } catch (error) {
      // It may show some of both choices.
      await at.dispose();
      throw error;
    }
    try {
      return await work(at);
    } finally {
      this.#others.push(at);
    }
  }

  /** What the livepatch is made of: all of it in memory. */
  async finish(stage: Stage): Promise<{ finished: Finished; refusals: Refusals }> {
    const states = this.#sorted;
    const refusals = new Map<string, readonly SutureError[]>();
    const waiting = states.filter(({ record, refusals }) => record === undefined && refusals.length === 0);
    for (const [done, state] of waiting.entries()) {
      stage.note(`comparing ${state.command.object}`);
      stage.progress(done, waiting.length, "objects");
      await this.#compare(state, this.#own, true);
    }
    for (const { command, refusals: own } of states) if (own.length > 0) refusals.set(command.object, own);
    return {
      finished: { parts: states.flatMap(({ part }) => part ?? []), records: states.flatMap(({ record }) => record ?? []) },
      refusals,
    };
  }

  /** Why an object does not compile, whatever the choice; undefined: it does. */
  async uncompiled(object: string): Promise<SutureError | undefined> {
    const state = this.#states.get(object);
    if (state === undefined) return undefined;
    try {
      await this.#original(state.command, VARIANT);
      return undefined;
    } catch (error) {
      return refusedOr(this.#task, error);
    }
  }

  /** An object that is not looked at any more. */
  forget(object: string): void {
    this.#states.delete(object);
  }

  /** What was joined to a module that came to nothing is not what it was: it is made again. */
  forgetParts(): void {
    for (const state of this.#states.values()) Object.assign(state, { part: undefined, record: undefined });
  }

  async #compile(state: State, { compiler, overlay }: ChosenView): Promise<void> {
    const { command } = state;
    try {
      // With its types: what is refused for those may be of the same code.
      const { bytes, sha256: digest, inputs } = await compiler.compile(this.#task, command, VARIANT, overlay);
      state.inputs = new Set(inputs.map((path) => this.#paths.of(path)));
      state.overlay = overlay;
      if (digest === state.digest) return;
      // Beside others that are compiled; the comparison, which is one by one, finds it kept.
      const [original] = await Promise.all([this.#original(command, VARIANT), this.#original(command, "plain")]);
      state.outline = outlineOf(command, readElf(original, command.object), readElf(bytes, command.object));
      state.digest = digest;
      state.compared = undefined;
      // Of the last build, or of one that did not compile.
      state.refusals = [];
    } catch (error) {
      const refusal = refusedOr(this.#task, error);
      Object.assign(state, { digest: undefined, outline: undefined, compared: undefined, part: undefined, record: undefined });
      state.inputs = undefined;
      state.refusals = [refusal];
    }
  }

  async #original(command: ObjectCommand, variant: Variant): Promise<Uint8Array> {
    const { tools, original } = this.#kernel;
    return (await compileKept(this.#task, command, variant, original, tools)).bytes;
  }

  /** What goes between the objects of one owner: looked for again where one of them is another. */
  async #moves(owner: string, own: readonly State[]): Promise<Moved> {
    const outlines = own.flatMap(({ outline }) => outline ?? []);
    const key = sha256(JSON.stringify(own.map(({ command, digest }) => [command.object, digest])));
    const known = this.#moved.get(owner);
    if (known?.key === key) return known;
    const moved: Moved = { key, moves: undefined, refusal: undefined };
    try {
      moved.moves = await movesBetween(this.#task, this.#kernel, this.#builds(this.#own), outlines, {
        view: this.#own.view,
        unproven: this.#options.unproven,
      });
    } catch (error) {
      moved.refusal = refusedOr(this.#task, error);
    }
    this.#moved.set(owner, moved);
    return moved;
  }

  /** What a comparison depends on; undefined where there is nothing to compare. */
  #keyOf({ command, digest }: State): string | undefined {
    const moved = this.#moved.get(command.owner);
    if (digest === undefined || moved?.moves === undefined) return undefined;
    const elsewhere = [...moved.moves.of(command.object)].map(([name, { replace }]) => [name, replace]);
    return JSON.stringify([digest, elsewhere]);
  }

  async #compare(state: State, at: ChosenView, whole: boolean): Promise<void> {
    const { command } = state;
    // Alone, it may not have been among those whose moves were looked for.
    const moves = this.#moved.get(command.owner)?.moves;
    const key = this.#keyOf(state);
    state.part = undefined;
    state.record = undefined;
    if (state.digest === undefined) return;
    state.compared = key;
    state.refusals = [];
    if (moves === undefined || key === undefined) return;
    const kept = await this.#verdictPath(command, key);
    const verdict = await readKept(kept, VERDICT);
    if (verdict !== undefined && (!whole || verdict.refusals.length > 0)) {
      state.refusals = verdict.refusals.map(({ code, why, where, mend }) => new SutureError(code, why, where, mend));
      return;
    }
    const { acceptLayouts, acceptInits, acceptData, redirects, holes, unproven, from, jobs } = this.#options;
    const run = new PatchRun(this.#task, this.#kernel, {
      view: at.view,
      overlay: at.overlay,
      room: at.room,
      variant: VARIANT,
      asked: new Map(),
      acceptLayouts,
      acceptInits,
      acceptData,
      redirects,
      holes,
      unproven,
      from,
      jobs,
    });
    let isThis = true;
    try {
      const { built, digest } = await this.#open(command, at);
      // Of a text that says the same of another choice, or so it seemed: looked at again before anything is made of it.
      isThis = digest === state.digest;
      await run.object(built, moves);
      checkThreads(run.parts, this.#options.acceptThreads);
      state.part = run.parts[0];
      state.record = run.recordOf(command);
      state.notes = run.unchanged;
    } catch (error) {
      const refused = refusedOr(this.#task, error);
      state.refusals = [refused, ...refused.others];
    }
    if (verdict === undefined && isThis)
      await keepJson(this.#task, kept, {
        refusals: state.refusals.map(({ code, message, where, mend }) => ({ code, why: message, where, mend })),
      });
  }

  async #verdictPath({ object }: ObjectCommand, key: string): Promise<string> {
    const { target, cache, tools } = this.#kernel;
    const { acceptLayouts, acceptInits, acceptData, redirects, holes, acceptThreads, unproven } = this.#options;
    const members = new Set([...holes].flatMap(([type, names]) => [...names].map((name) => `${type}.${name}`)));
    const accepted = [acceptLayouts, acceptInits, acceptData, redirects, members, acceptThreads].map((names) =>
      names === undefined ? null : [...names].sort(),
    );
    const what = ["verdict", await codeIdentity(), tools.identity, object, key, ...accepted, unproven];
    const name = sha256(keyOf(target, what));
    return join(cache, "release", "verdicts", name.slice(0, 2), `${name.slice(2)}.json`);
  }

  async #open(command: ObjectCommand, { compiler, overlay }: ChosenView): Promise<{ built: Compiled; digest: string }> {
    const [plain, bytes, patched] = await Promise.all([
      this.#original(command, "plain"),
      this.#original(command, VARIANT),
      compiler.compile(this.#task, command, VARIANT, overlay),
    ]);
    const elf = readElf(bytes, command.object);
    const proof = await proveOriginal(this.#task, this.#kernel, command, plain, elf);
    return { built: { command, original: { elf, bytes }, patched: patched.bytes, proof }, digest: patched.sha256 };
  }

  readonly #builds = (at: ChosenView): Builds => ({
    open: async (command) => (await this.#open(command, at)).built,
    elves: async (command) => {
      const [before, after] = await Promise.all([
        this.#original(command, VARIANT),
        at.compiler.compile(this.#task, command, VARIANT, at.overlay),
      ]);
      return { before: readElf(before, command.object), after: readElf(after.bytes, command.object) };
    },
  });
}

/** One livepatch for all that a release has is not to wait for one thread. @throws CATCHUP_THREAD */
function checkThreads(parts: readonly Compared[], accepted: ReadonlySet<string>): void {
  const refusals = parts.flatMap(({ object, delta }) =>
    delta.threads.flatMap(({ function: symbol, by, call }) =>
      sourceNames(symbol).some((name) => accepted.has(name))
        ? []
        : [fail("CATCHUP_THREAD", `${by} begins kernel threads with it (${call})`, { file: object, symbol })],
    ),
  );
  const [first, ...others] = refusals;
  if (first !== undefined) throw first.with(others);
}

function emptyState(command: ObjectCommand): State {
  return {
    command,
    inputs: undefined,
    overlay: undefined,
    digest: undefined,
    outline: undefined,
    compared: undefined,
    refusals: [],
    part: undefined,
    record: undefined,
    notes: [],
  };
}
