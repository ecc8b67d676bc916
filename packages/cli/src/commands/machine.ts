/** The commands for the machine that runs, by their words. */
import type { AddCommand } from "../answer.ts";
import { tellingState } from "../telling-state.ts";
import type { MACHINE_WORDS } from "./machine-words.ts";

export const COMMANDS: Readonly<Record<(typeof MACHINE_WORDS)[number], () => Promise<AddCommand>>> = {
  load: async () => telling((await import("./load.ts")).loadCommand),
  unload: async () => telling((await import("./unload.ts")).unloadCommand),
  enable: async () => telling((await import("./enable.ts")).enableCommand),
  disable: async () => telling((await import("./disable.ts")).disableCommand),
  replace: async () => telling((await import("./replace.ts")).replaceCommand),
  signal: async () => telling((await import("./signal.ts")).signalCommand),
  force: async () => telling((await import("./force.ts")).forceCommand),
  install: async () => telling((await import("./install.ts")).installCommand),
  uninstall: async () => telling((await import("./uninstall.ts")).uninstallCommand),
  boot: async () => telling((await import("./boot.ts")).bootCommand),
  list: async () => (await import("./list.ts")).listCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  tidy: async () => (await import("./tidy.ts")).tidyCommand,
};

/** Of one that changes something, or tries to. */
function telling(add: AddCommand): AddCommand {
  return (program, run) => add(program, tellingState(run));
}
