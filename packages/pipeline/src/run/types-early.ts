/** Layouts, held against each other before much is compiled. */
import { readElf } from "@suture/elf";
import type { KernelContext, SourceView } from "@suture/kbuild";
import { compile, compileKept, type Variant } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { checkLayouts } from "@suture/types";
import type { ChangedFile } from "../patch/apply.ts";

/** Of a fix of many files the others are looked at when all has been compiled: here each would be compiled once more. */
const MOST = 16;

/**
 * A changed header may reach hundreds of objects. Whether it changes a layout, which would be refused in the end, is mostly seen in the patch's
 * own C files already.
 * @throws BUILD_LAYOUT
 */
export async function checkTypesEarly(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  { variant, accepted }: { variant: Variant; accepted: ReadonlySet<string> },
): Promise<void> {
  if (variant !== "types" || files.every(({ path }) => path.endsWith(".c"))) return;
  const objects = files.flatMap(({ path }) => kernel.commands.ofSource(path)).slice(0, MOST);
  if (objects.length === 0) return;
  await task.stage("types", async (stage) => {
    const differ = new Set<string>();
    for (const [done, object] of objects.entries()) {
      stage.note(object);
      stage.progress(done, objects.length, "objects");
      const command = kernel.commands.of(object);
      const [before, after] = await Promise.all([
        compileKept(task, command, variant, kernel.original, kernel.tools),
        compile(task, command, variant, view),
      ]);
      for (const note of checkLayouts(readElf(before.bytes, object), readElf(after.bytes, object), accepted)) differ.add(note);
    }
    stage.result(differ.size === 0 ? "all structures lie as before" : [...differ].join("; "));
  });
}
