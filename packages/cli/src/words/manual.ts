/**
 * Manual pages in man(7), made of the program's own definitions: suture.1, and suture-COMMAND.1 for each command.
 * The exit codes are those of `exitCode` (failure.ts); the files those of layout.ts of packages/sources and packages/host's store/store.ts.
 */
import type { ArgumentOutline, CommandOutline, OptionOutline, ProgramOutline } from "./outline.ts";

const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "done"],
  ["1", "failed or refused"],
  ["2", "wrong usage"],
  ["3", "nothing changed: there is nothing to build, or nothing differs"],
  ["4", "done, but what it was to print is lost"],
  ["130", "cancelled"],
];

const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ["XDG_CACHE_HOME", "the folder in which the cache, suture/, is; ~/.cache unless set to an absolute path"],
  ["TMPDIR", "where scratch folders are made; /tmp unless set"],
  ["NO_COLOR", "no colours, if it is set and not empty"],
];

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  [
    "~/.cache/suture",
    "packages, sources, compilers, decoded kernels, compiled originals and what makes a start quicker; can be deleted at any time",
  ],
  ["/var/lib/suture", "livepatches that are loaded at each boot"],
  ["/run/suture", "what is known, until the next boot, of the livepatches that are loaded"],
];

/** @returns file names and their text */
export function manualPages(program: ProgramOutline): Map<string, string> {
  const pages = new Map([["suture.1", programPage(program)]]);
  for (const command of program.commands) pages.set(`suture-${command.name}.1`, commandPage(command, program));
  return pages;
}

function programPage(program: ProgramOutline): string {
  return page("suture", program.version, [
    ["NAME", `suture \\- ${escaped(lowered(program.description))}`],
    ["SYNOPSIS", `${synopsis("suture", program.common)} ${italic("command")} [${italic("argument ...")}]`],
    ["DESCRIPTION", escaped(DESCRIPTION)],
    ["COMMANDS", tagged(program.commands.map(({ name, description }) => [reference(name), escaped(description)]))],
    ["OPTIONS", tagged([...program.options, ...program.common.slice(-1)].map(optionEntry))],
    ["EXIT STATUS", tagged(EXIT_CODES.map(([code, meaning]) => [bold(code), escaped(meaning)]))],
    ["ENVIRONMENT", tagged(ENVIRONMENT.map(([name, meaning]) => [bold(name), escaped(meaning)]))],
    ["FILES", tagged(FILES.map(([path, meaning]) => [italic(path), escaped(meaning)]))],
    ["SEE ALSO", program.commands.map(({ name }) => reference(name)).join(",\n")],
  ]);
}

const DESCRIPTION =
  "Suture takes a source fix, compiles the few objects that the fix touches, proves byte for byte that they are what the kernel runs, " +
  "and links a livepatch module for exactly that kernel. It tries the module on that kernel in a virtual machine, and loads it, without a " +
  "reboot and without a kernel build.";

function commandPage(command: CommandOutline, program: ProgramOutline): string {
  const name = `suture-${command.name}`;
  const words = [synopsis(`suture ${command.name}`, command.options), ...command.arguments.map(argumentWord)].join("\n");
  return page(name, program.version, [
    ["NAME", `${name} \\- ${escaped(command.description)}`],
    ["SYNOPSIS", words],
    ["ARGUMENTS", tagged(command.arguments.map((argument) => [argumentWord(argument), escaped(argument.description)]))],
    ["COMMANDS", tagged(command.commands.map(commandEntry))],
    ["OPTIONS", tagged([...command.options, ...program.common].map(optionEntry))],
    ["EXAMPLES", tagged(command.examples.map(([line, what]) => [bold(`suture ${line}`), escaped(what)]))],
    ["EXIT STATUS", `As of ${bold("suture")}(1).`],
    ["SEE ALSO", `${bold("suture")}(1)`],
  ]);
}

/** A command of a command: how it is called, and what it takes. */
function commandEntry(command: CommandOutline): [tag: string, text: string] {
  const words = [
    bold(`suture ${command.name}`),
    ...command.arguments.map(argumentWord),
    ...command.options.map((option) => `[${optionWords({ ...option, flags: option.flags.slice(-1) })}]`),
  ];
  return [words.join(" "), escaped(command.description)];
}

function page(name: string, version: string, sections: readonly (readonly [heading: string, body: string])[]): string {
  const head = [
    '.\\" Made of the definitions of the command by `npm run bundle`.',
    `.TH ${name.toUpperCase().replaceAll("-", "\\-")} 1 "" "suture ${version}" "Suture"`,
    ".nh",
  ];
  return `${[...head, ...sections.filter(([, body]) => body !== "").map(([heading, body]) => `.SH "${heading}"\n${body}`)].join("\n")}\n`;
}

/** The words, with options that have a long name only by that. */
function synopsis(words: string, options: readonly OptionOutline[]): string {
  return [bold(words), ...options.map((option) => `[${optionWords({ ...option, flags: option.flags.slice(-1) })}]`)].join("\n");
}

function optionEntry(option: OptionOutline): [tag: string, text: string] {
  const { description, value, initial } = option;
  const choices = value === undefined || value.choices.length === 0 ? "" : ` (${value.choices.join(", ")})`;
  return [optionWords(option), escaped(`${description}${choices}${initial === undefined ? "" : `; ${initial} unless given`}`)];
}

function optionWords({ flags, value }: OptionOutline): string {
  const names = flags.map(bold).join(", ");
  return value === undefined ? names : `${names} ${italic(value.name)}${value.variadic ? " ..." : ""}`;
}

function argumentWord({ name, required, variadic }: ArgumentOutline): string {
  const word = `${italic(name)}${variadic ? " ..." : ""}`;
  return required ? word : `[${word}]`;
}

function tagged(entries: readonly (readonly [tag: string, text: string])[]): string {
  return entries.map(([tag, text]) => `.TP\n${tag}\n${text}`).join("\n");
}

function reference(command: string): string {
  return `${bold(`suture-${command}`)}(1)`;
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

/** A backslash begins a request inside of a line, a full stop or an apostrophe one at its beginning; a bare hyphen may become another sign. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/, "\\&");
}

function lowered(text: string): string {
  return (text.charAt(0).toLowerCase() + text.slice(1)).replace(/\.$/, "");
}
