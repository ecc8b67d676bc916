/** File systems on disks for a guest, made by the programs of this machine that make them, in files. */
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { findProgram, SBIN } from "@suture/files";
import { run, type Task } from "@suture/task";

interface DiskFileSystem {
  /** As mount has it. */
  type: string;
  /** Modules that may have it: as a livepatch names what it patches. */
  modules: readonly string[];
  /** Modules that the kernel asks for when it is mounted, which nobody gives it in the guest; some kernels have others. */
  asks?: readonly string[];
  /** In this order the first that is there; its words before the disk. */
  make: readonly (readonly [program: string, ...words: string[]])[];
  /** Size of the disk: most of it is never written. */
  mib: number;
  /** It is made of a folder, and cannot be written to. @returns words after the program */
  of?: (disk: string, folder: string) => string[];
}

const KNOWN: readonly DiskFileSystem[] = [
  { type: "ext4", modules: ["ext4", "jbd2", "mbcache"], make: [["mkfs.ext4", "-q", "-F"]], mib: 32 },
  { type: "xfs", modules: ["xfs"], make: [["mkfs.xfs", "-q", "-f"]], mib: 320 },
  { type: "btrfs", modules: ["btrfs"], make: [["mkfs.btrfs", "-q", "-f"]], mib: 128 },
  { type: "f2fs", modules: ["f2fs"], make: [["mkfs.f2fs", "-q", "-f"]], mib: 64 },
  {
    type: "vfat",
    modules: ["vfat", "fat"],
    // By CONFIG_FAT_DEFAULT_CODEPAGE and CONFIG_FAT_DEFAULT_IOCHARSET.
    asks: ["nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8"],
    make: [["mkfs.vfat"], ["busybox", "mkdosfs"]],
    mib: 16,
  },
  { type: "exfat", modules: ["exfat"], make: [["mkfs.exfat"]], mib: 16 },
  { type: "nilfs2", modules: ["nilfs2"], make: [["mkfs.nilfs2", "-q"]], mib: 128 },
  { type: "ntfs3", modules: ["ntfs3"], make: [["mkfs.ntfs", "-q", "-F", "-f"]], mib: 32 },
  { type: "minix", modules: ["minix"], make: [["mkfs.minix"]], mib: 16 },
  { type: "udf", modules: ["udf"], make: [["mkudffs"]], mib: 16 },
  {
    type: "squashfs",
    modules: ["squashfs"],
    make: [["mksquashfs"]],
    mib: 0,
    of: (disk, folder) => [folder, disk, "-noappend", "-quiet", "-no-progress"],
  },
  { type: "erofs", modules: ["erofs"], make: [["mkfs.erofs"]], mib: 0, of: (disk, folder) => [disk, folder] },
  {
    type: "iso9660",
    modules: ["isofs"],
    make: [["genisoimage"], ["xorrisofs"]],
    mib: 0,
    of: (disk, folder) => ["-quiet", "-R", "-o", disk, folder],
  },
];

/** Without it there is nothing to read blocks for. */
const ALWAYS = "ext4";

export interface MadeDisk {
  type: string;
  /** The module to load for it. */
  module: string;
  asks: readonly string[];
  file: string;
  readOnly: boolean;
}

export interface Disks {
  made: MadeDisk[];
  /** What could not be made, and why. */
  lacks: { what: string; why: string }[];
}

/**
 * @param patched modules that a livepatch is for
 * @param folder for the disks
 * @param contents a folder that read-only ones are made of
 */
export async function makeDisks(task: Task, patched: readonly string[], folder: string, contents: string): Promise<Disks> {
  const found: Disks = { made: [], lacks: [] };
  for (const known of KNOWN.filter(({ type, modules }) => type === ALWAYS || modules.some((name) => patched.includes(name)))) {
    const made = await makeOne(task, known, join(folder, known.type), contents);
    if (typeof made === "string") found.lacks.push({ what: `${known.type} on a disk`, why: made });
    else found.made.push(made);
  }
  return found;
}

/** @returns the disk, or why there is none */
async function makeOne(
  task: Task,
  { type, modules, asks = [], make, mib, of }: DiskFileSystem,
  file: string,
  contents: string,
): Promise<MadeDisk | string> {
  for (const [program, ...words] of make) {
    const path = await findProgram(program, SBIN);
    if (path === undefined) continue;
    try {
      if (of === undefined) {
        await writeFile(file, "");
        await truncate(file, mib * 1024 * 1024);
      }
      await run(task, [path, ...words, ...(of === undefined ? [file] : of(file, contents))]);
      return { type, module: modules[0] ?? type, asks, file, readOnly: of !== undefined };
    } catch (error) {
      task.check();
      if (!(error instanceof SutureError)) throw error;
      return error.message.split("\n", 1)[0] ?? "";
    }
  }
  return `there is no ${make.map(([program]) => program).join(" or ")} on this machine`;
}
