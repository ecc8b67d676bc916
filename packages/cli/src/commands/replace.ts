import type { LoadReport } from "@suture/protocol";
import { loadDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { addPatience, checkedParameters, type PatienceOptions, patienceOf } from "../host-options.ts";
import { safeText } from "../text.ts";
import { loadText } from "./load.ts";

export const replaceCommand: AddCommand = (program, run) => {
  addPatience(program.command("replace"))
    .description("load a livepatch that takes the place of all others, in one transition")
    .argument("<module>", "a .ko file that was built with --replace")
    .argument("[parameters...]", "NAME=VALUE, for a livepatch written by hand that takes some")
    .option("--unproven", "load a livepatch that is not proven to fit the kernel")
    .action(
      run(async (task, file: string, parameters: string[], options: PatienceOptions & { unproven?: boolean }) => {
        const { load, THIS_MACHINE } = await import("@suture/host");
        const reports = await load(task, THIS_MACHINE, [file], {
          unproven: options.unproven === true,
          stack: false,
          replace: true,
          parameters: checkedParameters(parameters),
          ...patienceOf(options),
        });
        const [report] = reports as [LoadReport];
        return { document: loadDocument.of(report), text: safeText(loadText(report)) };
      }),
    );
};
