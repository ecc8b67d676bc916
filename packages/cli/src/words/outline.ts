/** The command line as data, read off the program's own definitions: for completion and for the manual pages. */
import type { Command, Option } from "commander";
import { type Example, examplesOf } from "./examples.ts";
import { type Kind, kindOf } from "./kinds.ts";

export interface OptionOutline {
  /** `--json`, `-o`; the long one last. */
  flags: string[];
  description: string;
  /** Absent for an option that is only there or not. */
  value?: { name: string; kind: Kind; choices: readonly string[]; required: boolean; variadic: boolean };
  /** As it is if the option is not given; absent where nothing is. */
  initial?: string;
}

export interface ArgumentOutline {
  name: string;
  kind: Kind;
  choices: readonly string[];
  description: string;
  required: boolean;
  variadic: boolean;
}

export interface CommandOutline {
  name: string;
  description: string;
  arguments: ArgumentOutline[];
  options: OptionOutline[];
  examples: readonly Example[];
  /** Of a command that has commands of its own: each, with its whole name. Its own options are all of theirs. */
  commands: CommandOutline[];
}

export interface ProgramOutline extends CommandOutline {
  version: string;
  /** Options that every command takes as well. */
  common: OptionOutline[];
}

export function outlineOf(program: Command): ProgramOutline {
  const own = commandOutline(program);
  return {
    ...own,
    version: program.version() ?? "",
    common: [...own.options.filter(({ flags }) => !flags.includes("--version")), HELP],
    commands: program.commands.map((command) => (command.commands.length === 0 ? commandOutline(command) : groupOutline(command))),
  };
}

const HELP: OptionOutline = { flags: ["-h", "--help"], description: "show what the command does, and its options" };

/** What completion needs of it: the words that come next, then files, and every option. */
function groupOutline(command: Command): CommandOutline {
  const commands = command.commands.map((each) => ({ ...commandOutline(each), name: `${command.name()} ${each.name()}` }));
  const options = new Map(commands.flatMap((each) => each.options.map((option) => [option.flags.join(), option] as const)));
  const choices = command.commands.map((each) => each.name());
  return {
    ...commandOutline(command),
    arguments: [
      { name: "what", kind: "other", choices, description: "one of the commands below", required: true, variadic: false },
      { name: "file", kind: "file", choices: [], description: "as that command says", required: false, variadic: true },
    ],
    options: [...options.values()],
    commands,
  };
}

function commandOutline(command: Command): CommandOutline {
  return {
    commands: [],
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      kind: kindOf(argument.name()),
      choices: argument.argChoices ?? [],
      description: argument.description,
      required: argument.required,
      variadic: argument.variadic,
    })),
    options: command.options.map(optionOutline),
    examples: examplesOf(command.name()),
  };
}

function optionOutline(option: Option): OptionOutline {
  const { short, long, description, required, optional, variadic, argChoices, defaultValue } = option;
  const flags = [short, long].filter((flag) => flag !== undefined);
  // <file> of "-o, --output <file>"
  const name = /[<[]([^\]>]+)[\]>]/.exec(option.flags)?.[1]?.replace(/\.\.\.$/, "");
  const initial = typeof defaultValue === "string" && defaultValue !== "" ? { initial: defaultValue } : {};
  if (name === undefined || !(required || optional)) return { flags, description, ...initial };
  return { flags, description, value: { name, kind: kindOf(name), choices: argChoices ?? [], required, variadic }, ...initial };
}
