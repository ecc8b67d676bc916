import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

type Files = Readonly<Record<string, string>>;

/** A folder with these files, removed when the test ends. */
export function folderOf(files: Files): string {
  return folderAt(tmpdir(), files);
}

/** The same on a disk, which the folder for what is temporary may not be. */
export function folderOnDisk(files: Files): string {
  return folderAt("/var/tmp", files);
}

const MEMORY = "/dev/shm";
/** Of those who write through it, several at once. */
const ROOM = 64 * 1024 * 1024;

/** The same where it costs nothing that each file is flushed to the disk: what is written durably, hundreds of times, is half of the time of some tests. */
export function folderInMemory(files: Files): string {
  return folderAt(hasRoom(MEMORY) ? MEMORY : tmpdir(), files);
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > ROOM;
  } catch {
    return false;
  }
}

function folderAt(place: string, files: Files): string {
  const folder = mkdtempSync(join(place, "suture-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, "latin1");
  }
  return folder;
}

/** The code of what `work` throws. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  return "nothing was thrown";
}
