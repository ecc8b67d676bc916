/** A workload made ready on this machine for a guest that is to be booted. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { scratchFolder, type Task } from "@suture/task";
import type { GuestFile } from "../initramfs.ts";
import { loadOrder } from "../modules.ts";
import { makeDisks } from "./disks.ts";
import { type Part, PROGRAM, partsOf } from "./parts.ts";
import { workloadProgram } from "./program.ts";

export interface Workload {
  parts: Part[];
  /** What is not done, and why. */
  lacks: { what: string; why: string }[];
  files: GuestFile[];
  disks: string[];
  /** Of the kernel's modules those that it needs. */
  modules: string[];
  /** Holds the disks; the caller removes it. */
  folder: string;
}

/** What a disk of the guest needs besides its file system. */
const DISK_MODULES = ["virtio_pci", "virtio_blk"];
/** What the kernel asks for when the part `alg` does something, where a livepatch is for modules of that. */
const ALG = { of: /^(af_alg|algif_\w+)$/, asks: ["algif_hash", "sha256_generic", "sha1_generic", "crc32c_generic", "md5"] };

/** @param tree the kernel's lib/modules/RELEASE */
export async function prepareWorkload(task: Task, tree: string | undefined, patched: readonly string[]): Promise<Workload> {
  return task.stage("workload", async (stage) => {
    stage.note("compiling its program");
    const made = await workloadProgram(task);
    const folder = await scratchFolder("disks");
    const lacks: Workload["lacks"] = [];
    const files: GuestFile[] = [];
    if ("program" in made) files.push({ path: PROGRAM, content: made.program, mode: 0o755 });
    else lacks.push({ what: "all but shell, mounts and network", why: made.lack });
    stage.note("making file systems");
    const contents = await scratchFolder("contents");
    for (let i = 0; i < 20; i++) await writeFile(join(contents, `file-${i}`), `line ${i}\n`.repeat(i * 50));
    const disks = await makeDisks(task, patched, folder, contents);
    lacks.push(...disks.lacks);
    const usable = (await isThere(task, tree, DISK_MODULES)) ? disks.made : [];
    const there: typeof usable = [];
    for (const disk of usable)
      if (await isThere(task, tree, [disk.module])) there.push(disk);
      else lacks.push({ what: `${disk.type} on a disk`, why: `the kernel has no ${disk.module}` });
    if (usable.length === 0) lacks.push({ what: "file systems on disks", why: `the kernel has no ${DISK_MODULES.join(" and ")}` });
    const asked: string[] = [];
    const asking = [...there.flatMap(({ asks }) => asks), ...(patched.some((name) => ALG.of.test(name)) ? ALG.asks : [])];
    for (const name of new Set(asking)) if (await isThere(task, tree, [name])) asked.push(name);
    const parts = partsOf(there, files.length > 0);
    stage.result(`${parts.length} parts, ${there.map(({ type }) => type).join(", ") || "no file system"} on disks`);
    return {
      parts,
      lacks,
      files,
      disks: there.map(({ file }) => file),
      modules: [...asked, ...(there.length === 0 ? [] : [...DISK_MODULES, ...there.map(({ module }) => module)])],
      folder,
    };
  });
}

async function isThere(task: Task, tree: string | undefined, names: readonly string[]): Promise<boolean> {
  try {
    await loadOrder(task, tree, names);
    return true;
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError) || error.code !== "LAB_MODULE_MISSING") throw error;
    return false;
  }
}
