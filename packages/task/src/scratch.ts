/**
 * Scratch folders. All of a process are in one, which goes when the process ends, however it ends as long as it can still act; what killed
 * processes left is removed by the next one. A name says whose it is: the process, when it was started, and in which namespace it has its number.
 */
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const NAME = /^suture-(\d+)-(\d+)-(\d+)-\w{6}$/;

/** By the folder that they are in. */
const own = new Map<string, Promise<string>>();
const made = new Set<string>();

process.on("exit", () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** The folder for what is temporary; a relative TMPDIR is of the folder that the process runs in. */
export function scratchRoot(): string {
  return resolve(tmpdir());
}

/** A new folder. Remove it when it is not needed any more. @throws what the file system says */
export async function scratchFolder(kind: string, root: string = scratchRoot()): Promise<string> {
  let all = own.get(root);
  if (all === undefined) {
    all = makeOwn(root);
    own.set(root, all);
    // Not for ever: there may be room the next time.
    all.catch(() => own.delete(root));
  }
  return mkdtemp(join(await all, `${kind}-`));
}

async function makeOwn(root: string): Promise<string> {
  await sweep(root);
  const folder = await mkdtemp(join(root, `suture-${namespace()}-${process.pid}-${startOf(process.pid) ?? 0}-`));
  made.add(folder);
  return folder;
}

/** Removes the folders of processes that are gone. Those of other namespaces, and of other users, are not ours to judge. */
async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const [, space, pid, start] = NAME.exec(name) ?? [];
    if (space !== namespace() || startOf(Number(pid)) === start) continue;
    await rm(join(root, name), { recursive: true, force: true }).catch(() => {});
  }
}

function namespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}

/** When a process was started, in the kernel's ticks; undefined where there is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // After the program's name, which may have spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return undefined;
    throw error;
  }
}
