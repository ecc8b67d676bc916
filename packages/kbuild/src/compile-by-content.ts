/**
 * Objects of changed source, kept by the content of all that the compiler read: whoever compiles the same again, in another view or another day, gets
 * what was kept. Which files a compiler reads is known once it has run: what it read the last times is remembered, and their content now decides.
 */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { keepFile, keepJson, markUsed, readKept, SoundFiles, sha256 } from "@suture/files";
import { inScratch } from "@suture/sources";
import type { Task } from "@suture/task";
import * as v from "valibot";
import { type Compiler, compileInto, optionsOf, type Variant } from "./compile.ts";
import type { ObjectCommand } from "./make/commands.ts";
import type { Overlay, SourceView } from "./view/view.ts";

export interface ByContent {
  bytes: Uint8Array;
  /** Of `bytes`. */
  sha256: string;
  /** Milliseconds that compilers took; 0 where it was kept. */
  ms: number;
  /** Paths that were read, those in the tree as they are named there. */
  inputs: readonly string[];
}

const INPUTS: v.GenericSchema<string[][]> = v.array(v.array(v.string()));
/** So many sets of inputs are remembered for an object. */
const REMEMBERED = 6;
/** To be raised with every change to what is kept. */
const VERSION = 1;
const SHA256_BYTES = 64;

/** For one view, whose files may change from one call to the next. */
export class ContentCompiler {
  readonly #view: SourceView;
  readonly #tree: string;
  readonly #compiler: Compiler;
  /** Of files that nobody changes while this runs. */
  readonly #hashes = new Map<string, string>();

  constructor(view: SourceView, tree: string, compiler: Compiler) {
    this.#view = view;
    this.#tree = tree;
    this.#compiler = compiler;
  }

  /**
   * @param overlay what is in the view in place of the tree's
   * @throws BUILD_COMPILE, BUILD_VIEW
   */
  async compile(task: Task, command: ObjectCommand, variant: Variant, overlay: Overlay): Promise<ByContent> {
    const { object } = command;
    const { identity, cache } = this.#compiler;
    const key = sha256(
      ...[
        "by content",
        String(VERSION),
        identity,
        this.#tree,
        object,
        command.compile,
        command.objtool ?? "",
        optionsOf(command, variant),
      ].flatMap((part) => [part, "\0"]),
    );
    const list = join(cache, key.slice(0, 2), `${key.slice(2)}.inputs`);
    const known = (await readKept(list, INPUTS)) ?? [];
    for (const inputs of known) {
      const kept = await openKept(pathOf(cache, key, await this.#contents(inputs, overlay)));
      if (kept !== undefined) return { ...kept, ms: 0, inputs };
    }
    return inScratch("object", async (scratch) => {
      const { bytes, ms, inputs: read } = await compileInto(task, command, variant, this.#view, scratch);
      await this.#view.check(read, command.source);
      const inputs = [...new Set(read.map((input) => this.#named(input)))];
      const contents = await this.#contents(inputs, overlay);
      const hash = sha256(bytes);
      if (contents !== undefined) {
        await keep(task, pathOf(cache, key, contents), bytes, hash);
        const others = known.filter((one) => JSON.stringify(one) !== JSON.stringify(inputs));
        await keepJson(task, list, [inputs, ...others].slice(0, REMEMBERED));
      }
      return { bytes, sha256: hash, ms, inputs };
    });
  }

  /** As it is named in the tree: relative where it is in there. */
  #named(input: string): string {
    for (const root of [this.#view.root, this.#tree]) if (input.startsWith(`${root}/`)) return plain(input.slice(root.length + 1));
    return input.startsWith("/") ? input : plain(input);
  }

  /** A hash over all contents; undefined where one of them is not there. */
  async #contents(inputs: readonly string[], overlay: Overlay): Promise<string | undefined> {
    const parts: string[] = [];
    for (const input of inputs) {
      const changed = overlay.get(input);
      const hash = changed !== undefined ? sha256(Buffer.from(changed, "latin1")) : await this.#hashOf(input);
      if (hash === undefined) return undefined;
      parts.push(input, hash);
    }
    // A new header may stand in the way to one of its name.
    const names = new Set(inputs.map((input) => basename(input)));
    const read = new Set(inputs);
    for (const path of overlay.keys())
      if (!read.has(path) && names.has(basename(path)) && (await this.#hashOf(path)) === undefined) parts.push(path);
    return sha256(parts.join("\0"));
  }

  async #hashOf(input: string): Promise<string | undefined> {
    const known = this.#hashes.get(input);
    if (known !== undefined) return known;
    const bytes = await readFile(input.startsWith("/") ? input : `${this.#tree}/${input}`).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const hash = sha256(bytes);
    this.#hashes.set(input, hash);
    return hash;
  }
}

/** Without `x/../`, where `x` is a folder: a path of the tree has one name. */
function plain(path: string): string {
  let at = path.replace(/^\.\//, "");
  for (;;) {
    const shorter = at.replace(/(^|\/)(?!\.\.\/)[^/]+\/\.\.\//, "$1");
    if (shorter === at) return at;
    at = shorter;
  }
}

function pathOf(cache: string, key: string, contents: string | undefined): string | undefined {
  if (contents === undefined) return undefined;
  const name = sha256(key, contents);
  return join(cache, name.slice(0, 2), `${name.slice(2)}.o`);
}

const sound = new SoundFiles();

async function openKept(path: string | undefined): Promise<{ bytes: Uint8Array; sha256: string } | undefined> {
  if (path === undefined) return undefined;
  const hashOf = (file: Buffer): string => file.toString("latin1", 0, SHA256_BYTES);
  const bytesOf = (file: Buffer): Uint8Array => file.subarray(SHA256_BYTES);
  const file = await sound.read(path, (file) => sha256(bytesOf(file)) === hashOf(file));
  if (file === undefined) return undefined;
  markUsed(path);
  return { bytes: bytesOf(file), sha256: hashOf(file) };
}

/** A full disk costs time only. */
async function keep(task: Task, path: string | undefined, bytes: Uint8Array, hash: string): Promise<void> {
  if (path === undefined) return;
  try {
    await keepFile(path, Buffer.concat([Buffer.from(hash, "latin1"), bytes]));
  } catch (error) {
    task.reporter.warn(`a compiled object could not be kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}
