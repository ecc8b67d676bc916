/** All commands with their options: what is parsed, helped with, completed, and described in the manual pages. */
import { Command } from "commander";
import about from "../package.json" with { type: "json" };
import type { AddCommand, Run } from "./answer.ts";
import { tellingState } from "./telling-state.ts";
import { examplesText } from "./words/examples.ts";

/** By their words, in the order of the help. What a command is made of takes longer to load than most take to run: only the one that is asked for is. */
export const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  kernels: async () => (await import("./commands/kernels.ts")).kernelsCommand,
  build: async () => (await import("./commands/build.ts")).buildCommand,
  "catch-up": async () => (await import("./commands/catch-up.ts")).catchUpCommand,
  extract: async () => (await import("./commands/extract.ts")).extractCommand,
  prove: async () => (await import("./commands/prove.ts")).proveCommand,
  try: async () => (await import("./commands/try.ts")).tryCommand,
  diff: async () => (await import("./commands/diff.ts")).diffCommand,
  inspect: async () => (await import("./commands/inspect.ts")).inspectCommand,
  review: async () => (await import("./commands/review.ts")).reviewCommand,
  sign: async () => (await import("./commands/sign.ts")).signCommand,
  account: async () => (await import("./commands/account.ts")).accountCommand,
  load: async () => telling((await import("./commands/load.ts")).loadCommand),
  unload: async () => telling((await import("./commands/unload.ts")).unloadCommand),
  enable: async () => telling((await import("./commands/enable.ts")).enableCommand),
  disable: async () => telling((await import("./commands/disable.ts")).disableCommand),
  replace: async () => telling((await import("./commands/replace.ts")).replaceCommand),
  signal: async () => telling((await import("./commands/signal.ts")).signalCommand),
  force: async () => telling((await import("./commands/force.ts")).forceCommand),
  install: async () => telling((await import("./commands/install.ts")).installCommand),
  uninstall: async () => telling((await import("./commands/uninstall.ts")).uninstallCommand),
  boot: async () => telling((await import("./commands/boot.ts")).bootCommand),
  list: async () => (await import("./commands/list.ts")).listCommand,
  status: async () => (await import("./commands/status.ts")).statusCommand,
  tidy: async () => (await import("./commands/tidy.ts")).tidyCommand,
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand,
  agent: async () => (await import("./commands/agent.ts")).agentCommand,
  fleet: async () => (await import("./commands/fleet.ts")).fleetCommand,
  repo: async () => (await import("./commands/repo.ts")).repoCommand,
  completion: async () => (await import("./commands/completion.ts")).completionCommand,
};

/** Of one that changes something, or tries to. */
function telling(add: AddCommand): AddCommand {
  return (program, run) => add(program, tellingState(run));
}

/**
 * @param writeOut where help and the version go
 * @param words of the command line: where the first that is no option is a command's, the program has that command only
 */
export async function makeProgram(run: Run, writeOut: (text: string) => void, words: readonly string[] = []): Promise<Command> {
  const program = new Command("suture")
    .description("Patches a running Linux kernel: a source fix in, a proven livepatch module out.")
    .version(about.version)
    .option("--json", "print one JSON document on stdout")
    .option("--verbose", "show every command that is run")
    .configureHelp({ showGlobalOptions: true });
  const word = words.find((one) => !one.startsWith("-")) ?? "";
  // Completion is of all.
  const one = word === "completion" || !Object.hasOwn(COMMANDS, word) ? undefined : COMMANDS[word];
  for (const command of one === undefined ? Object.values(COMMANDS) : [one]) (await command())(program, run);
  for (const command of program.commands) {
    command.addHelpText("after", examplesText(command.name()));
    for (const each of command.commands) each.addHelpText("after", examplesText(`${command.name()} ${each.name()}`));
  }
  // The help of a wrong command line is not asked for; the refusal says it in one line.
  const all = [program, ...program.commands, ...program.commands.flatMap((command) => command.commands)];
  for (const command of all) command.exitOverride().configureOutput({ writeOut, writeErr: () => {} });
  return program;
}
