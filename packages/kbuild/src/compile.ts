/** Compiles single objects as the kernel's build does. What was compiled from unchanged source is kept by content. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { keepFile, markUsed, restedSince, SoundFiles, sha256, stampOf } from "@suture/files";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import type { CompilerFacts } from "./compiler.ts";
import { fail } from "./errors.ts";
import { asBuiltIn } from "./make/build-path.ts";
import { replaced } from "./make/command-line.ts";
import type { ObjectCommand } from "./make/commands.ts";
import { inputsOf } from "./make/depfile.ts";
import { processorFor } from "./make/processor.ts";
import type { SourceView } from "./view/view.ts";

/**
 * How an object is compiled: exactly as the kernel's build does it; with a section for each function and variable; or so and with its types
 * written down (.BTF, and DWARF for what has no name), which costs a fifth more.
 */
export type Variant = "plain" | "sections" | "types";

export interface Compiled {
  object: string;
  bytes: Uint8Array;
  /** Milliseconds that gcc and objtool took; 0 if it was kept from before. */
  ms: number;
}

/** A compiler, and the folder for what it made. */
export interface Compiler extends Pick<CompilerFacts, "identity" | "programs" | "since"> {
  cache: string;
}

/** Debug information does not change the code, and costs a third of the time. */
const OPTIONS: Record<Variant, string> = {
  plain: "-g0",
  sections: "-g0 -ffunction-sections -fdata-sections",
  types: "-g0 -ffunction-sections -fdata-sections -gdwarf-5",
};

/** Without BTF, types are read out of DWARF (packages/types). */
export function optionsOf({ writesBtf }: ObjectCommand, variant: Variant): string {
  return variant === "types" && writesBtf ? `${OPTIONS[variant]} -gbtf` : OPTIONS[variant];
}

/** From the changed source. @throws BUILD_COMPILE, BUILD_VIEW */
export async function compile(task: Task, command: ObjectCommand, variant: Variant, view: SourceView): Promise<Compiled> {
  return inScratch("object", async (scratch) => {
    const { bytes, ms, inputs } = await compileInto(task, command, variant, view, scratch);
    await view.check(inputs, command.source);
    return { object: command.object, bytes, ms };
  });
}

/** From the unchanged source, or from what was kept where nothing that the object is made of has changed since. @throws BUILD_COMPILE */
export async function compileKept(
  task: Task,
  command: ObjectCommand,
  variant: Variant,
  view: SourceView,
  compiler: Compiler,
): Promise<Compiled> {
  const { object, buildPath } = command;
  const built = buildPath === undefined ? [] : [buildPath];
  const key = hashParts([
    "kept object",
    String(VERSION),
    compiler.identity,
    await processorFor(command.compile),
    // Of the environment: the time that the compiler says it is.
    process.env.SOURCE_DATE_EPOCH ?? "",
    view.root,
    view.cwd,
    view.names,
    object,
    command.compile,
    command.objtool ?? "",
    optionsOf(command, variant),
    ...built,
  ]);
  const place = { key, path: join(compiler.cache, key.slice(0, 2), `${key.slice(2)}.o`) };
  const kept = await openKept(place, view);
  if (kept !== undefined) return { object, bytes: kept, ms: 0 };
  return inScratch("object", async (scratch) => {
    const began = { clock: Date.now(), steady: performance.now() };
    const { bytes, ms, inputs } = await compileInto(task, command, variant, view, scratch);
    const head = { sha256: hashParts([key, bytes]), inputs, inputsSha256: await hashInputs(inputs, view) };
    const places = inputs.map((input) => view.path(input));
    // After they were read: what was changed since the compiler began may not be what it read.
    const isOfThese = restedSince(places, began.clock) && restedSince(compiler.programs, compiler.since) && !wasPutBack(began);
    if (isOfThese) await keep(task, place.path, { ...head, stamp: stampOf(places, began.clock) }, bytes);
    return { object, bytes, ms };
  });
}

/** A change may then have a time from before. */
function wasPutBack({ clock, steady }: { clock: number; steady: number }): boolean {
  return Date.now() - clock < performance.now() - steady - 1_000;
}

export async function compileInto(task: Task, command: ObjectCommand, variant: Variant, view: SourceView, scratch: string) {
  const { object, source } = command;
  const out = join(scratch, "object.o");
  const depfile = join(scratch, "object.d");
  const options = optionsOf(command, variant);
  const target = ` -c -o ${object} `;
  const at = command.compile.lastIndexOf(target);
  if (at < 0) throw fail("BUILD_KBUILD", `the command that compiles it does not have "${target.trim()}"`, { file: object });
  const flags = replaced(view.compile(command.compile.slice(0, at)), command.depfile, depfile, object);
  const input = view.spell(command.compile.slice(at + target.length));
  let ms = 0;
  const shell = async (line: string): Promise<void> => {
    ms += (await run(task, ["sh", "-c", line], { cwd: view.cwd })).ms;
  };
  try {
    const { buildPath } = command;
    const checked = command.objtool === undefined ? "" : ` && { ${replaced(command.objtool, object, out, object)}\n}`;
    if (buildPath === undefined) await shell(`${flags} ${options} -c -o ${out} ${input}${checked}`);
    else {
      // Macros are left as they are: columns count, too. Line markers then say where the source was.
      const preprocessed = join(scratch, "object.i");
      await shell(`${flags} ${options} -E -fdirectives-only -o ${preprocessed} ${input}`);
      await writeFile(preprocessed, asBuiltIn(buildPath, await readFile(preprocessed, "latin1")), "latin1");
      const again = `-fpreprocessed -fdirectives-only -fmacro-prefix-map=${buildPath}/= -x c`;
      await shell(`${replaced(flags, `-Wp,-MMD,${depfile}`, "", object)} ${options} ${again} -c -o ${out} ${preprocessed}${checked}`);
    }
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
    throw fail("BUILD_COMPILE", said(error.message), { file: source }, { cause: error });
  }
  return { bytes: await readFile(out), ms, inputs: inputsOf(await readFile(depfile, "utf8")) };
}

/** Of a command that failed: what it said, without its own lines. */
function said(message: string): string {
  return message.slice(message.lastIndexOf("\n  ended with ") + 1).trim();
}

/** To be raised with every change to what is kept. */
const VERSION = 2;

/** A kept object: its JSON head in one line, then its bytes; `sha256` is of what it is called and of those. While the inputs have that stamp, they need not be read. */
const HEAD = v.object({ sha256: v.string(), inputs: v.array(v.string()), inputsSha256: v.string(), stamp: v.optional(v.string()) });
type Head = v.InferOutput<typeof HEAD>;

/** What was found sound in a view: its files are read once for each object, as nobody changes them while this runs. */
const found = new WeakMap<SourceView, Map<string, string>>();

const sound = new SoundFiles();

async function openKept({ key, path }: { key: string; path: string }, view: SourceView): Promise<Uint8Array | undefined> {
  try {
    const file = await sound.read(path, (file) => {
      const { head, bytes } = partsOf(file);
      return head.sha256 === hashParts([key, bytes]);
    });
    if (file === undefined) return undefined;
    const { head, bytes } = partsOf(file);
    const { inputs, inputsSha256 } = head;
    const known = found.get(view) ?? new Map<string, string>();
    if (known.get(path) === inputsSha256) return bytes;
    // Before they are read: what is written to them from now on has another.
    const stamp = stampOf(inputs.map((input) => view.path(input)));
    if (stamp === undefined || stamp !== head.stamp) {
      if (inputsSha256 !== (await hashInputs(inputs, view))) return undefined;
      if (stamp !== undefined) await write(path, { ...head, stamp }, bytes).catch(() => {});
    }
    found.set(view, known.set(path, inputsSha256));
    markUsed(path);
    return bytes;
  } catch {
    // Cut off, or an input is gone: compiled anew.
    return undefined;
  }
}

/** @throws where it is cut off */
function partsOf(file: Buffer): { head: Head; bytes: Uint8Array } {
  const end = file.indexOf(10);
  return { head: v.parse(HEAD, JSON.parse(file.toString("utf8", 0, Math.max(end, 0)))), bytes: file.subarray(end + 1) };
}

/** A full disk costs time only. */
async function keep(task: Task, path: string, head: Head, bytes: Uint8Array): Promise<void> {
  try {
    await write(path, head, bytes);
  } catch (error) {
    task.reporter.warn(`a compiled object could not be kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function write(path: string, head: Head, bytes: Uint8Array): Promise<void> {
  return keepFile(path, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]));
}

/** Of each: where one ends and the next begins counts. */
async function hashInputs(inputs: readonly string[], view: SourceView): Promise<string> {
  const hashes: string[] = [];
  for (const input of inputs) hashes.push(sha256(await readFile(view.path(input))));
  return sha256(hashes.join("\n"));
}

function hashParts(parts: readonly (string | Uint8Array)[]): string {
  return sha256(...parts.flatMap((part) => [part, "\0"]));
}
