/**
 * NAME.loading in the store: it stands from before a load until the livepatch has settled, has been taken out, or the machine goes down in order. One
 * that still stands in another boot says that the machine went down with it.
 */
import { type Marker, markerSchema } from "@suture/protocol";
import * as v from "valibot";
import { runningKernel, uptime } from "../machine/kernel.ts";
import { progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { recordOf } from "./records.ts";

/** One that is no marker any more stands for a load that was interrupted, in no boot that is known. */
export function markerOf(bytes: Buffer): Marker {
  try {
    const checked = v.safeParse(markerSchema, JSON.parse(bytes.toString("utf8")));
    if (checked.success) return checked.output;
  } catch {
    // No JSON: damaged.
  }
  return { bootId: "", phase: "loading", uptime: 0 };
}

/** One that is in the kernel already may still show that it does harm: the guard stands from its load on, as far as that is known. */
export function markerOfLoaded(machine: Machine, { name, release, sha256 }: ModuleFile): Marker | undefined {
  const running = runningKernel(machine);
  if (release !== running.release || progressOf(machine, name) === undefined) return undefined;
  const { module, load } = recordOf(machine, name);
  if (module !== undefined && module.sha256 !== sha256) return undefined;
  const since = module === undefined ? undefined : load?.uptime;
  return { bootId: running.bootId, phase: "settling", uptime: since ?? uptime(machine) };
}
