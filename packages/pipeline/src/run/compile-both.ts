/** An object before and after a patch, with what the differ takes besides: for measuring it alone. */
import type { DiffOptions } from "@suture/diff";
import type { KernelContext } from "@suture/kbuild";
import { compile, compileKept, diffOptions } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { applyPatches } from "../patch/apply.ts";
import { overlayOf } from "../patch/overlay.ts";
import type { SourcePatch } from "../patch/read.ts";

export interface Both {
  original: Uint8Array;
  patched: Uint8Array;
  options: DiffOptions;
}

/** An object of the unchanged source with a section for each function and variable. */
export async function compileOriginal(task: Task, kernel: KernelContext, object: string): Promise<Uint8Array> {
  return (await compileKept(task, kernel.commands.of(object), "sections", kernel.original, kernel.tools)).bytes;
}

export async function compileBoth(task: Task, kernel: KernelContext, object: string, patches: readonly SourcePatch[]): Promise<Both> {
  const command = kernel.commands.of(object);
  const { files } = await applyPatches(kernel.sourceRoot, patches);
  const view = await kernel.changed(task, overlayOf(files));
  try {
    const original = await compileOriginal(task, kernel, object);
    const patched = await compile(task, command, "sections", view);
    return { original, patched: patched.bytes, options: diffOptions(kernel, command, await kernel.owner(task, command.owner)) };
  } finally {
    await view.dispose();
  }
}
