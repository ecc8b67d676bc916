/** Layouts, held against each other before much is compiled. */
import { readElf } from "@suture/elf";
import type { KernelContext, SourceView } from "@suture/kbuild";
import { compile, compileKept, type Variant } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { checkLayouts, type Holes } from "@suture/types";
import type { ChangedFile } from "../patch/apply.ts";
import { candidatesIn } from "./stack-types.ts";

/** Of a fix of many files the others are looked at when all has been compiled: here each would be compiled once more. */
const MOST = 16;

/**
 * A changed header may reach hundreds of objects. Whether it changes a layout, which would be refused in the end, is mostly seen in the patch's
 * own C files already.
 * @returns whether a structure lies otherwise that may live on stacks only. @throws BUILD_LAYOUT
 */
export async function checkTypesEarly(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  { variant, accepted, holes, stackTypes }: { variant: Variant; accepted: ReadonlySet<string>; holes: Holes; stackTypes: boolean },
): Promise<boolean> {
  if (variant !== "types") return false;
  // Who names a structure of a C file is compiled all the same: the file itself, and what includes it.
  if (files.every(({ path }) => path.endsWith(".c"))) return stackTypes;
  const objects = files.flatMap(({ path }) => kernel.commands.ofSource(path)).slice(0, MOST);
  if (objects.length === 0) return false;
  return task.stage("types", async (stage) => {
    const differ = new Set<string>();
    const candidates = new Set<string>();
    for (const [done, object] of objects.entries()) {
      stage.note(object);
      stage.progress(done, objects.length, "objects");
      const command = kernel.commands.of(object);
      const [before, after] = await Promise.all([
        compileKept(task, command, variant, kernel.original, kernel.tools),
        compile(task, command, variant, view),
      ]);
      const [original, patched] = [readElf(before.bytes, object), readElf(after.bytes, object)];
      const { names, ground } = stackTypes
        ? candidatesIn(original, patched, new Set([...accepted, ...holes.keys()]))
        : { names: [], ground: undefined };
      if (ground === undefined) for (const name of names) candidates.add(name);
      const stacks = { has: (name: string) => ground === undefined && names.includes(name), ground };
      for (const note of checkLayouts(original, patched, accepted, { stacks, holes })) differ.add(note);
    }
    for (const name of candidates) differ.add(`${name} lies otherwise, perhaps on stacks only`);
    stage.result(differ.size === 0 ? "all structures lie as before" : [...differ].join("; "));
    return candidates.size > 0;
  });
}
