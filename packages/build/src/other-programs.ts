/** Programs of 16 or 32 bits that the kernel's image carries as data: the vDSO of 32-bit processes, code of the boot. They are not the kernel's code. */
import { join } from "node:path";
import type { Task } from "@suture/task";
import { compile, compileKept } from "./compile.ts";
import type { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";
import type { SourceView } from "./view.ts";

/**
 * The objects without those of such programs.
 * @throws BUILD_OTHER_PROGRAM if one of them comes out otherwise than before
 */
export async function withoutOtherPrograms(
  task: Task,
  kernel: KernelContext,
  objects: readonly ObjectCommand[],
  view: SourceView,
): Promise<ObjectCommand[]> {
  const others = objects.filter((command) => /\s-m(16|32)\s/.test(command.compile));
  const compiler = { identity: kernel.compiler, cache: join(kernel.cache, "objects") };
  for (const command of others) {
    const [before, after] = await Promise.all([
      compileKept(task, command, "plain", kernel.original, compiler),
      compile(task, command, "plain", view),
    ]);
    if (Buffer.compare(before.bytes, after.bytes) !== 0)
      throw fail("BUILD_OTHER_PROGRAM", "its code changes, which the kernel carries and does not run itself", { file: command.object });
  }
  return objects.filter((command) => !others.includes(command));
}
