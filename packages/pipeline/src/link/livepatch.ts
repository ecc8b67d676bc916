/** The object that holds a livepatch → the module that may be loaded: linked, its livepatch relocations made, and looked at by the last gates. */
import { type ElfObject, readElf, writeElf } from "@suture/elf";
import { type Ahead, type KernelContext, linkModule } from "@suture/kbuild";
import { finish, longestSymbol, moduleName, verify } from "@suture/livepatch";
import type { DraftManifest, Manifest } from "@suture/protocol";
import type { Task } from "@suture/task";
import { checkSealed } from "./sealed-functions.ts";

export interface Livepatch {
  /** The .ko file. */
  bytes: Uint8Array;
  /** livepatch-NAME.ko */
  file: string;
  manifest: Manifest;
}

/** @throws BUILD_LINK, BUILD_SEALED, KLP_BAD_MODULE */
export async function linkLivepatch(
  task: Task,
  kernel: KernelContext,
  object: ElfObject,
  draft: DraftManifest,
  ahead?: Ahead,
): Promise<Livepatch> {
  const { name } = draft;
  const linked = await linkModule(task, kernel, moduleName(`livepatch-${name}`), writeElf(object), ahead);
  return finishLivepatch(task, kernel, linked, `livepatch-${name}.ko`, draft);
}

/** @param linked a module as the kernel's build makes it. @throws BUILD_SEALED, KLP_BAD_MODULE */
export async function finishLivepatch(
  task: Task,
  kernel: KernelContext,
  linked: Uint8Array,
  file: string,
  draft: DraftManifest,
): Promise<Livepatch> {
  const { bytes, manifest } = finish(linked, file, draft, longestSymbol(kernel.layouts), kernel.symbolSources.kernel);
  verify(bytes, linked, file, kernel.target.release, kernel.symbolSources.kernel);
  await checkSealed(task, kernel, readElf(linked, file));
  return { bytes, file, manifest };
}
