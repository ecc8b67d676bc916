/** Which files are edited: of the middle size, so that a compilation takes a second, from all of the kernel's large folders. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { Random } from "./random.ts";

const FOLDERS = ["kernel", "mm", "fs", "net", "block", "lib", "drivers", "arch/x86", "security", "crypto", "ipc"];
/** Programs beside the kernel, and code that is compiled for several. */
const BESIDE = /^(?:arch\/x86\/(?:boot|entry\/vdso|purgatory|realmode)|drivers\/firmware\/efi\/libstub|lib\/(?:raid6|decompress))/;
const LEAST = 3_000;

/** Source and object, in the order in which they are edited: of each folder in turn. */
export function filesOf(
  { commands, sourceRoot }: KernelContext,
  { seed, largest }: { seed: number; largest: number },
): { path: string; object: string; owner: string }[] {
  const random = new Random(seed);
  const all = commands.sources.flatMap((path) => {
    const [object, ...others] = commands.ofSource(path);
    const owner = object === undefined ? undefined : commands.ownerOf(object);
    if (object === undefined || owner === undefined || others.length > 0 || BESIDE.test(path) || path.includes("..")) return [];
    const size = statSync(join(sourceRoot, path), { throwIfNoEntry: false })?.size ?? 0;
    return size < LEAST || size > largest ? [] : [{ path, object, owner }];
  });
  const lists = FOLDERS.map((folder) => random.shuffled(all.filter(({ path }) => path.startsWith(`${folder}/`))));
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}
