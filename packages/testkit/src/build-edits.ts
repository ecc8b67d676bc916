/** A livepatch of changes that a test makes in the unpacked source. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { type BuildOptions, buildLivepatch, type Livepatch, readPatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";

/** In place of what stands there; of a pattern that finds what to keep, `$1`. */
export type Edit = readonly [file: string, from: RegExp, to: string];

/** The fix as a patch. @throws where a pattern finds nothing */
export function editsAsPatch(tree: string, edits: readonly Edit[]): string {
  const texts = [...new Set(edits.map(([file]) => file))].map((file) => {
    const before = readFileSync(join(tree, file), "latin1");
    const after = edits
      .filter(([other]) => other === file)
      .reduce((text, [, from, to]) => {
        if (text.search(from) < 0) throw new Error(`${file} has no ${from}`);
        return text.replace(from, to);
      }, before);
    return createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after);
  });
  return texts.join("");
}

/** Leaves the patch and the livepatch in the folder. */
export async function buildEdits(
  task: Task,
  kernel: KernelContext,
  {
    folder,
    name,
    edits,
    ...more
  }: Omit<Partial<BuildOptions>, "name" | "patches"> & { folder: string; name: string; edits: readonly Edit[] },
): Promise<Livepatch> {
  const path = join(folder, `${name}.patch`);
  writeFileSync(path, editsAsPatch(kernel.target.tree, edits), "latin1");
  const livepatch = await buildLivepatch(task, kernel, {
    patches: [await readPatch(path)],
    name,
    replace: false,
    unproven: false,
    ...more,
  });
  writeFileSync(join(folder, livepatch.file), livepatch.bytes);
  return livepatch;
}
