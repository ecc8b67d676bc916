import { enableDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { addPatience, type PatienceOptions, patienceOf, transitionText } from "../host-options.ts";
import { fieldsText, safeText } from "../text.ts";

interface Options extends PatienceOptions {
  unproven?: boolean;
  stack?: boolean;
}

export const enableCommand: AddCommand = (program, run) => {
  addPatience(program.command("enable"))
    .description("bring a livepatch that was disabled, or is being disabled, into effect again")
    .argument("<livepatch>", "its name, as `suture status` shows it")
    .option("--unproven", "also one that is not proven to fit the kernel")
    .option("--stack", "also over another livepatch that replaces the same function")
    .action(
      run(async (task, name: string, options: Options) => {
        const { enable, THIS_MACHINE } = await import("@suture/host");
        const { unproven = false, stack = false } = options;
        const report = await enable(task, THIS_MACHINE, name, { unproven, stack, replace: false, ...patienceOf(options) });
        const text = fieldsText([
          ["enabled", report.name],
          ["transition", transitionText(report.transition)],
        ]);
        return { document: enableDocument.of(report), text: safeText(text) };
      }),
    );
};
