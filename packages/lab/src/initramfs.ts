/** What the guest's memory holds when its kernel starts: busybox with its names, our init, and the caller's files. */
import { readFile } from "node:fs/promises";
import { run, type Task } from "@suture/task";
import { type CpioEntry, writeCpio } from "./cpio.ts";
import { fail } from "./errors.ts";
import { FSTAB } from "./init-script.ts";

/** A file for the guest: its absolute path there, and its bytes or the local file that holds them. */
export interface GuestFile {
  path: string;
  content: Uint8Array | { file: string };
  /** Permission bits; 0644 unless given. */
  mode?: number;
}

const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"];
const DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "run/lab", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin"];

/**
 * @param init the first program.
 * @returns the archive, not compressed: unpacking costs an emulated guest more than reading.
 */
export async function buildInitramfs(task: Task, init: string, files: readonly GuestFile[]): Promise<Buffer> {
  const busybox = await findBusybox();
  const applets = (await run(task, [busybox.path, "--list-full"])).stdout.split("\n").filter((line) => line !== "");
  const entries = new Map<string, CpioEntry>();
  for (const path of DIRECTORIES) entries.set(path, { kind: "directory", path, mode: path === "tmp" ? 0o1777 : 0o755 });
  // The kernel opens /dev/console for init before init can mount anything.
  entries.set("dev/console", { kind: "device", path: "dev/console", mode: 0o600, major: 5, minor: 1 });
  entries.set("bin/busybox", { kind: "file", path: "bin/busybox", mode: 0o755, data: busybox.data });
  for (const applet of applets) if (!entries.has(applet)) entries.set(applet, { kind: "link", path: applet, target: "/bin/busybox" });
  entries.set("init", { kind: "file", path: "init", mode: 0o755, data: Buffer.from(init) });
  entries.set("etc/fstab", { kind: "file", path: "etc/fstab", mode: 0o644, data: Buffer.from(FSTAB) });
  for (const file of files) {
    const path = file.path.replace(/^\/+/, "");
    addParents(entries, path);
    entries.set(path, { kind: "file", path, mode: file.mode ?? 0o644, data: await bytesOf(file) });
  }
  return writeCpio([...entries.values()]);
}

async function findBusybox(): Promise<{ path: string; data: Buffer }> {
  for (const path of BUSYBOX) {
    const data = await readFile(path).catch(() => undefined);
    if (data === undefined) continue;
    // A program that needs a dynamic linker names it by its path; the guest has none.
    if (data.includes("/ld-linux")) throw fail("LAB_BUSYBOX_MISSING", `${path} is not linked statically`, { file: path });
    return { path, data };
  }
  throw fail("LAB_BUSYBOX_MISSING", "there is no busybox", { file: BUSYBOX[0] });
}

function addParents(entries: Map<string, CpioEntry>, path: string): void {
  const names = path.split("/").slice(0, -1);
  for (let depth = 1; depth <= names.length; depth++) {
    const parent = names.slice(0, depth).join("/");
    if (!entries.has(parent)) entries.set(parent, { kind: "directory", path: parent, mode: 0o755 });
  }
}

async function bytesOf(file: GuestFile): Promise<Uint8Array> {
  return file.content instanceof Uint8Array ? file.content : readable(file.content.file);
}

/** The bytes of a local file. @throws LAB_FILE_UNREADABLE */
export async function readable(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fail("LAB_FILE_UNREADABLE", `${path} cannot be read`, { file: path }, { cause: error });
  }
}
