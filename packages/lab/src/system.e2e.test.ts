/** A guest that boots a whole system from its disk: as small a one as there is. */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@suture/task";
import { KERNELS, type TestKernel, testKernel } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, type Guest } from "./index.ts";

const task = new Task();
/** Its systemd, so to speak: all that it does is to start our agent. */
const INIT = `#!/bin/busybox sh
export PATH=/bin
mount -o remount,rw /
exec /bin/sh /run/lab/agent
`;
let folder: string;
let disk: string;
let kernel: TestKernel;

beforeAll(async () => {
  kernel = await testKernel(task, KERNELS[0]);
  folder = await mkdtemp(join(tmpdir(), "suture-system-"));
  const root = join(folder, "root");
  for (const name of ["bin", "sbin", "proc", "sys", "dev", "run", "tmp"]) await mkdir(join(root, name), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  await symlink("busybox", join(root, "bin/sh"));
  await writeFile(join(root, "sbin/init"), INIT, { mode: 0o755 });
  disk = join(folder, "disk");
  await writeFile(disk, "");
  await truncate(disk, 16 * 1024 * 1024);
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  execFileSync("mkfs.ext4", ["-q", "-F", "-d", root, disk], { env: { ...process.env, PATH } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bootSystem = (): Promise<Guest> =>
  boot(task, {
    image: kernel.image,
    system: true,
    disks: [disk],
    modules: { tree: kernel.modules, names: ["virtio_pci", "virtio_blk", "ext4"] },
    memory: 256,
    cpus: 1,
    graceMs: 60_000,
    append: ["suture.test=2"],
  });

test("its own init runs, what it writes stays when it goes down in order, and what was synced when its power is cut", async () => {
  let guest = await bootSystem();
  expect(guest.release).toBe(kernel.release);
  expect(
    (await guest.run("cat /proc/1/cmdline | tr '\\0' ' '; mount | grep -c '/dev/vda on / type ext4 (rw'; cat /proc/cmdline")).output,
  ).toMatch(/^\/bin\/sh \/run\/lab\/agent 1\n.* suture\.test=2\n$/);
  await guest.run("echo one >/one; sync");
  await guest.stop();
  guest = await bootSystem();
  expect((await guest.run("cat /one; echo two >/two")).output).toBe("one\n");
  await guest.shutDown("sync; reboot -f");
  expect(guest.alive).toBe(false);
  guest = await bootSystem();
  expect((await guest.run("cat /one /two")).output).toBe("one\ntwo\n");
  expect(guest.events()).toEqual([]);
  await guest.stop();
});
