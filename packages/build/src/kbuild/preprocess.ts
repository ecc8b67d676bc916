/** What the preprocessor makes of an object's source. Hashes of the tree as it is are kept: the next header takes half the time. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, type Task } from "@suture/task";
import { keepFile } from "../kept-file.ts";
import type { Target } from "../target.ts";
import type { SourceView } from "../view.ts";
import type { ObjectCommand } from "./commands.ts";
import { canDiffer } from "./declarations.ts";
import { inputsOf } from "./depfile.ts";
import { keyOf } from "./key.ts";

const VERSION = 1;

/**
 * The text without line markers; undefined where the preprocessor fails: the compiler will say why.
 * @throws BUILD_VIEW
 */
export async function preprocess(task: Task, command: ObjectCommand, view: SourceView): Promise<string | undefined> {
  const { object, compile, depfile, source } = command;
  const scratch = await mkdtemp(join(tmpdir(), "suture-text-"));
  try {
    const inputs = join(scratch, "inputs");
    const line = view.compile(compile).replace(depfile, inputs).replace(` -c -o ${object} `, " -E -P ");
    const { code, stdout } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1] });
    if (code !== 0) return undefined;
    await view.check(inputsOf(await readFile(inputs, "utf8")), source);
    return stdout;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
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
    const text = path === undefined ? undefined : await readFile(path, "utf8").catch(() => undefined);
    return new PreprocessedTree(view, path, new Map(text === undefined ? [] : (JSON.parse(text) as [string, string][])));
  }

  /** Whether an object of another view can come out differently. */
  async differs(task: Task, command: ObjectCommand, view: SourceView): Promise<boolean> {
    const after = await preprocess(task, command, view);
    if (after === undefined) return true;
    const known = this.#hashes.get(command.object);
    if (known === sha256(after)) return false;
    const before = await preprocess(task, command, this.#view);
    if (before === undefined) return true;
    this.#hashes.set(command.object, sha256(before));
    return before !== after && canDiffer(before, after);
  }

  async keep(): Promise<void> {
    if (this.#path === undefined) return;
    await keepFile(this.#path, JSON.stringify([...this.#hashes]));
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
