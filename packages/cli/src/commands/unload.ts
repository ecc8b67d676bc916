import type { LeaveReport } from "@suture/protocol";
import { leaveDocument, unloadSeveralDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { addPatience, type PatienceOptions, patienceOf, transitionText } from "../host-options.ts";
import { fieldsText, partsText, safeText } from "../text.ts";

export const unloadCommand: AddCommand = (program, run) => {
  addPatience(program.command("unload"))
    .description("take livepatches out of effect and out of the kernel, those on top of the stack first")
    .argument("[livepatch...]", "their names in any spelling: as `suture list` shows them, or of their files")
    .option("--all", "all that are in the kernel")
    .option("--left-behind", "also one whose code gives functions or variables of its own to others, who may keep them")
    .action(
      run(async (task, names: string[], options: PatienceOptions & { all?: boolean; leftBehind?: boolean }) => {
        const { all = false, leftBehind = false } = options;
        if (all === names.length > 0) throw fail("CLI_USAGE", "either names of livepatches or --all is needed");
        const { THIS_MACHINE, unload } = await import("@suture/host");
        const reports = await unload(task, THIS_MACHINE, all ? undefined : names, patienceOf(options), leftBehind);
        const [report] = reports;
        if (names.length === 1 && report !== undefined) return { document: leaveDocument.of(report), text: safeText(leaveText(report)) };
        const text = reports.length === 0 ? "no livepatch is in the kernel" : partsText(reports.map(leaveText));
        return { document: unloadSeveralDocument.of({ unloaded: reports }), text: safeText(text) };
      }),
    );
};

export function leaveText({ name, transition, removed }: LeaveReport): string {
  return fieldsText([
    [removed ? "unloaded" : "disabled", name],
    ["transition", transition === undefined ? "" : transitionText(transition)],
  ]);
}
