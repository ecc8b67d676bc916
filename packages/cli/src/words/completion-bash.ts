import type { Kind } from "./kinds.ts";
import type { ArgumentOutline, CommandOutline, OptionOutline, ProgramOutline } from "./outline.ts";
import { LISTS } from "./sources.ts";

/** For bash 4 and newer; needs no bash-completion. */
export function bashScript(program: ProgramOutline): string {
  const words = [...program.commands.map(({ name }) => name), "help"];
  return `# bash completion for suture ${program.version}; made by \`suture completion bash\`
_suture_kernels() {
  ${indented(LISTS.kernel ?? "")}
}

_suture_livepatches() {
  ${indented(LISTS.livepatch ?? "")}
}

_suture_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_suture_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_suture_folders() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -d -- "$cur")
}

_suture_modules() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '!*.ko*' -- "$cur"; compgen -d -- "$cur")
}

_suture() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= i
  COMPREPLY=()
  # bash takes --option=value apart.
  if [ "$cur" = "=" ]; then cur=; elif [ "$before" = "=" ]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -*) ;;
      *) if [ -z "$command" ]; then command=\${COMP_WORDS[i]}; fi ;;
    esac
  done
  case $command in
    "")
      case $cur in
        -*) _suture_words ${quoted([...flagsOf(program.options), "--help"])} ;;
        *) _suture_words ${quoted(words)} ;;
      esac ;;
    help) _suture_words ${quoted(program.commands.map(({ name }) => name))} ;;
${program.commands.map((command) => commandCase(command, program)).join("\n")}
  esac
}
complete -F _suture suture
`;
}

function commandCase(command: CommandOutline, program: ProgramOutline): string {
  const valued = command.options.filter(({ value }) => value !== undefined);
  const options = valued.map((option) => `        ${option.flags.join("|")}) ${valueAction(option)}; return ;;`);
  const flags = quoted(flagsOf([...command.options, ...program.common]));
  return `    ${command.name})
${options.length === 0 ? "" : `      case $before in\n${options.join("\n")}\n      esac\n`}      case $cur in
        -*) _suture_words ${flags} ;;
        *) ${argumentsAction(command.arguments)} ;;
      esac ;;`;
}

/** Where a command takes several kinds of words in a row, each of them may come: an option's value before it cannot be told from it. */
function argumentsAction(given: readonly ArgumentOutline[]): string {
  const [first] = given;
  return first === undefined ? ":" : action(first.kind, first.choices);
}

function valueAction({ value }: OptionOutline): string {
  return value === undefined ? ":" : action(value.kind, value.choices);
}

function action(kind: Kind, choices: readonly string[]): string {
  if (choices.length > 0) return `_suture_words ${quoted(choices)}`;
  switch (kind) {
    case "file":
      return "_suture_files";
    case "folder":
      return "_suture_folders";
    case "module":
      return "_suture_modules";
    case "kernel":
      return '_suture_words "$(_suture_kernels)"';
    case "livepatch":
      return '_suture_words "$(_suture_livepatches)"';
    case "other":
      return ":";
  }
}

function flagsOf(options: readonly OptionOutline[]): string[] {
  return options.flatMap(({ flags }) => flags);
}

function quoted(words: readonly string[]): string {
  return `'${words.join(" ")}'`;
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n  ");
}
