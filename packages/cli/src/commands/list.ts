import type { ListReport } from "@suture/protocol";
import { listDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { partsText, safeText, tableText } from "../text.ts";

export const listCommand: AddCommand = (program, run) => {
  program
    .command("list")
    .description("the livepatches of this machine: in the kernel, and kept for the next boot")
    .action(
      run(async () => {
        const { list, THIS_MACHINE } = await import("@suture/host");
        const report = await list(THIS_MACHINE);
        return { document: listDocument.of(report), text: safeText(listText(report)) };
      }),
    );
};

function listText({ livepatches, unreadable }: ListReport): string {
  const said = unreadable.map((what) => `what is kept cannot be read: ${what}`).join("\n");
  if (livepatches.length === 0) return said || "no livepatch is loaded, and none is kept";
  const table = tableText(
    ["livepatch", "kernel", "state", "at boot", "fixes"],
    livepatches.map(({ name, release, state, kept, fixes }) => [name, release, state, kept, fixes]),
  );
  return partsText([table, said]);
}
