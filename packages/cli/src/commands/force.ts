import { forceDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { countText, fieldsText, safeText } from "../text.ts";

export const forceCommand: AddCommand = (program, run) => {
  program
    .command("force")
    .description("force a transition that does not end; this can crash the machine, and says so")
    .argument("<livepatch>", "the livepatch in transition")
    .option("--accept-risk", "a crash of this machine is the smaller evil")
    .action(
      run(async (task, name: string, options: { acceptRisk?: boolean }) => {
        const { forceTransition, THIS_MACHINE } = await import("@suture/host");
        const report = await forceTransition(task, THIS_MACHINE, name, options.acceptRisk === true);
        const text = fieldsText([
          ["forced", `${name}, past ${countText(report.forced.length, "task")}`],
          ["transition", report.ended ? "ended" : "still under way: `suture status --watch` follows it"],
        ]);
        return { document: forceDocument.of(report), text: safeText(text), code: report.ended ? 0 : 1 };
      }),
    );
};
