/** A folder in which one process works: what another would find there is not its own. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { lockFile } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";

/** Of one that is just being ended. */
const PATIENCE_SECONDS = 5;

/** @returns until it is closed, or the process ends, nobody else has the folder. @throws FLEET_FOLDER, CANCELLED */
export async function alone(task: Task, folder: string, patience = PATIENCE_SECONDS): Promise<FileHandle> {
  await mkdir(folder, { recursive: true });
  const file = await open(join(folder, "lock"), "a", 0o600);
  try {
    if (!(await lockFile(task, file, patience))) throw fail("FLEET_FOLDER", "another process works in it", { file: folder });
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
