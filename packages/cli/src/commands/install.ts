import type { AddCommand } from "../answer.ts";
import { installDocument } from "../documents/running.ts";
import { secondsOf, thisProgram } from "../host-options.ts";
import { fieldsText, safeText } from "../text.ts";

interface Options {
  unproven?: boolean;
  stack?: boolean;
  settle: string;
}

export const installCommand: AddCommand = (program, run) => {
  program
    .command("install")
    .description("keep a livepatch, and load it at each boot of the kernel that it is for")
    .argument("<module>", "a .ko file")
    .option("--unproven", "keep a livepatch that is not proven to fit its kernel")
    .option("--stack", "load it over another livepatch that replaces the same function")
    .option("--settle <seconds>", "a machine that goes down so soon after a load does not load it again", "300")
    .action(
      run(async (task, file: string, options: Options) => {
        const { hasSystemd, install, installUnits, locked, readModuleFile, restartSettling, settled, THIS_MACHINE } = await import(
          "@suture/host"
        );
        const module = await readModuleFile(file);
        const { unproven = false, stack = false } = options;
        const seconds = secondsOf(options.settle, "--settle");
        const { entry, units } = await locked(task, THIS_MACHINE, `install ${module.name}`, async () => {
          const systemd = await hasSystemd(THIS_MACHINE);
          const prepare = async (): Promise<void> => {
            if (systemd) await installUnits(task, THIS_MACHINE, thisProgram(), seconds);
          };
          return { entry: await install(THIS_MACHINE, module, { unproven, stack }, prepare), units: systemd };
        });
        // It may have been in the kernel for a long time, or for a short one.
        if (entry.unsettled !== undefined && (await settled(task, THIS_MACHINE, seconds)).length > 0)
          await restartSettling(task, THIS_MACHINE);
        const text = fieldsText([
          ["installed", `${entry.name}, for ${entry.release}`],
          ["at boot", units ? "loaded by suture.service" : "no systemd here: have the start-up run `suture boot`"],
        ]);
        return { document: installDocument.of({ ...entry, units }), text: safeText(text) };
      }),
    );
};
