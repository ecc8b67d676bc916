/** Whether the modules that a livepatch is for are, where they are loaded, those that it was proven against: another build has other code. */
import { fail } from "../errors.ts";
import { buildIdIn } from "../machine/kernel.ts";
import type { Machine } from "../machine/machine.ts";
import type { ModuleFile } from "../module/module-file.ts";

const NOTE = ".note.gnu.build-id";

/** @throws HOST_OTHER_MODULE. @returns those that are loaded, and those that are not */
export function checkPatchedModules(machine: Machine, { file, manifest }: ModuleFile): { same: string[]; absent: string[] } {
  const same: string[] = [];
  const absent: string[] = [];
  for (const { name, buildId, srcversion } of manifest?.modules ?? []) {
    const notes = machine.bytes(`/sys/module/${name}/notes/${NOTE}`);
    const loaded = {
      buildId: notes === undefined ? undefined : buildIdIn(notes, NOTE),
      srcversion: machine.line(`/sys/module/${name}/srcversion`),
      state: machine.line(`/sys/module/${name}/initstate`),
    };
    if (loaded.state === undefined) {
      absent.push(name);
      continue;
    }
    const [kind, mine, theirs] =
      buildId !== undefined ? ["build-id", buildId, loaded.buildId] : (["srcversion", srcversion, loaded.srcversion] as const);
    if (mine !== undefined && mine !== theirs)
      throw fail("HOST_OTHER_MODULE", `it is for ${name} with ${kind} ${mine}; the one that is loaded has ${theirs ?? "none"}`, {
        file,
        symbol: name,
      });
    same.push(name);
  }
  return { same, absent };
}
