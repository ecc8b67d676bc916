import type { LoadReport } from "@suture/protocol";
import { loadDocument, loadSeveralDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { addPatience, checkedParameters, type PatienceOptions, patienceOf, transitionText } from "../host-options.ts";
import { fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

interface Options extends PatienceOptions {
  unproven?: boolean;
  stack?: boolean;
}

/** Not NAME=/a/path: a module's file has no `=` before its path. */
const isModule = (word: string): boolean => !/^\w+=/.test(word) && (word.includes("/") || word.endsWith(".ko"));

export const loadCommand: AddCommand = (program, run) => {
  addPatience(program.command("load"))
    .description("check livepatches against the running kernel, load them, and follow the transitions")
    .argument("<module>", "a .ko file")
    .argument("[module-or-parameter...]", "more .ko files; or NAME=VALUE, for a livepatch written by hand that takes parameters")
    .option("--unproven", "load a livepatch that is not proven to fit the kernel")
    .option("--stack", "load it over another livepatch that replaces the same function")
    .action(
      run(async (task, file: string, more: string[], options: Options) => {
        const { load, THIS_MACHINE } = await import("@suture/host");
        const { unproven = false, stack = false } = options;
        const files = more.filter(isModule);
        const parameters = checkedParameters(more.filter((word) => !isModule(word)));
        if (files.length > 0 && parameters.length > 0)
          throw fail(
            "CLI_USAGE",
            "of several modules it is not known which one the parameters are for",
            {},
            { mend: "Load that one alone." },
          );
        const given = { unproven, stack, replace: false, parameters, ...patienceOf(options) };
        const reports = await load(task, THIS_MACHINE, [file, ...files], given);
        const [report] = reports;
        return {
          document: files.length === 0 && report !== undefined ? loadDocument.of(report) : loadSeveralDocument.of({ loaded: reports }),
          text: safeText(partsText(reports.map(loadText))),
        };
      }),
    );
};

export function loadText({ name, transition, replaced, checks, log }: LoadReport): string {
  return partsText([
    fieldsText([
      ["loaded", name],
      ["transition", transitionText(transition)],
      ["replaced", replaced.join(", ")],
    ]),
    headedText("not known before it was loaded", resultsText(checks.filter(({ outcome }) => outcome === "unknown"))),
    headedText("the kernel's log", log.map((line) => `  ${line}`).join("\n")),
  ]);
}

function resultsText(results: LoadReport["checks"]): string {
  return tableText(
    ["what", "found"],
    results.map(({ what, found }) => [what, found]),
  );
}
