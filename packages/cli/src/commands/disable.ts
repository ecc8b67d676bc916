import { leaveDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { addPatience, type PatienceOptions, patienceOf } from "../host-options.ts";
import { safeText } from "../text.ts";
import { leaveText } from "./unload.ts";

export const disableCommand: AddCommand = (program, run) => {
  addPatience(program.command("disable"))
    .description("take a livepatch out of effect; `suture enable` brings it back")
    .argument("<livepatch>", "its name, as `suture list` shows it")
    .action(
      run(async (task, name: string, options: PatienceOptions) => {
        const { disable, THIS_MACHINE } = await import("@suture/host");
        const report = await disable(task, THIS_MACHINE, name, patienceOf(options));
        return { document: leaveDocument.of(report), text: safeText(leaveText(report)) };
      }),
    );
};
