import type { SignalReport, Straggler } from "@suture/protocol";
import { signalDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { countText, fieldsText, headedText, partsText, safeText } from "../text.ts";

export const signalCommand: AddCommand = (program, run) => {
  program
    .command("signal")
    .description("nudge the tasks that hold up a transition")
    .option("--stop", "also stop and continue their processes for a moment, which interrupts what they sleep in")
    .action(
      run(async (task, options: { stop?: boolean }) => {
        const { signalStragglers, stragglerText, THIS_MACHINE } = await import("@suture/host");
        const report = await signalStragglers(task, THIS_MACHINE, options.stop === true);
        return { document: signalDocument.of(report), text: safeText(signalText(report, stragglerText)), code: report.ended ? 0 : 1 };
      }),
    );
};

const HOW = {
  kernel: "by the kernel itself, as it does every 15 seconds",
  attribute: "by the kernel",
  stop: "stopped and continued",
} as const;

function signalText({ name, how, signalled, ended, stragglers }: SignalReport, taskText: (straggler: Straggler) => string): string {
  return partsText([
    fieldsText([
      ["livepatch", name],
      ["nudged", `${countText(signalled, how === "stop" ? "process" : "task")}, ${HOW[how]}`],
      ["transition", ended ? "ended" : "still under way"],
    ]),
    headedText("held up by", stragglers.map((straggler) => `  ${taskText(straggler)}`).join("\n")),
  ]);
}
