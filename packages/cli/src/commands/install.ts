import { installDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { secondsOf, thisProgram } from "../host-options.ts";
import { fieldsText, safeText } from "../text.ts";

interface Options {
  unproven?: boolean;
  stack?: boolean;
  settle: string;
}

export const installCommand: AddCommand = (program, run) => {
  program
    .command("install")
    .description("keep a livepatch, and load it at each boot of the kernel that it is for")
    .argument("<module>", "a .ko file")
    .option("--unproven", "keep a livepatch that is not proven to fit its kernel")
    .option("--stack", "load it over another livepatch that replaces the same function")
    .option("--settle <seconds>", "a machine that goes down so soon after a load does not load it again", "300")
    .action(
      run(async (task, file: string, options: Options) => {
        const { install, THIS_MACHINE } = await import("@suture/host");
        const { unproven = false, stack = false } = options;
        const settleSeconds = secondsOf(options.settle, "--settle");
        const report = await install(task, THIS_MACHINE, file, { unproven, stack, settleSeconds, program: thisProgram() });
        const text = fieldsText([
          ["installed", `${report.name}, for ${report.release}`],
          ["at boot", report.units ? "loaded by suture.service" : "no systemd here: have the start-up run `suture boot`"],
        ]);
        return { document: installDocument.of(report), text: safeText(text) };
      }),
    );
};
