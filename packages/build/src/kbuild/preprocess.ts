/** What the preprocessor makes of an object's source, as a hash. That of the tree as it is is kept: the next header takes half the time. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run, type Task } from "@suture/task";
import type { Target } from "../target.ts";
import { SourceView } from "../view.ts";
import type { ObjectCommand } from "./commands.ts";
import { keyOf } from "./key.ts";

const VERSION = 1;

/** SHA-256 in hex; undefined where the preprocessor fails: the compiler will say why. */
export async function preprocess(task: Task, { object, compile, depfile }: ObjectCommand, view: SourceView): Promise<string | undefined> {
  const line = compile.replace(` -Wp,-MMD,${depfile}`, "").replace(` -c -o ${object} `, " -E -P ");
  const { code, stdout } = await run(task, ["sh", "-c", line], { cwd: view.root, accept: [1] });
  return code === 0 ? createHash("sha256").update(stdout).digest("hex") : undefined;
}

/** The hashes of the unchanged tree. */
export class PreprocessedTree {
  readonly #view: SourceView;
  /** Undefined for a tree that may change: nothing is kept of it. */
  readonly #path: string | undefined;
  readonly #hashes: Map<string, string>;

  private constructor(view: SourceView, path: string | undefined, hashes: Map<string, string>) {
    this.#view = view;
    this.#path = path;
    this.#hashes = hashes;
  }

  static async open(target: Target, cache: string): Promise<PreprocessedTree> {
    const path = target.inputs.length === 0 ? undefined : join(cache, `${keyOf(target, ["preprocessed", VERSION])}.json`);
    const text = path === undefined ? undefined : await readFile(path, "utf8").catch(() => undefined);
    return new PreprocessedTree(
      SourceView.of(target.tree),
      path,
      new Map(text === undefined ? [] : (JSON.parse(text) as [string, string][])),
    );
  }

  async sha256(task: Task, command: ObjectCommand): Promise<string | undefined> {
    const known = this.#hashes.get(command.object);
    if (known !== undefined) return known;
    const hash = await preprocess(task, command, this.#view);
    if (hash !== undefined) this.#hashes.set(command.object, hash);
    return hash;
  }

  async keep(): Promise<void> {
    if (this.#path === undefined) return;
    const part = `${this.#path}.${process.pid}.part`;
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeFile(part, JSON.stringify([...this.#hashes]));
      await rename(part, this.#path);
    } finally {
      await rm(part, { force: true });
    }
  }
}
