/** Functions that a probe of the kernel redirects to a livepatch: what its module says of them (packages/livepatch/c/redirect.c). */
import type { Machine } from "./machine.ts";
import type { Snapshot } from "./snapshot.ts";

export interface Redirect {
  /** "vmlinux" or a module. */
  object: string;
  function: string;
  in: boolean;
  /** Calls that came to the old function meanwhile. */
  missed: number;
}

export function redirectsOf(machine: Machine, name: string): Redirect[] {
  const text = machine.text(`/sys/module/${name}/parameters/redirects`) ?? "";
  return [...text.matchAll(/^(in|out) (\S+) (\S+) (\d+)$/gm)].map(([, state, object = "", of = "", missed]) => ({
    object,
    function: of,
    in: state === "in",
    missed: Number(missed),
  }));
}

/** Those that are to be redirected, and are not, for people; undefined if there is none. */
export function missingRedirects(now: Snapshot, name: string): string | undefined {
  const loaded = new Set(["vmlinux", ...now.modules.map((module) => module.name)]);
  const missing = redirectsOf(now.machine, name).filter((one) => !one.in && loaded.has(one.object));
  return missing.length === 0 ? undefined : missing.map((one) => `${one.function} of ${one.object}`).join(", ");
}
