/** Opens a kernel's image: from the cache where it is there and sound, else by decoding it. */
import { knownHash, sha256 as sha256Of } from "@suture/files";
import type { Task } from "@suture/task";
import { openCached, writeCached } from "./cache.ts";
import { type DecodedImage, decodeImage } from "./decode.ts";
import { hashFile, readWhole } from "./files.ts";
import { KernelImage } from "./image.ts";

export interface OpenImageOptions {
  /** A directory for the decoded form; it is made if it is not there. */
  cache?: string;
}

/**
 * The cached form is of exactly this file: its bytes are hashed, once for as long as the file system says that nobody has written to it.
 * @param path a vmlinuz or an uncompressed vmlinux
 */
export async function openImage(task: Task, path: string, { cache }: OpenImageOptions = {}): Promise<KernelImage> {
  if (cache !== undefined) {
    const known = await knownHash(path, cache, () => hashFile(task, path));
    const cached = openCached(cache, known.sha256);
    if (cached !== undefined) {
      await known.keep(task);
      return new KernelImage(path, known.sha256, cached.parts, cached.storage);
    }
  }
  return task.stage("decode", async (stage) => {
    stage.note(path);
    const bytes = await readWhole(path);
    const sha256 = sha256Of(bytes);
    const decoded = await decodeImage(task, bytes, path);
    stage.result(`${decoded.parts.release}, ${decoded.parts.symbols.ranks.length} symbols`);
    const kept = cache === undefined ? undefined : await keep(task, cache, sha256, decoded);
    const { parts, storage } = kept ?? decoded;
    return new KernelImage(path, sha256, parts, storage);
  });
}

/** Writes the cache and opens what was written, so that the unpacked image need not stay in memory. A full disk costs time only. */
async function keep(task: Task, cache: string, sha256: string, decoded: DecodedImage): Promise<DecodedImage | undefined> {
  try {
    await writeCached(task, cache, sha256, decoded);
  } catch (error) {
    task.check();
    if (!(error instanceof Error && "syscall" in error)) throw error;
    task.reporter.warn(`the decoded kernel image could not be kept: ${error.message}`);
    return undefined;
  }
  return openCached(cache, sha256);
}
