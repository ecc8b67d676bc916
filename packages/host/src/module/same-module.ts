/** Whether the module that the kernel has under a name is the one of a file: names are taken, and taken over. */
import { readElf } from "@suture/elf";
import { buildIdIn } from "../machine/kernel.ts";
import type { Machine } from "../machine/machine.ts";
import type { ModuleFile } from "./module-file.ts";

const NOTE = ".note.gnu.build-id";

/** Undefined where neither build-id nor srcversion tells, as for a module that is not in the kernel. */
export function isLoadedFrom(machine: Machine, module: ModuleFile): boolean | undefined {
  const { name, file, bytes } = module;
  const notes = machine.bytes(`/sys/module/${name}/notes/${NOTE}`);
  if (notes !== undefined) {
    const own = readElf(bytes, file).sections.find((section) => section.name === NOTE);
    return own !== undefined && buildIdIn(own.data, file) === buildIdIn(notes, NOTE);
  }
  const theirs = machine.line(`/sys/module/${name}/srcversion`);
  if (theirs === undefined) return undefined;
  return module.inspection.modinfo.find(({ key }) => key === "srcversion")?.values[0] === theirs;
}
