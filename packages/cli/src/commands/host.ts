/** The commands for the machine that runs. */
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
import { uninstallCommand } from "./uninstall.ts";
import { unloadCommand } from "./unload.ts";

export const hostCommands = [
  loadCommand,
  unloadCommand,
  enableCommand,
  disableCommand,
  replaceCommand,
  listCommand,
  statusCommand,
  signalCommand,
  forceCommand,
  installCommand,
  uninstallCommand,
  bootCommand,
  doctorCommand,
];
