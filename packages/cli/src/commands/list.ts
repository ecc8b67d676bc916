import type { PatchStatus, Status } from "@suture/host";
import type { AddCommand } from "../answer.ts";
import { listDocument } from "../documents/running.ts";
import { partsText, safeText, tableText } from "../text.ts";

export const listCommand: AddCommand = (program, run) => {
  program
    .command("list")
    .description("the livepatches of this machine: in the kernel, and kept for the next boot")
    .action(
      run(async () => {
        const { status, THIS_MACHINE } = await import("@suture/host");
        const found = await status(THIS_MACHINE);
        const rows = listed(found);
        return {
          document: listDocument.of({ livepatches: rows, unreadable: found.unreadable }),
          text: safeText(listText(rows, found.unreadable)),
        };
      }),
    );
};

interface Row {
  name: string;
  release: string;
  state: string;
  kept: "yes" | "no" | "quarantined";
  fixes: string;
}

function listed({ kernel, patches, idle, installed }: Status): Row[] {
  const here = new Map(installed.filter(({ release }) => release === kernel.release).map((entry) => [entry.name, entry]));
  const keptText = (name: string): Row["kept"] => {
    const entry = here.get(name);
    if (entry === undefined) return "no";
    return entry.quarantine === undefined ? "yes" : "quarantined";
  };
  const names = new Set([...patches.map(({ name }) => name), ...idle]);
  return [
    ...patches.map(
      (patch): Row => ({
        name: patch.name,
        release: kernel.release,
        state: stateOf(patch),
        kept: keptText(patch.name),
        fixes: fixesText(patch.fixes),
      }),
    ),
    ...idle.map((name): Row => ({ name, release: kernel.release, state: "disabled", kept: keptText(name), fixes: "" })),
    ...installed
      .filter(({ name, release }) => release !== kernel.release || !names.has(name))
      .map(
        ({ name, release, quarantine, fixes }): Row => ({
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

function fixesText(fixes: readonly { subject?: string; cves: string[] }[]): string {
  return fixes.map(({ subject, cves }) => (cves.length > 0 ? cves.join(" ") : (subject ?? ""))).join(", ");
}

function listText(rows: readonly Row[], unreadable: readonly string[]): string {
  const said = unreadable.map((what) => `what is kept cannot be read: ${what}`).join("\n");
  if (rows.length === 0) return said || "no livepatch is loaded, and none is kept";
  const table = tableText(
    ["livepatch", "kernel", "state", "at boot", "fixes"],
    rows.map(({ name, release, state, kept, fixes }) => [name, release, state, kept, fixes]),
  );
  return partsText([table, said]);
}
