/** The livepatches of this machine: in the kernel, and kept for the next boot. */
import type { ListReport, PatchStatus, Status } from "@suture/protocol";
import type { Machine } from "../machine/machine.ts";
import { status } from "./status.ts";

/** A line of it. */
type Listed = ListReport["livepatches"][number];

export async function list(machine: Machine): Promise<ListReport> {
  const found = await status(machine);
  return { livepatches: listed(found), unreadable: found.unreadable };
}

function listed({ kernel, patches, idle, installed }: Status): Listed[] {
  const here = new Map(installed.filter(({ release }) => release === kernel.release).map((entry) => [entry.name, entry]));
  const keptText = (name: string): Listed["kept"] => {
    const entry = here.get(name);
    if (entry === undefined) return "no";
    return entry.quarantine === undefined ? "yes" : "quarantined";
  };
  const names = new Set([...patches.map(({ name }) => name), ...idle]);
  return [
    ...patches.map(
      (patch): Listed => ({
        name: patch.name,
        release: kernel.release,
        state: stateOf(patch),
        kept: keptText(patch.name),
        fixes: fixesText(patch.fixes),
      }),
    ),
    ...idle.map((name): Listed => ({ name, release: kernel.release, state: "disabled", kept: keptText(name), fixes: "" })),
    ...installed
      .filter(({ name, release }) => release !== kernel.release || !names.has(name))
      .map(
        ({ name, release, quarantine, fixes }): Listed => ({
          name,
          release,
          state: "not loaded",
          kept: quarantine === undefined ? "yes" : "quarantined",
          fixes: fixesText(fixes),
        }),
      ),
  ];
}

function stateOf({ enabled, transition }: PatchStatus): string {
  if (transition !== undefined) return `being ${transition.to}`;
  return enabled ? "in effect" : "disabled";
}

function fixesText(fixes: readonly { subject?: string | undefined; cves: string[] }[]): string {
  return fixes.map(({ subject, cves }) => (cves.length > 0 ? cves.join(" ") : (subject ?? ""))).join(", ");
}
