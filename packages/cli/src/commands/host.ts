/** The commands for the machine that runs. */
import type { AddCommand } from "../answer.ts";
import { tellingState } from "../telling-state.ts";
import { bootCommand } from "./boot.ts";
import { disableCommand } from "./disable.ts";
import { doctorCommand } from "./doctor.ts";
import { enableCommand } from "./enable.ts";
import { forceCommand } from "./force.ts";
import { installCommand } from "./install.ts";
import { listCommand } from "./list.ts";
import { loadCommand } from "./load.ts";
import { replaceCommand } from "./replace.ts";
import { signalCommand } from "./signal.ts";
import { statusCommand } from "./status.ts";
import { tidyCommand } from "./tidy.ts";
import { uninstallCommand } from "./uninstall.ts";
import { unloadCommand } from "./unload.ts";

/** These change something, or try to. */
const changing: readonly AddCommand[] = [
  loadCommand,
  unloadCommand,
  enableCommand,
  disableCommand,
  replaceCommand,
  signalCommand,
  forceCommand,
  installCommand,
  uninstallCommand,
  bootCommand,
];

export const hostCommands: readonly AddCommand[] = [
  ...changing.map(
    (add): AddCommand =>
      (program, run) =>
        add(program, tellingState(run)),
  ),
  listCommand,
  statusCommand,
  tidyCommand,
  doctorCommand,
];
