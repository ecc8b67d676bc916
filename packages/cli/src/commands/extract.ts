import { extractDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { addKernelOptions, cacheDirectory, type KernelOptions, targetOf } from "../kernel-option.ts";
import { countText } from "../text.ts";
import { checkWritable, writeWhole } from "../write-file.ts";

interface Options extends KernelOptions {
  output?: string;
}

export const extractCommand: AddCommand = (program, run) => {
  addKernelOptions(program.command("extract"))
    .description("write a C file to begin a livepatch with: functions of the kernel, and what they need (docs/authoring.md)")
    .argument("<function...>", "FUNCTION or FILE.c:FUNCTION, all of one C file")
    .option("-o, --output <file>", "where the C file goes; it is printed unless given")
    .action(
      run(async (task, words: string[], options: Options) => {
        if (options.output !== undefined) await checkWritable(options.output);
        const { extractFunctions } = await import("@suture/authored");
        const { KernelContext } = await import("@suture/kbuild");
        const kernel = await KernelContext.open(task, await targetOf(task, options), cacheDirectory());
        try {
          const { text, notes, ...rest } = await extractFunctions(task, kernel, words);
          for (const note of notes) task.reporter.warn(note);
          const document = extractDocument.of({
            ...rest,
            notes,
            ...(options.output === undefined ? { text } : { output: options.output }),
          });
          if (options.output === undefined) return { document, text: text.trimEnd() };
          await writeWhole(options.output, Buffer.from(text, "latin1"));
          return { document, text: `${options.output}: ${countText(rest.functions.length, "function")} of ${rest.file}` };
        } finally {
          kernel.close();
        }
      }),
    );
};
