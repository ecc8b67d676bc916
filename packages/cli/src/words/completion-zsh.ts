import { shellWord } from "@suture/files";
import type { Kind } from "./kinds.ts";
import type { ArgumentOutline, CommandOutline, OptionOutline, ProgramOutline } from "./outline.ts";
import { LISTS } from "./sources.ts";

/** For zsh's completion system: a file that is called _suture in its path. */
export function zshScript(program: ProgramOutline): string {
  return `#compdef suture
# zsh completion for suture ${program.version}; made by \`suture completion zsh\`
_suture_kernels() {
  local -a found
  found=(\${(f)"$(sh -c ${shellWord(LISTS.kernel ?? "")})"})
  compadd -a found
}

_suture_livepatches() {
  local -a found
  found=(\${(f)"$(sh -c ${shellWord(LISTS.livepatch ?? "")})"})
  compadd -a found
}

_suture_commands() {
  local -a commands
  commands=(
${[...program.commands, HELP].map(({ name, description }) => `    ${shellWord(`${name}:${colons(description)}`)}`).join("\n")}
  )
  _describe command commands
}

_suture() {
  local context state state_descr line curcontext="$curcontext"
  typeset -A opt_args
  _arguments -C -S \\
${optionSpecs(program)}    '1:command:_suture_commands' '*::argument:->argument'
  [[ $state == argument ]] || return
  curcontext="\${curcontext%:*}-$words[1]:"
  case $words[1] in
${program.commands.map((command) => commandCase(command, program)).join("\n")}
    help) _arguments '1:command:_suture_commands' ;;
  esac
}

if [[ $funcstack[1] == _suture ]]; then _suture "$@"; else compdef _suture suture; fi
`;
}

const HELP = { name: "help", description: "the help of a command" };

function commandCase(command: CommandOutline, program: ProgramOutline): string {
  const positional = command.arguments.map((argument, i) => `      ${shellWord(argumentSpec(argument, i + 1))}`);
  return `    ${command.name}) _arguments -S \\
${optionSpecs({ ...command, options: [...command.options, ...program.common] })}${positional.map((spec) => `${spec} \\\n`).join("")}      && return 0 ;;`;
}

function argumentSpec({ name, kind, choices, required, variadic }: ArgumentOutline, place: number): string {
  const message = `${variadic ? "*" : place}:${required || variadic ? "" : ":"}${colons(name)}:`;
  return message + action(kind, choices);
}

function optionSpecs({ options }: CommandOutline): string {
  return options.flatMap((option) => option.flags.map((flag) => `      ${shellWord(optionSpec(flag, option))} \\\n`)).join("");
}

function optionSpec(flag: string, { description, value }: OptionOutline): string {
  const text = `*${flag}[${description.replace(/[\\[\]:]/g, "\\$&")}]`;
  return value === undefined ? text : `${text}:${colons(value.name)}:${action(value.kind, value.choices)}`;
}

function action(kind: Kind, choices: readonly string[]): string {
  if (choices.length > 0) return `(${choices.join(" ")})`;
  switch (kind) {
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "module":
      return '_files -g "*.ko*"';
    case "kernel":
      return "_suture_kernels";
    case "livepatch":
      return "_suture_livepatches";
    case "other":
      return " ";
  }
}

function colons(text: string): string {
  return text.replace(/[\\:]/g, "\\$&");
}
