/** A whole Debian system on a disk, made by debootstrap from the archive that this machine uses, and kept in the cache. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { programFiles } from "@suture/lab";
import { run, type Task } from "@suture/task";

const SIZE = 900 * 1024 * 1024;
/** What a system in a folder lacks that starts by itself. */
export const INCLUDE = ["systemd", "systemd-sysv", "udev", "kmod", "dbus"];
/** What a small machine of its own does without, and an emulated one would wait for. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer"],
  ...["getty@tty1.service", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service", "systemd-pstore.service"],
];
const FSTAB = "/dev/vda / ext4 errors=remount-ro 0 1\n";

/** @returns a raw ext4 image, which is not to be changed */
export async function systemImage(task: Task, cache: string): Promise<string> {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "stable";
  const key = createHash("sha256")
    .update(JSON.stringify([suite, SIZE, INCLUDE, MASKED, FSTAB, process.version]))
    .digest("hex")
    .slice(0, 16);
  const folder = join(cache, "systems");
  const image = join(folder, `${suite}-${key}.ext4`);
  if (existsSync(image)) return image;
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(folder, "partial-"));
  try {
    const root = join(scratch, "root");
    await run(task, ["debootstrap", "--variant=minbase", `--include=${INCLUDE.join(",")}`, suite, root, await mirror()], { env: { PATH } });
    // Node is what Suture needs; this machine's, which is of the same Debian.
    for (const { path, content } of await programFiles(task, ["node"]))
      if ("file" in content) await cp(content.file, join(root, path === "/bin/node" ? "usr/local/bin/node" : path), { dereference: true });
    const partial = join(scratch, "image");
    await imageOf(task, root, partial);
    await rename(partial, image);
    return image;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @param root a system in a folder, with systemd: it becomes one that starts from its first disk. @param image the disk, which is made. @param size bytes */
export async function imageOf(task: Task, root: string, image: string, size = SIZE): Promise<void> {
  await writeFile(join(root, "etc/fstab"), FSTAB);
  await writeFile(join(root, "etc/hostname"), "suture\n");
  for (const unit of MASKED) await run(task, ["ln", "-sf", "/dev/null", join(root, "etc/systemd/system", unit)]);
  for (const folder of ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"])
    await empty(join(root, folder));
  await writeFile(image, "");
  await truncate(image, size);
  await run(task, ["mkfs.ext4", "-q", "-F", "-d", root, image], { env: { PATH } });
}

const PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
}

/** The first that this machine's apt names. */
async function mirror(): Promise<string> {
  const sources = [
    "/etc/apt/sources.list",
    ...(await readdir("/etc/apt/sources.list.d")).map((name) => join("/etc/apt/sources.list.d", name)),
  ];
  for (const file of sources) {
    const text = existsSync(file) ? await readFile(file, "utf8") : "";
    const found = /^(?:deb(?: \[[^\]]*\])? |URIs: *)(https?:\S+\/debian)\/?(?=\s)/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return "http://deb.debian.org/debian";
}
