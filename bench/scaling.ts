/** Time and memory of the differ against the size of the objects: from a small one to one as large as the whole kernel's. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { diff, type TypeLayouts } from "@suture/diff";
import { readElf } from "@suture/elf";
import { type KernelContext, kernelObjects, pick } from "@suture/kbuild";
import { compileBoth, compileOriginal, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { linkTogether } from "./big-object.ts";
import { EDITS, writePatch } from "./edits.ts";
import type { KnownLayouts, Measured } from "./scaling-one.ts";
import { median, row } from "./text.ts";

/** MB. The last is as large as all objects of vmlinux together. */
const SIZES = [0.1, 1, 4, 16, 64];
/** Objects of the kernel that the large ones are made of, again and again. */
const OBJECTS = 60;

export async function scaling(kernel: KernelContext, folder: string, most: number): Promise<void> {
  const [edit] = EDITS;
  const patch = edit === undefined ? undefined : writePatch(kernel.target.tree, folder, edit);
  if (edit === undefined || patch === undefined) return;
  const task = new Task();
  const { original, patched, options } = await compileBoth(task, kernel, `${edit.object}.o`, [await readPatch(patch)]);
  const known: KnownLayouts = { sizes: {}, members: {}, build: options.build };
  diff(readElf(original, edit.object), readElf(original, edit.object), { ...options, layouts: remembering(options.layouts, known) });
  const objects: Uint8Array[] = [];
  for (const object of pick(kernelObjects(kernel).filter(isOfKernel(kernel)), OBJECTS, 1)) {
    const bytes = await compileOriginal(task, kernel, object);
    diff(readElf(bytes, object), readElf(bytes, object), { ...options, layouts: remembering(options.layouts, known) });
    objects.push(bytes);
  }
  const answers = join(folder, "layouts.json");
  writeFileSync(answers, JSON.stringify(known));
  const average = objects.reduce((sum, { length }) => sum + length, 0) / objects.length;
  console.log(
    `\nreading and comparing two objects, in a process of its own; ${objects.length} objects of ${(average / 1e6).toFixed(2)} MB, linked together`,
  );
  console.log(row(["size", "sections", "relocations", "fresh", "warm", "processor", "ms per MB", "ns per reloc.", "memory", "per MB"]));
  for (const size of SIZES.filter((megabytes) => megabytes <= most)) {
    const parts: Uint8Array[] = [];
    let bytes = original.length;
    for (let i = 0; bytes < size * 1e6; i++) {
      const next = objects[i % objects.length];
      if (next === undefined) break;
      // The last one is as small as fits.
      parts.push(next);
      bytes += next.length;
    }
    const name = String(size).replace(".", "-");
    const before = linkTogether([...parts, original], folder, `${name}-before`);
    const after = linkTogether([...parts, patched], folder, `${name}-after`);
    const { sections, relocations, ms, cpuMs, changed, startMb, mostMb } = measure(before, after, answers, runsFor(size));
    const [fresh = Number.NaN] = ms;
    const warm = ms.slice(ms.length >> 1);
    // Machines are shared: what it takes of a processor is what can be compared.
    const time = median(cpuMs.slice(cpuMs.length >> 1));
    const megabytes = bytes / 1e6;
    console.log(
      row([
        `${megabytes.toFixed(1)} MB${changed === 1 ? "" : `, ${changed} changed`}`,
        String(sections),
        String(relocations),
        `${fresh.toFixed(0)} ms`,
        `${median(warm).toFixed(0)} ms`,
        `${time.toFixed(0)} ms`,
        (time / megabytes).toFixed(0),
        ((time * 1e6) / relocations).toFixed(0),
        `${mostMb.toFixed(0)} MB`,
        ((mostMb - startMb) / megabytes).toFixed(1),
      ]),
    );
  }
}

/** The smaller the object, the more runs does it take until the program is warm. */
function runsFor(megabytes: number): number {
  return megabytes < 0.5 ? 200 : megabytes < 10 ? 15 : 5;
}

function isOfKernel(kernel: KernelContext): (object: string) => boolean {
  const builtIn = new Set(kernel.commands.builtIn);
  return (object) => builtIn.has(object);
}

function measure(before: string, after: string, answers: string, runs: number): Measured {
  const argv = [
    "--conditions=source",
    "--import",
    "tsx",
    join(import.meta.dirname, "scaling-one.ts"),
    before,
    after,
    answers,
    String(runs),
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8" });
  if (status !== 0) throw new Error(`comparing ${before} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

function remembering(layouts: TypeLayouts, known: KnownLayouts): TypeLayouts {
  return {
    size(struct) {
      const size = layouts.size(struct);
      if (size !== undefined) known.sizes[struct] = size;
      return size;
    },
    member(struct, name) {
      const member = layouts.member(struct, name);
      if (member !== undefined) known.members[`${struct}.${name}`] = member;
      return member;
    },
  };
}
