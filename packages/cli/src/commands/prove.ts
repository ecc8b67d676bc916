import { availableParallelism } from "node:os";
import type { ProvenObject } from "@suture/kbuild";
import { proveDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, addModuleOptions, checkModuleOptions, type KernelOptions, openKernel } from "../kernel-option.ts";
import { fieldsText, headedText, partsText, tableText, timeText } from "../text.ts";

interface Options extends KernelOptions {
  sample?: string;
  seed: string;
  all?: boolean;
}

export const proveCommand: AddCommand = (program, run) => {
  addModuleOptions(addKernelOptions(program.command("prove")))
    .description("show that source and compiler reproduce the code that a kernel runs, byte for byte")
    .argument("[object...]", "objects or C files of the kernel's source: fs/pipe.o, fs/pipe.c")
    .option("--sample <count>", "so many objects, chosen by the seed")
    .option("--seed <number>", "of the sample", "1")
    .option("--all", "the whole kernel; what was done before is not done again")
    .action(
      run(async (task, words: string[], options: Options) => {
        checkModuleOptions(options);
        const sample = numberOf("--sample", options.sample);
        const seed = numberOf("--seed", options.seed) ?? 1;
        if ([words.length > 0, sample !== undefined, options.all === true].filter(Boolean).length !== 1)
          throw fail("CLI_USAGE", "either objects, --sample or --all is needed");
        const { kernelObjects, objectsNamed, proveObjects, sampleObjects } = await import("@suture/kbuild");
        const kernel = await openKernel(task, options);
        try {
          const { commands } = kernel;
          const objects =
            sample !== undefined
              ? sampleObjects(kernel, sample, seed)
              : options.all === true
                ? kernelObjects(kernel)
                : objectsNamed(commands, words);
          const results = await proveObjects(task, kernel, objects, { jobs: availableParallelism(), resume: options.all === true });
          const whole = results.every((result) => result.failure === undefined && result.doubts.length === 0);
          return {
            document: proveDocument.of({ kernel: kernel.target.release, buildId: kernel.image.buildId, objects: results }),
            text: proofText(results),
            code: whole ? 0 : 1,
          };
        } finally {
          kernel.close();
        }
      }),
    );
};

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw fail("CLI_USAGE", `${option} ${text} is no number`);
  return number;
}

function proofText(results: readonly ProvenObject[]): string {
  const sum = (of: (result: ProvenObject) => number): number => results.reduce((total, result) => total + of(result), 0);
  const failed = results.filter((result) => result.failure !== undefined);
  return partsText([
    tableText(
      ["object", "in", "functions", "proven", "proof"],
      results.map((r) => [
        r.object,
        r.owner,
        String(r.functions),
        r.failure === undefined ? String(r.proven) : r.failure.code,
        timeText(r.proofMs),
      ]),
    ),
    headedText(
      "not proven",
      tableText(
        ["object", "function", "doubt", "why"],
        results.flatMap((r) => r.doubts.map((d) => [r.object, d.function, d.code, d.why])),
      ),
    ),
    headedText(
      "likely causes",
      results
        .filter((r) => r.cause !== undefined)
        .map((r) => `  ${r.object}: ${r.cause}`)
        .join("\n"),
    ),
    headedText("not compared", failed.map((r) => `  ${r.object}: ${r.failure?.why.split("\n")[0]}`).join("\n")),
    headedText(
      "weak functions that the kernel overrides",
      results
        .filter((r) => r.overridden.length > 0)
        .map((r) => `  ${r.object}: ${r.overridden.join(", ")}`)
        .join("\n"),
    ),
    fieldsText([
      ["objects", String(results.length)],
      ["functions proven", `${sum((r) => r.proven)} of ${sum((r) => r.functions)}`],
    ]),
  ]);
}
