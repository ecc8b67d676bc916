/**
 * States of the system that loaded livepatches have declared. The kernel takes no livepatch that would replace one and does not know each of its
 * states, or knows an older version of one (klp_is_patch_compatible); all that it says is EINVAL.
 */
import { fail } from "../errors.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { recordOf } from "../store/records.ts";

interface State {
  id: number;
  version: number;
}

/** @returns the refusal, where the states do not fit; and of what livepatches the states are not known, because a record is damaged */
export function stateConflict(
  now: Snapshot,
  { file, inspection }: ModuleFile,
): { refusal: ReturnType<typeof fail> | undefined; unknown: string[] } {
  const { states: own = [], replace = false } = inspection.descriptor ?? {};
  const unknown: string[] = [];
  for (const { name } of now.patches) {
    const { module, damage } = recordOf(now.machine, name);
    if (module === undefined && damage !== undefined) unknown.push(`${name}: ${damage}`);
    const why = conflictOf(module?.inspection.descriptor?.states ?? [], own, replace);
    if (why !== undefined)
      return { refusal: fail("HOST_STATES", `${name} has changed the system in a way that ${why}`, { file }), unknown };
  }
  return { refusal: undefined, unknown };
}

/** What of the states of a loaded livepatch another does not bear, in words. */
export function conflictOf(loaded: readonly State[], own: readonly State[], replace: boolean): string | undefined {
  for (const { id, version } of loaded) {
    const twin = own.find((state) => state.id === id);
    if (twin === undefined && replace) return `this one does not know: state ${id}, version ${version}`;
    if (twin !== undefined && twin.version < version)
      return `this one is too old for: state ${id} has version ${version}, it knows version ${twin.version}`;
  }
  return undefined;
}
