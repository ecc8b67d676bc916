import { completionDocument } from "@suture/protocol";
import { Argument } from "commander";
import type { AddCommand } from "../answer.ts";
import { completionScript, SHELLS } from "../words/completion.ts";
import { outlineOf } from "../words/outline.ts";

export const completionCommand: AddCommand = (program, run) => {
  program
    .command("completion")
    .description("print what a shell needs to complete the words of suture")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(
      run(async (_task, word: string) => {
        const shell = SHELLS.find((known) => known === word) ?? "bash";
        const text = completionScript(shell, outlineOf(program));
        return { document: completionDocument.of({ shell, text }), text: text.trimEnd() };
      }),
    );
};
