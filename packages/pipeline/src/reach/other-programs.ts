/** Programs that the kernel's image carries as data: the vDSO, purgatory, code of the boot. They are not the kernel's code, and no livepatch reaches them. */
import type { KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { compile, compileKept } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { PatchNote } from "../patch/apply.ts";

export interface Separated {
  /** Those of the kernel and its modules. */
  objects: ObjectCommand[];
  /** What such programs keep as it was. */
  notes: PatchNote[];
}

/**
 * Takes the objects of such programs out.
 * @param throughHeaders objects that a changed header reaches: what a program and the kernel agree on may change
 * @throws BUILD_OTHER_PROGRAM if one of them comes out otherwise by a header, or nothing else is left
 */
export async function withoutOtherPrograms(
  task: Task,
  kernel: KernelContext,
  objects: readonly ObjectCommand[],
  throughHeaders: ReadonlySet<string>,
  view: SourceView,
): Promise<Separated> {
  const others = objects.filter(({ object }) => kernel.commands.programOf(object) !== undefined);
  const rest = objects.filter((command) => !others.includes(command));
  const notes: PatchNote[] = [];
  for (const command of others) {
    const [before, after] = await Promise.all([
      compileKept(task, command, "plain", kernel.original, kernel.tools),
      compile(task, command, "plain", view),
    ]);
    if (Buffer.compare(before.bytes, after.bytes) === 0) continue;
    const program = kernel.commands.programOf(command.object) ?? "";
    const what = `${command.source} is compiled into ${program}, a program that the kernel carries and does not run itself`;
    if (rest.length === 0) throw fail("BUILD_OTHER_PROGRAM", what, { file: command.object });
    if (throughHeaders.has(command.object))
      throw fail("BUILD_OTHER_PROGRAM", `${what}, and a header of the fix changes it: the kernel and the program may not agree any more`, {
        file: command.object,
      });
    notes.push({ object: command.object, text: `${what}: that copy stays as it is` });
  }
  return { objects: rest, notes };
}
