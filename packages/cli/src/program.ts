/** All commands with their options: what is parsed, helped with, completed, and described in the manual pages. */
import { Command } from "commander";
import about from "../package.json" with { type: "json" };
import type { Run } from "./answer.ts";
import { COMMANDS } from "./commands/all.ts";
import { examplesText } from "./words/examples.ts";

/**
 * @param writeOut where help and the version go
 * @param words of the command line: where the first but --json and --verbose is a command's, the program has that command only
 */
export async function makeProgram(run: Run, writeOut: (text: string) => void, words: readonly string[] = []): Promise<Command> {
  const program = new Command("suture")
    .description("Patches a running Linux kernel: a source fix in, a proven livepatch module out.")
    .version(about.version)
    .option("--json", "print one JSON document on stdout")
    .option("--verbose", "show every command that is run")
    .configureHelp({ showGlobalOptions: true });
  const word = words.find((one) => one !== "--json" && one !== "--verbose");
  // Completion is of all.
  const own = word === "completion" ? undefined : Object.entries(COMMANDS).find(([name]) => name === word);
  for (const [, command] of own === undefined ? Object.entries(COMMANDS) : [own]) (await command())(program, run);
  for (const command of program.commands) {
    command.addHelpText("after", examplesText(command.name()));
    for (const each of command.commands) each.addHelpText("after", examplesText(`${command.name()} ${each.name()}`));
  }
  // The help of a wrong command line is not asked for; the refusal says it in one line.
  const all = [program, ...program.commands, ...program.commands.flatMap((command) => command.commands)];
  for (const command of all) command.exitOverride().configureOutput({ writeOut, writeErr: () => {} });
  return program;
}
