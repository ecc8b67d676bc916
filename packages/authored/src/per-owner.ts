/** Code of ours that runs when each of several objects of the kernel is patched: compiled once, with a part for each that says so. */
import { newObject, readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { Answers, type Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compileAuthored } from "./compile.ts";
import { takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";

/** What the differ wrote of one object: the symbol, and how many entries it has. */
export interface OwnedTable {
  /** "vmlinux" or a module. */
  owner: string;
  table: string;
  count: number;
}

/** "vmlinux" first: its callbacks tell when a transition begins and ends. */
export function ownersOf(tables: readonly OwnedTable[]): string[] {
  return [...new Set(["vmlinux", ...tables.map(({ owner }) => owner)])];
}

/** One part holds the code; those of modules say that it runs for them too. @param module the livepatch's name as the kernel has it */
export async function partsPerOwner(
  task: Task,
  kernel: KernelContext,
  { file, source, list }: { file: string; source: string; list: { name: string; text: string } },
  tables: readonly OwnedTable[],
  module: string,
): Promise<Part[]> {
  const beside = [{ name: list.name, bytes: Buffer.from(list.text) }];
  const compiled = await compileAuthored(task, kernel, { name: file, bytes: Buffer.from(source), folder: undefined, beside }, module);
  const object = readElf(compiled, file);
  const { callbacks } = takeDeclarations(object);
  return ownersOf(tables).map((owner, i): Part => {
    const code = i === 0 ? object : newObject(file, object);
    return {
      object: file,
      owner: owner === "vmlinux" ? kernel.symbolSources.vmlinux : new Answers(owner),
      delta: {
        object: code,
        functions: [],
        callbacks: callbacks.filter((one) => one.object === owner).map(({ kind, name, symbol }) => ({ kind, name, symbol })),
        externals: code.symbols
          // The module itself is nobody's but its own.
          .filter(({ place, name }) => place === "undef" && name !== "" && name !== "__this_module")
          .map((symbol) => ({ symbol, original: undefined })),
        exposed: [],
      },
      locate: (symbol) => {
        throw fail("AUTHORED_MISSING", "the kernel's symbols are not named there", { symbol: symbol.name });
      },
    };
  });
}
