import type { Finding, LoadReport } from "@suture/host";
import type { AddCommand } from "../answer.ts";
import { loadDocument } from "../documents/running.ts";
import { addPatience, checkedParameters, type PatienceOptions, patienceOf, transitionText } from "../host-options.ts";
import { fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

interface Options extends PatienceOptions {
  unproven?: boolean;
  stack?: boolean;
}

export const loadCommand: AddCommand = (program, run) => {
  addPatience(program.command("load"))
    .description("check a livepatch against the running kernel, load it, and follow the transition")
    .argument("<module>", "a .ko file")
    .argument("[parameters...]", "NAME=VALUE, for a livepatch written by hand that takes some")
    .option("--unproven", "load a livepatch that is not proven to fit the kernel")
    .option("--stack", "load it over another livepatch that replaces the same function")
    .action(
      run(async (task, file: string, parameters: string[], options: Options) => {
        const { load, restartSettling, THIS_MACHINE } = await import("@suture/host");
        const { unproven = false, stack = false } = options;
        const given = { unproven, stack, replace: false, parameters: checkedParameters(parameters), ...patienceOf(options) };
        const report = await load(task, THIS_MACHINE, file, given);
        await restartSettling(task, THIS_MACHINE);
        return { document: loadDocument.of(documentOf(report)), text: safeText(loadText(report)) };
      }),
    );
};

/** A refusal would have been thrown. */
export function documentOf({ checks, ...report }: LoadReport) {
  return {
    ...report,
    checks: checks.flatMap(({ what, found, outcome }) => (outcome === "refused" ? [] : [{ what, found, outcome }])),
  };
}

export function loadText({ name, transition, replaced, checks, log }: LoadReport): string {
  return partsText([
    fieldsText([
      ["loaded", name],
      ["transition", transitionText(transition)],
      ["replaced", replaced.join(", ")],
    ]),
    headedText("not known before it was loaded", findingsText(checks.filter(({ outcome }) => outcome === "unknown"))),
    headedText("the kernel's log", log.map((line) => `  ${line}`).join("\n")),
  ]);
}

function findingsText(findings: readonly Finding[]): string {
  return tableText(
    ["what", "found"],
    findings.map(({ what, found }) => [what, found]),
  );
}
