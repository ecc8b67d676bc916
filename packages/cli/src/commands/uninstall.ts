import { uninstallDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { fieldsText, safeText } from "../text.ts";

export const uninstallCommand: AddCommand = (program, run) => {
  program
    .command("uninstall")
    .description("load a livepatch no more at boot; if it is in the kernel, it stays there")
    .argument("<livepatch>", "its name, as `suture list` shows it")
    .option("--kernel <release>", "the kernel that it is kept for; the one that runs unless given")
    .action(
      run(async (task, word: string, options: { kernel?: string }) => {
        const { THIS_MACHINE, uninstall } = await import("@suture/host");
        const report = await uninstall(task, THIS_MACHINE, word, options.kernel);
        return {
          document: uninstallDocument.of(report),
          text: safeText(fieldsText([["uninstalled", `${report.name}, for ${report.release}`]])),
        };
      }),
    );
};
