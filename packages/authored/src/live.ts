/** The code that changes words of the kernel's variables where they stand (packages/livepatch/c/live.c), with the tables that the differ wrote. */
import { newObject, readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { Answers, liveSource, type Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compileAuthored } from "./compile.ts";
import { takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";

/** Of one object: the symbol, and how many words it has. */
export interface LiveTable {
  /** "vmlinux" or a module. */
  owner: string;
  table: string;
  count: number;
}

const FILE = "suture_live.c";

/** One part holds the code; those of modules say that it runs for them too. @param module the livepatch's name as the kernel has it */
export async function liveParts(task: Task, kernel: KernelContext, tables: readonly LiveTable[], module: string): Promise<Part[]> {
  const owners = [...new Set(["vmlinux", ...tables.map(({ owner }) => owner)])];
  const source = {
    name: FILE,
    bytes: Buffer.from(liveSource()),
    folder: undefined,
    beside: [{ name: "suture_live_lists.h", bytes: Buffer.from(listsOf(tables)) }],
  };
  const object = readElf(await compileAuthored(task, kernel, source, module), FILE);
  const { callbacks } = takeDeclarations(object);
  return owners.map((owner, i): Part => {
    const code = i === 0 ? object : newObject(FILE, object);
    return {
      object: FILE,
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

function listsOf(tables: readonly LiveTable[]): string {
  // Where vmlinux has no word, its calls tell when a transition begins and ends.
  const owners = [...new Set(["vmlinux", ...tables.map(({ owner }) => owner)])];
  return [
    ...tables.map(({ table }) => `extern struct suture_live_word ${table}[];`),
    "static const struct suture_live_list suture_live_lists[] = {",
    ...tables.map(({ owner, table, count }) => `\t{ ${owner === "vmlinux" ? "NULL" : `"${owner}"`}, ${table}, ${count} },`),
    "};",
    ...owners.flatMap((owner) => [
      `SUTURE_PRE_PATCH("${owner}", suture_live_look);`,
      `SUTURE_POST_PATCH("${owner}", suture_live_put);`,
      `SUTURE_PRE_UNPATCH("${owner}", suture_live_put_back);`,
    ]),
    "",
  ].join("\n");
}
