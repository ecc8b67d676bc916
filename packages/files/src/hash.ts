/** SHA-256 in hex. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { Task } from "@suture/task";

const CHUNK = 1 << 20;

export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Of a file, or of what is left to read of an open one, through one small buffer. */
export async function sha256OfFile(task: Task, file: string | FileHandle): Promise<string> {
  if (typeof file !== "string") return rest(task, file);
  const handle = await open(file, "r");
  try {
    return await rest(task, handle);
  } finally {
    await handle.close();
  }
}

async function rest(task: Task, handle: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (;;) {
    task.check();
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, null);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
  }
}
