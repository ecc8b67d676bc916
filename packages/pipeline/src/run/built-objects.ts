/** The affected objects, compiled before and after the change. A few are in memory, however many there are; the others wait in a scratch folder. */
import { type ElfObject, readElf } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { compile, compileKept, type KernelContext, type ObjectCommand, proveOriginal, type SourceView, type Variant } from "@suture/kbuild";
import type { ObjectProof } from "@suture/proof";
import { inParallel, type Task } from "@suture/task";
import { refuseAll, refusedOr } from "./refusals.ts";
import { Spill } from "./spill.ts";

/** One affected object, opened. */
export interface Compiled {
  command: ObjectCommand;
  original: { elf: ElfObject; bytes: Uint8Array };
  /** The same bytes as the original's where nothing of it is changed. */
  patched: Uint8Array;
  /** Of the original. */
  proof: ObjectProof;
}

/** Is given both builds of each object as soon as they are there. */
export type Seen = (object: { command: ObjectCommand; original: Uint8Array; patched: Uint8Array | undefined }) => void | Promise<void>;

const BUILDS = ["plain", "original", "patched"] as const;
type Build = (typeof BUILDS)[number];

export class BuiltObjects {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #spill: Spill;
  /** Proven while a compiler runs, where all objects are few enough to be held. */
  readonly #opened = new Map<ObjectCommand, Compiled>();
  readonly #changed: ReadonlySet<ObjectCommand>;
  readonly #jobs: number;
  /** In order. */
  readonly commands: readonly ObjectCommand[];

  /** @param folder for those that wait. @param jobs compilers at a time, and so many objects in memory */
  constructor(
    task: Task,
    kernel: KernelContext,
    { affected, asked }: { affected: readonly ObjectCommand[]; asked: readonly string[] },
    { folder, jobs }: { folder: string; jobs: number },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#jobs = jobs;
    this.#spill = new Spill(folder, jobs * BUILDS.length);
    const same = asked
      .map((object) => kernel.commands.of(object))
      .filter(({ object }) => !affected.some((other) => other.object === object));
    this.commands = [...affected, ...same];
    this.#changed = new Set(affected);
  }

  isChanged(command: ObjectCommand): boolean {
    return this.#changed.has(command);
  }

  /** @throws BUILD_COMPILE, and what `seen` throws */
  async compile(view: SourceView, variant: Variant, seen: Seen): Promise<void> {
    const { commands } = this;
    const task = this.#task;
    const kernel = this.#kernel;
    return task.stage("compile", async (stage) => {
      const total = 3 * this.#changed.size + 2 * (commands.length - this.#changed.size);
      const few = commands.length <= this.#jobs;
      const refused = new Map<ObjectCommand, SutureError>();
      let done = 0;
      let compilerMs = 0;
      let proofMs = 0;
      const built = async (command: ObjectCommand, build: Build, { bytes, ms }: { bytes: Uint8Array; ms: number }): Promise<Uint8Array> => {
        stage.note(command.object);
        compilerMs += ms;
        stage.progress(++done, total, "compilations");
        await this.#spill.put(keyOf(command, build), bytes);
        return bytes;
      };
      /** Of those that are on their way the build that is there. */
      const halves = new Map<ObjectCommand, { original?: Uint8Array; patched?: Uint8Array }>();
      const half = async (command: ObjectCommand, one: { original?: Uint8Array; patched?: Uint8Array }): Promise<void> => {
        const both = { ...halves.get(command), ...one };
        halves.set(command, both);
        const { original, patched } = both;
        if (original === undefined || (patched === undefined && this.isChanged(command))) return;
        halves.delete(command);
        await seen({ command, original, patched });
      };
      const collected = async (command: ObjectCommand, work: () => Promise<void>): Promise<void> => {
        if (refused.has(command)) return;
        try {
          await work();
        } catch (error) {
          refused.set(command, refusedOr(task, error));
          halves.delete(command);
        }
      };
      // The patched one first: it may not compile.
      const works = commands.flatMap((command) => [
        () =>
          collected(command, async () => {
            if (!this.isChanged(command)) return;
            await half(command, { patched: await built(command, "patched", await compile(task, command, variant, view)) });
          }),
        () =>
          collected(command, async () => {
            const plain = await built(command, "plain", await compileKept(task, command, "plain", kernel.original, kernel.tools));
            const original = await built(command, "original", await compileKept(task, command, variant, kernel.original, kernel.tools));
            const started = performance.now();
            if (few) this.#opened.set(command, await this.#prove(command, plain, original));
            if (few) this.#makeReady();
            proofMs += performance.now() - started;
            await half(command, { original });
          }),
      ]);
      await inParallel(works, this.#jobs, (work) => work());
      const refusals = commands.flatMap((command) => refused.get(command) ?? []);
      if (refusals.length > 0) throw refuseAll(refusals);
      const what = commands.length === 1 ? commands[0]?.object : `${commands.length} objects`;
      stage.result(`${what}: compiler ${(compilerMs / 1000).toFixed(1)} s${few ? `, proof ${proofMs.toFixed(0)} ms` : ""}`);
    });
  }

  /** What the comparison and the link need in any case, while the compiler of the patched object is still at it. */
  #makeReady(): void {
    this.#kernel.target.arch.code.makeReady();
    void this.#kernel.symbolSources.kernel.exports;
  }

  /** @returns the object, whole: for as long as the caller holds it */
  async open(command: ObjectCommand): Promise<Compiled> {
    const { patched, ...known } = this.#opened.get(command) ?? (await this.#reopen(command));
    return { ...known, patched: this.isChanged(command) ? await this.#spill.get(keyOf(command, "patched")) : known.original.bytes };
  }

  /** Both builds, without the proof. */
  async elves(command: ObjectCommand): Promise<{ before: ElfObject; after: ElfObject }> {
    const before = this.#opened.get(command)?.original.elf ?? readElf(await this.#spill.get(keyOf(command, "original")), command.object);
    const after = this.isChanged(command) ? readElf(await this.#spill.get(keyOf(command, "patched")), command.object) : before;
    return { before, after };
  }

  /** It is not opened any more. */
  async drop(command: ObjectCommand): Promise<void> {
    this.#opened.delete(command);
    for (const build of BUILDS) await this.#spill.drop(keyOf(command, build));
  }

  async #reopen(command: ObjectCommand): Promise<Compiled> {
    const [plain, original] = await Promise.all([this.#spill.get(keyOf(command, "plain")), this.#spill.get(keyOf(command, "original"))]);
    return this.#prove(command, plain, original);
  }

  async #prove(command: ObjectCommand, plain: Uint8Array, bytes: Uint8Array): Promise<Compiled> {
    const elf = readElf(bytes, command.object);
    const proof = await proveOriginal(this.#task, this.#kernel, command, plain, elf);
    return { command, original: { elf, bytes }, patched: bytes, proof };
  }
}

function keyOf({ object }: ObjectCommand, build: Build): string {
  return `${object} ${build}`;
}
