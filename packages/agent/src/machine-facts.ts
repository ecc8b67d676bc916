/** This machine, as the decision sees it. */
import { lstatSync } from "node:fs";
import { type Machine, status } from "@suture/host";
import { type AgentConfiguration, packageVersionOf } from "@suture/protocol";
import type { Facts } from "./decision/facts.ts";
import { fail } from "./errors.ts";
import { HOLDS } from "./layout.ts";

/** @throws AGENT_CONFIGURATION if the machine has no id of its own */
export async function factsOf(machine: Machine, configuration: AgentConfiguration): Promise<Facts> {
  const { fleet, channel, labels, windows, soakSeconds } = configuration;
  const { kernel, off, patches, idle, installed, unreadable } = await status(machine);
  const kept = installed.filter(({ release }) => release === kernel.release);
  return {
    fleet,
    channel,
    labels,
    windows,
    soakSeconds,
    machineId: machineIdOf(machine),
    release: kernel.release,
    buildId: kernel.buildId,
    version: packageVersionOf(machine.text("/proc/version") ?? ""),
    bootId: kernel.bootId,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    // Nobody knows what is quarantined in it.
    hold: holdOf(machine) ?? (unreadable.length === 0 ? undefined : `the store cannot be read: ${unreadable.join("; ")}`),
    watched: configuration.server !== undefined,
    off,
    moving: patches.find(({ transition }) => transition !== undefined)?.name,
    present: [
      ...patches.map(({ name, sha256, enabled, transition }) => ({ name, sha256, inEffect: enabled && transition === undefined })),
      // The kernel has no more than its name; what is kept under that name is what was loaded.
      ...idle.map((name) => ({ name, sha256: kept.find((entry) => entry.name === name)?.sha256, inEffect: false })),
    ],
    kept: kept.map(({ name, sha256, quarantine }) => ({ name, sha256, quarantine })),
    keptElsewhere: installed
      .filter(({ release }) => release !== kernel.release)
      .map(({ name, sha256, release }) => ({ name, sha256, release })),
  };
}

/** @throws AGENT_CONFIGURATION */
function machineIdOf(machine: Machine): string {
  const file = "/etc/machine-id";
  const id = machine.line(file);
  if (id !== undefined && /^[0-9a-f]{32}$/.test(id)) return id;
  throw fail(
    "AGENT_CONFIGURATION",
    "the machine has no id: its place in a roll-out would be that of others",
    { file },
    { mend: "systemd-machine-id-setup" },
  );
}

/** Any kind of file will do; the first line of it says why. What cannot be looked for is there. */
export function holdOf(machine: Machine): string | undefined {
  for (const path of HOLDS) {
    try {
      const found = lstatSync(machine.path(path), { throwIfNoEntry: false });
      if (found === undefined) continue;
      const [line = ""] = found.isFile() ? (machine.text(path) ?? "").split("\n") : [];
      return line.trim() === "" ? `${path} is there` : `${path}: ${line.trim()}`;
    } catch (error) {
      return `whether ${path} is there cannot be told: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}
