/** What the preprocessor makes of an object's source. Hashes of the tree as it is are kept: the next header takes half the time. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { keepJson, literally, readKept, sha256 } from "@suture/files";
import type { Target } from "@suture/sources";
import { inScratch, saysFull } from "@suture/sources";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../errors.ts";
import type { SourceView } from "../view/view.ts";
import { replaced } from "./command-line.ts";
import type { ObjectCommand } from "./commands.ts";
import { canDiffer } from "./declarations.ts";
import { inputsOf } from "./depfile.ts";
import { keyOf } from "./key.ts";
import type { Step } from "./steps.ts";

const VERSION = 1;
const HASHES: v.GenericSchema<[string, string][]> = v.array(v.tuple([v.string(), v.string()]));

/**
 * The text without line markers; undefined where the preprocessor fails: the compiler will say why.
 * @throws BUILD_VIEW
 */
export async function preprocess(task: Task, command: ObjectCommand, view: SourceView): Promise<string | undefined> {
  const { object, compile, depfile, source } = command;
  return inScratch("text", async (scratch) => {
    const inputs = join(scratch, "inputs");
    const line = replaced(replaced(view.compile(compile), depfile, inputs, object), ` -c -o ${object} `, " -E -P ", object);
    const { code, stdout, stderr } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1] });
    if (saysFull(stderr)) throw fail("SCRATCH_FULL", stderr.trim(), { file: scratch });
    if (code !== 0) return undefined;
    await view.check(inputsOf(await readFile(inputs, "utf8")), source);
    return stdout;
  });
}

/**
 * What a step of the build that the preprocessor begins reads of its source: for constants for assembly, the constants.
 * @returns undefined where the compiler fails
 * @throws BUILD_VIEW
 */
export async function readStep(task: Task, { kind, command, output, source }: Step, view: SourceView): Promise<string | undefined> {
  return inScratch("step", async (scratch) => {
    const out = join(scratch, "out");
    const inputs = join(scratch, "inputs");
    const mode = kind === "constants for assembly" ? "-S" : "-E -P";
    const line = view
      .compile(command)
      .replace(/(?<=-Wp,-MMD,)\S+/, inputs)
      .replace(new RegExp(`(?:\\s-[cSE])*\\s-o ${literally(output)}(?=\\s)`), () => ` ${mode} -o ${out}`);
    const { code, stderr } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1] });
    if (saysFull(stderr)) throw fail("SCRATCH_FULL", stderr.trim(), { file: scratch });
    if (code !== 0)
      return kind === "constants for assembly"
        ? undefined
        : textsRead(task, line.replace(/-Wp,-MMD,\S+/, "").replace(` ${mode} -o ${out}`, " -M -MG"), source, view);
    await view.check(inputsOf(await readFile(inputs, "utf8")), source);
    const text = await readFile(out, "latin1");
    return kind === "constants for assembly" ? (text.match(/^.*"->.*$/gm) ?? []).join("\n") : text;
  });
}

/**
 * Of what includes a file that only a whole build makes, such as a linker script of symbols that are known after the link of something else: all files that
 * it reads, as they are, and the names of those that are not there.
 * @param line tells the files that are read, and takes those that are not there for such
 * @returns undefined where the compiler fails at that, too
 */
async function textsRead(task: Task, line: string, source: string, view: SourceView): Promise<string | undefined> {
  const { code, stdout } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1] });
  if (code !== 0) return undefined;
  const inputs = inputsOf(stdout);
  const there = new Map(
    await Promise.all(inputs.map(async (path) => [path, await readFile(join(view.cwd, path), "latin1").catch(() => undefined)] as const)),
  );
  await view.check(
    inputs.filter((path) => there.get(path) !== undefined),
    source,
  );
  return JSON.stringify([...there].map(([path, text]) => [path, text ?? null]));
}

/** Programs that write what they make to one file, which is named in their command. */
const ONE_OUTPUT = /^(?:sed|awk|echo|perl|sh) /;

/** What a script makes. @returns undefined where it fails, or may write more than that file */
export async function makeStep(task: Task, { command, output }: Step, view: SourceView): Promise<string | undefined> {
  if (!ONE_OUTPUT.test(command)) return undefined;
  return inScratch("step", async (scratch) => {
    const out = join(scratch, "out");
    const line = command.replaceAll(output, out);
    const written = [...line.matchAll(/>>?\s*([^\s;&|]+)/g)].map(([, file]) => file);
    if (!line.includes(out) || written.some((file) => file !== out && file !== "/dev/null")) return undefined;
    const { code } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1, 2] });
    return code === 0 ? await readFile(out, "latin1") : undefined;
  });
}

/** The unchanged tree, and the hashes of its files. */
export class PreprocessedTree {
  readonly #view: SourceView;
  /** Undefined for a source that may change: nothing is kept of it. */
  readonly #path: string | undefined;
  readonly #hashes: Map<string, string>;

  private constructor(view: SourceView, path: string | undefined, hashes: Map<string, string>) {
    this.#view = view;
    this.#path = path;
    this.#hashes = hashes;
  }

  static async open(target: Target, view: SourceView, cache: string): Promise<PreprocessedTree> {
    const path = view.root !== target.tree ? undefined : join(cache, `${keyOf(target, ["preprocessed", VERSION])}.json`);
    const kept = path === undefined ? undefined : await readKept(path, HASHES);
    return new PreprocessedTree(view, path, new Map(kept));
  }

  /** Whether an object of another view can come out differently. @param layoutsHold as of `canDiffer` */
  async differs(task: Task, command: ObjectCommand, view: SourceView, layoutsHold: boolean): Promise<boolean> {
    const after = await preprocess(task, command, view);
    if (after === undefined) return true;
    const known = this.#hashes.get(command.object);
    if (known === sha256(after)) return false;
    const before = await preprocess(task, command, this.#view);
    if (before === undefined) return true;
    this.#hashes.set(command.object, sha256(before));
    return before !== after && canDiffer(before, after, layoutsHold);
  }

  async keep(task: Task): Promise<void> {
    if (this.#path === undefined) return;
    await keepJson(task, this.#path, [...this.#hashes]);
  }
}
