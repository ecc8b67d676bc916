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
      run(async (task, word: string, options: { kernel?: string }) => {
        const { installed, locked, nameAmong, removeUnits, runningKernel, THIS_MACHINE, uninstall } = await import("@suture/host");
        const release = options.kernel ?? (await runningKernel(THIS_MACHINE)).release;
        const name = await locked(task, THIS_MACHINE, `uninstall ${word}`, async () => {
          const of = (await installed(THIS_MACHINE)).entries.filter((entry) => entry.release === release);
          const found = await nameAmong(
            word,
            of.map((entry) => entry.name),
          );
          await uninstall(THIS_MACHINE, release, found);
          const { entries, unreadable } = await installed(THIS_MACHINE);
          // What cannot be read may be kept.
          if (entries.length === 0 && unreadable.length === 0) await removeUnits(task, THIS_MACHINE);
          return found;
        });
        return {
          document: uninstallDocument.of({ name, release }),
          text: safeText(fieldsText([["uninstalled", `${name}, for ${release}`]])),
        };
      }),
    );
};
