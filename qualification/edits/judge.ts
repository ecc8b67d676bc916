/** One edit: compiled, built, and what came out held against what is right for its kind. */
import { readFileSync } from "node:fs";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { inspect } from "@suture/livepatch";
import { buildLivepatch, compileBoth, readPatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { moduleOf, type Sides, wrongs } from "./claims.ts";
import type { Edit, Kind } from "./edit.ts";
import { factsOf } from "./facts.ts";

export type Class =
  /** No edit in the end. */
  | "does-not-compile"
  | "no-effect"
  | "right-built"
  | "right-refused"
  | "right-nothing"
  | "wrong-module"
  | "false-refusal"
  /** Refused, as is right, but for another reason than what is wrong. */
  | "wrong-refusal"
  /** The builder ended without a refusal. */
  | "crash";

export interface Judged {
  class: Class;
  /** Of a refusal. */
  code?: string;
  why?: string;
  /** Of a module that is wrong. */
  wrongs?: string[];
}

/** "Nothing to patch", in its two forms. */
const NOTHING = ["BUILD_NOTHING_CHANGED", "BUILD_NOT_AT_RUN_TIME"];

/** @param patch file of the edit. @returns with the bytes of the module if there is one */
export async function judge(
  task: Task,
  kernel: KernelContext,
  { kind, edit, objects, patch }: { kind: Kind; edit: Edit; objects: readonly string[]; patch: string },
): Promise<Judged & { module?: Uint8Array }> {
  const source = await readPatch(patch);
  const sides: Sides[] = [];
  const observe = (object: string, original: Uint8Array, patched: Uint8Array): void => {
    sides.push({ object, before: factsOf(readElf(original, object)), after: factsOf(readElf(patched, object)) });
  };
  let refusal: SutureError | undefined;
  let module: { bytes: Uint8Array; file: string } | undefined;
  try {
    module = await buildLivepatch(task, kernel, {
      patches: [source],
      name: "edit",
      replace: false,
      unproven: false,
      jobs: 1,
      ...edit.word,
      observe: ({ object, original, patched }) => observe(object, original, patched),
    });
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError)) return crash(error);
    if (error.code === "BUILD_COMPILE") return { class: "does-not-compile", code: error.code, why: firstError(error.message) };
    refusal = error;
  }
  // Those that the builder did not come to, or left out.
  const others = objects.filter((object) => !sides.some((side) => side.object === object));
  try {
    for (const object of others) {
      const { original, patched } = await compileBoth(task, kernel, object, [source]);
      observe(object, original, patched);
    }
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError) || error.code !== "BUILD_COMPILE") return crash(error);
    return { class: "does-not-compile", code: error.code, why: firstError(error.message) };
  }
  const differs = sides.some(({ before, after }) => before.everything !== after.everything);
  if (!differs && kind.verdict !== "same") return { class: "no-effect" };
  if (module !== undefined) {
    const { bytes, file } = module;
    const found = wrongs(edit, moduleOf(bytes, file, inspect(bytes, file).descriptor), sides);
    if (kind.verdict === "refuse") found.unshift("it was built, which is never right for this kind");
    return found.length > 0 ? { class: "wrong-module", wrongs: found, module: bytes } : { class: "right-built", module: bytes };
  }
  const { code, where, message } = refusal as SutureError;
  const why = `${where.symbol ?? ""} ${message}`.trim().replaceAll("\n", " ").slice(0, 500);
  return { class: classOf(kind, code, sides), code, why };
}

function classOf(kind: Kind, code: string, sides: readonly Sides[]): Class {
  // A person is told that the fix has no effect: that is no refusal of what it does.
  if (code === "BUILD_NOTHING_CHANGED" && kind.verdict !== "same") return codeDiffers(sides) ? "false-refusal" : "right-nothing";
  if (kind.verdict === "same") return NOTHING.includes(code) ? "right-nothing" : "false-refusal";
  if (kind.verdict === "build") return "false-refusal";
  return kind.codes?.includes(code) === false ? "wrong-refusal" : "right-refused";
}

/** Code of the running kernel has other bytes, or there is some that was not there. What it refers to may only be called otherwise. */
function codeDiffers(sides: readonly Sides[]): boolean {
  return sides.some(({ before, after }) =>
    [...after.functions].some(([name, { bytes, init }]) => !init && before.functions.get(name)?.bytes !== bytes),
  );
}

function crash(error: unknown): Judged {
  return { class: "crash", why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function firstError(text: string): string {
  return (text.split("\n").find((line) => /error:/.test(line)) ?? text.split("\n", 1)[0] ?? "").slice(0, 200);
}

/** The text of a file of the tree; latin1, as patches are read. */
export function sourceText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
