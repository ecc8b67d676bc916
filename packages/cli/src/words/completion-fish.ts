import type { Kind } from "./kinds.ts";
import type { OptionOutline, ProgramOutline } from "./outline.ts";
import { LISTS } from "./sources.ts";

/** For fish 3 and newer. */
export function fishScript(program: ProgramOutline): string {
  const names = [...program.commands.map(({ name }) => name), "help"].join(" ");
  const none = `not __fish_seen_subcommand_from ${names}`;
  const lines = [
    `# fish completion for suture ${program.version}; made by \`suture completion fish\``,
    `function __suture_kernels\n    sh -c ${quote(LISTS.kernel ?? "")}\nend`,
    `function __suture_livepatches\n    sh -c ${quote(LISTS.livepatch ?? "")}\nend`,
    "complete -c suture -f",
    ...program.common.map((option) => `complete -c suture ${optionWords(option)}`),
    `complete -c suture -n ${quote(none)} -l version -d ${quote("show the version")}`,
    ...program.commands.map(({ name, description }) => `complete -c suture -n ${quote(none)} -a ${name} -d ${quote(description)}`),
    `complete -c suture -n ${quote(none)} -a help -d ${quote("the help of a command")}`,
    `complete -c suture -n '__fish_seen_subcommand_from help' -a ${quote(program.commands.map(({ name }) => name).join(" "))}`,
    ...program.commands.flatMap((command) => {
      const here = `-n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`;
      const [first] = command.arguments;
      return [
        ...command.options.map((option) => `complete -c suture ${here} ${optionWords(option)}`),
        ...(first === undefined ? [] : [`complete -c suture ${here} ${valueWords(first.kind, first.choices)}`]),
      ];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function optionWords({ flags, description, value }: OptionOutline): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(" ");
  const text = `${names} -d ${quote(description)}`;
  return value === undefined ? text : `${text} -r ${valueWords(value.kind, value.choices)}`;
}

function valueWords(kind: Kind, choices: readonly string[]): string {
  if (choices.length > 0) return `-f -a ${quote(choices.join(" "))}`;
  switch (kind) {
    case "file":
    case "module":
      return "-F";
    case "folder":
      return "-f -a '(__fish_complete_directories)'";
    case "kernel":
      return "-f -a '(__suture_kernels)'";
    case "livepatch":
      return "-f -a '(__suture_livepatches)'";
    case "other":
      return "-f";
  }
}

/** In fish only \\ and ' are special between single quotes. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
