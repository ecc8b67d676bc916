import type { BootReport } from "@suture/protocol";
import { bootDocument, endDocument, settledDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { addPatience, type PatienceOptions, patienceOf, secondsOf } from "../host-options.ts";
import { fieldsText, partsText, safeText, tableText } from "../text.ts";

interface Options extends PatienceOptions {
  end?: boolean;
  settled?: string;
}

export const bootCommand: AddCommand = (program, run) => {
  addPatience(program.command("boot"))
    .description("load what is kept for this kernel; the machine's start-up runs it")
    .option("--end", "the machine goes down in order: what was loaded is not to blame")
    .option("--settled <seconds>", "what was loaded so long ago has shown that it does no harm")
    .action(
      run(async (task, options: Options) => {
        const { bootPatches, isWell, orderlyEnd, settled, THIS_MACHINE } = await import("@suture/host");
        if (options.end === true) {
          await orderlyEnd(task, THIS_MACHINE);
          return { document: endDocument.of({ end: true }), text: "" };
        }
        if (options.settled !== undefined) {
          const left = await settled(task, THIS_MACHINE, secondsOf(options.settled, "--settled"));
          return { document: settledDocument.of({ left }), text: safeText(left.length === 0 ? "" : `not settled yet: ${left.join(", ")}`) };
        }
        const report = await bootPatches(task, THIS_MACHINE, patienceOf(options));
        return { document: bootDocument.of(report), text: safeText(bootText(report)), code: isWell(report) ? 0 : 1 };
      }),
    );
};

function bootText({ release, off, patches, others, unreadable }: BootReport): string {
  return partsText([
    fieldsText([
      ["kernel", release],
      ["skipped", off ? "all: suture=off was given to the kernel" : ""],
      ["kept for other kernels", others === 0 ? "" : String(others)],
      ["cannot be read", unreadable.join("\n")],
    ]),
    tableText(
      ["livepatch", "outcome", "why"],
      patches.map(({ name, outcome, why }) => [name, outcome, why.split("\n")[0] ?? ""]),
    ),
  ]);
}
