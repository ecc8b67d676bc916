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
}

export interface ProgramOutline extends CommandOutline {
  version: string;
  /** Options that every command takes as well. */
  common: OptionOutline[];
  commands: CommandOutline[];
}

export function outlineOf(program: Command): ProgramOutline {
  const own = commandOutline(program);
  return {
    ...own,
    version: program.version() ?? "",
    common: [...own.options.filter(({ flags }) => !flags.includes("--version")), HELP],
    commands: program.commands.map(commandOutline),
  };
}

const HELP: OptionOutline = { flags: ["-h", "--help"], description: "show what the command does, and its options" };

function commandOutline(command: Command): CommandOutline {
  return {
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
