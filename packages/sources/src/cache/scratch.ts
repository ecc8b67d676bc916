/** Scratch folders that the kernel's build can work in, and what is said where there is no room for them. */
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { oddIn } from "@suture/files";
import { scratchFolder, scratchRoot } from "@suture/task";
import { fail } from "../errors.ts";
import { cacheRoot } from "./layout.ts";
import { saysFull } from "./store.ts";

/** Does `work` in a new folder, which goes with it. @throws SCRATCH_* and what `work` throws */
export async function inScratch<T>(kind: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await newScratch(kind);
  try {
    return await tellingFull(folder, () => work(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A new folder, to be removed. @throws SCRATCH_* */
export async function newScratch(kind: string): Promise<string> {
  const root = await usableRoot();
  try {
    return await scratchFolder(kind, root);
  } catch (error) {
    throw isFull(error)
      ? full(root, error)
      : fail("SCRATCH_UNWRITABLE", error instanceof Error ? error.message : String(error), { file: root }, { cause: error });
  }
}

/** A full disk is told as that, whoever met it: we, the compiler, or make. @throws SCRATCH_FULL and what `work` throws */
export async function tellingFull<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFull(error)) throw full(folder, error);
    throw error;
  }
}

/** TMPDIR or /tmp; where the kernel's build cannot work there, a folder of the cache. */
async function usableRoot(): Promise<string> {
  const wanted = scratchRoot();
  const root = await realpath(wanted).catch((error: unknown) => {
    throw fail("SCRATCH_UNWRITABLE", error instanceof Error ? error.message : String(error), { file: wanted }, { cause: error });
  });
  const odd = oddIn(root);
  if (odd === undefined) return root;
  const other = join(cacheRoot(process.env), "scratch");
  if (oddIn(other) !== undefined)
    throw fail("SCRATCH_PATH", `its path has ${odd}, and that of the cache has such a character, too`, { file: root });
  try {
    await mkdir(other, { recursive: true, mode: 0o700 });
    return await realpath(other);
  } catch (error) {
    throw fail("SCRATCH_UNWRITABLE", error instanceof Error ? error.message : String(error), { file: other }, { cause: error });
  }
}

function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("syscall" in error && "code" in error) return error.code === "ENOSPC" || error.code === "EDQUOT";
  const program = error instanceof SutureError && error.code !== "CACHE_FULL" && error.code !== "SCRATCH_FULL";
  return program && saysFull(error.message);
}

function full(folder: string, cause: unknown): SutureError {
  return fail("SCRATCH_FULL", `no space is left: ${cause instanceof Error ? cause.message : String(cause)}`, { file: folder }, { cause });
}
