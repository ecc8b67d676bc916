/** All commands with their options: what is parsed, helped with, completed, and described in the manual pages. */
import { Command } from "commander";
import about from "../package.json" with { type: "json" };
import type { Run } from "./answer.ts";
import { accountCommand } from "./commands/account.ts";
import { agentCommand } from "./commands/agent.ts";
import { buildCommand } from "./commands/build.ts";
import { catchUpCommand } from "./commands/catch-up.ts";
import { completionCommand } from "./commands/completion.ts";
import { diffCommand } from "./commands/diff.ts";
import { extractCommand } from "./commands/extract.ts";
import { fleetCommand } from "./commands/fleet.ts";
import { hostCommands } from "./commands/host.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { kernelsCommand } from "./commands/kernels.ts";
import { proveCommand } from "./commands/prove.ts";
import { repoCommand } from "./commands/repo.ts";
import { reviewCommand } from "./commands/review.ts";
import { signCommand } from "./commands/sign.ts";
import { tryCommand } from "./commands/try.ts";
import { examplesText } from "./words/examples.ts";

const COMMANDS = [
  kernelsCommand,
  buildCommand,
  catchUpCommand,
  extractCommand,
  proveCommand,
  tryCommand,
  diffCommand,
  inspectCommand,
  reviewCommand,
  signCommand,
  accountCommand,
  ...hostCommands,
  agentCommand,
  fleetCommand,
  repoCommand,
  completionCommand,
];

/** @param writeOut where help and the version go */
export function makeProgram(run: Run, writeOut: (text: string) => void): Command {
  const program = new Command("suture")
    .description("Patches a running Linux kernel: a source fix in, a proven livepatch module out.")
    .version(about.version)
    .option("--json", "print one JSON document on stdout")
    .option("--verbose", "show every command that is run")
    .configureHelp({ showGlobalOptions: true });
  for (const add of COMMANDS) add(program, run);
  for (const command of program.commands) {
    command.addHelpText("after", examplesText(command.name()));
    for (const each of command.commands) each.addHelpText("after", examplesText(`${command.name()} ${each.name()}`));
  }
  // The help of a wrong command line is not asked for; the refusal says it in one line.
  const all = [program, ...program.commands, ...program.commands.flatMap((command) => command.commands)];
  for (const command of all) command.exitOverride().configureOutput({ writeOut, writeErr: () => {} });
  return program;
}
