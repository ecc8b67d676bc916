/** The code that holds new members beside the objects of their structures (packages/livepatch/c/members.c). */
import { readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { membersSource, type Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compileAuthored } from "./compile.ts";
import { takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";

const FILE = "suture_members.c";

/** @param list of the members, in C. @param module the livepatch's name as the kernel has it */
export async function memberParts(task: Task, kernel: KernelContext, list: string, module: string): Promise<Part[]> {
  const beside = [{ name: "suture_members_list.h", bytes: Buffer.from(list) }];
  const source = { name: FILE, bytes: Buffer.from(membersSource()), folder: undefined, beside };
  const object = readElf(await compileAuthored(task, kernel, source, module), FILE);
  const { callbacks } = takeDeclarations(object);
  return [
    {
      object: FILE,
      owner: kernel.symbolSources.vmlinux,
      delta: {
        object,
        functions: [],
        callbacks: callbacks.map(({ kind, name, symbol }) => ({ kind, name, symbol })),
        externals: object.symbols
          // The module itself is nobody's but its own.
          .filter(({ place, name }) => place === "undef" && name !== "" && name !== "__this_module")
          .map((symbol) => ({ symbol, original: undefined })),
        exposed: [],
      },
      locate: (symbol) => {
        throw fail("AUTHORED_MISSING", "the kernel's symbols are not named there", { symbol: symbol.name });
      },
    },
  ];
}
