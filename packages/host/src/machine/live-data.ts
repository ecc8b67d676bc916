/** Words of the kernel's variables that a livepatch changes where they stand: what its module says of them (packages/livepatch/c/live.c). */
import type { Machine } from "./machine.ts";
import type { Snapshot } from "./snapshot.ts";

export interface LiveWord {
  /** "vmlinux" or a module. */
  object: string;
  /** With the bytes from its start. */
  variable: string;
  in: boolean;
}

export function liveWordsOf(machine: Machine, name: string): LiveWord[] {
  const text = machine.text(`/sys/module/${name}/parameters/live_data`) ?? "";
  return [...text.matchAll(/^(in|out) (\S+) (\S+)$/gm)].map(([, state, object = "", variable = ""]) => ({
    object,
    variable,
    in: state === "in",
  }));
}

/** Those that are to be changed, and are not, for people; undefined if there is none. */
export function missingWords(now: Snapshot, name: string): string | undefined {
  const loaded = new Set(["vmlinux", ...now.modules.map((module) => module.name)]);
  const missing = liveWordsOf(now.machine, name).filter((word) => !word.in && loaded.has(word.object));
  return missing.length === 0 ? undefined : missing.map(({ variable, object }) => `${variable} of ${object}`).join(", ");
}
