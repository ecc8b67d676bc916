import type { AddCommand } from "../answer.ts";
import { uninstallDocument } from "../documents/running.ts";
import { fieldsText, safeText } from "../text.ts";

export const uninstallCommand: AddCommand = (program, run) => {
  program
    .command("uninstall")
    .description("load a livepatch no more at boot; if it is in the kernel, it stays there")
    .argument("<livepatch>", "its name, as `suture list` shows it")
    .option("--kernel <release>", "the kernel that it is kept for; the one that runs unless given")
    .action(
      run(async (task, name: string, options: { kernel?: string }) => {
        const { installed, locked, removeUnits, runningKernel, THIS_MACHINE, uninstall } = await import("@suture/host");
        const release = options.kernel ?? (await runningKernel(THIS_MACHINE)).release;
        await locked(task, THIS_MACHINE, `uninstall ${name}`, async () => {
          await uninstall(THIS_MACHINE, release, name);
          if ((await installed(THIS_MACHINE)).length === 0) await removeUnits(task, THIS_MACHINE);
        });
        return {
          document: uninstallDocument.of({ name, release }),
          text: safeText(fieldsText([["uninstalled", `${name}, for ${release}`]])),
        };
      }),
    );
};
