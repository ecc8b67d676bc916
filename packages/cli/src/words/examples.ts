/** Examples that belong to a command: shown below its help and in its manual page. */
import type { Command } from "commander";

export type Example = readonly [line: string, what: string];

const known = new WeakMap<Command, readonly Example[]>();

/** @param examples command lines without `suture`, each with what it is for */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  known.set(command, examples);
  const text = examples.map(([line, what]) => `  suture ${line}\n      ${what}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}

export function examplesOf(command: Command): readonly Example[] {
  return known.get(command) ?? [];
}
