import type { LeaveReport } from "@suture/host";
import type { AddCommand } from "../answer.ts";
import { leaveDocument } from "../documents/running.ts";
import { addPatience, type PatienceOptions, patienceOf, transitionText } from "../host-options.ts";
import { fieldsText, safeText } from "../text.ts";

export const unloadCommand: AddCommand = (program, run) => {
  addPatience(program.command("unload"))
    .description("take a livepatch out of effect and out of the kernel")
    .argument("<livepatch>", "its name, as `suture list` shows it")
    .option("--left-behind", "also one whose code gives functions or variables of its own to others, who may keep them")
    .action(
      run(async (task, name: string, options: PatienceOptions & { leftBehind?: boolean }) => {
        const { THIS_MACHINE, unload } = await import("@suture/host");
        const report = await unload(task, THIS_MACHINE, name, patienceOf(options), options.leftBehind === true);
        return { document: leaveDocument.of(report), text: safeText(leaveText(report)) };
      }),
    );
};

export function leaveText({ name, transition, removed }: LeaveReport): string {
  return fieldsText([
    [removed ? "unloaded" : "disabled", name],
    ["transition", transition === undefined ? "" : transitionText(transition)],
  ]);
}
