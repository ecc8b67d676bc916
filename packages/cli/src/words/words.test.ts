/** Completion and manual pages, of the program as it is, by the programs that read them. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { COMMANDS } from "../commands/all.ts";
import { COMMANDS as MACHINE } from "../commands/machine.ts";
import { MACHINE_WORDS } from "../commands/machine-words.ts";
import { makeProgram } from "../program.ts";
import { completionScript } from "./completion.ts";
import { KINDS } from "./kinds.ts";
import { manualPages } from "./manual.ts";
import { outlineOf } from "./outline.ts";

const outline = outlineOf(
  await makeProgram(
    () => async () => {},
    () => {},
  ),
);
const folder = mkdtempSync(join(tmpdir(), "suture-words-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Words that say nothing of where a value comes from. */
const OTHER = [
  "action",
  "address",
  "channel",
  "command",
  "commits",
  "count",
  "counter",
  "digest",
  "function",
  "hash",
  "holders",
  "id",
  "member",
  "name",
  "number",
  "order",
  "parameters",
  "ring",
  "role",
  "text",
  "time",
  "window",
  "seconds",
  "section=bytes",
  "shell",
  "struct",
  "unit",
  "variable",
  "what",
  "which",
];

test("every value of the program is of a kind that is known", () => {
  const values = [outline, ...outline.commands].flatMap((command) => [
    ...command.arguments.map(({ name }) => name),
    ...command.options.flatMap(({ value }) => value?.name ?? []),
  ]);
  expect(values.filter((name) => KINDS[name] === undefined && !OTHER.includes(name))).toEqual([]);
});

test("a command is loaded by its own word, with no other beside it", async () => {
  expect(outline.commands.map(({ name }) => name)).toEqual(Object.keys(COMMANDS));
  expect(MACHINE_WORDS).toEqual(Object.keys(MACHINE));
  for (const word of Object.keys(COMMANDS)) {
    const { commands } = await makeProgram(() => async () => {}, () => {}, ["--json", word]);
    const help = await makeProgram(() => async () => {}, () => {}, ["--help", word]);
    expect(help.commands).toHaveLength(Object.keys(COMMANDS).length);
    expect(commands.map((command) => command.name())).toEqual(word === "completion" ? Object.keys(COMMANDS) : [word]);
  }
});

test("every command and option says what it is", () => {
  for (const command of outline.commands) {
    expect(command.description, command.name).not.toBe("");
    for (const option of command.options) expect(option.description, option.flags.join()).not.toBe("");
    for (const argument of command.arguments) expect(argument.description, `${command.name} ${argument.name}`).not.toBe("");
  }
});

test("every example is a command line that the program takes", async () => {
  const examples = outline.commands.flatMap((command) => command.examples.map(([line]) => line));
  expect(examples.length).toBeGreaterThan(10);
  for (const line of examples) {
    let taken = 0;
    const program = await makeProgram(
      () => async () => {
        taken++;
      },
      () => {},
    );
    await program.parseAsync(
      [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ""),
      { from: "user" },
    );
    expect(taken, line).toBe(1);
  }
});

/** A cache with a kernel that is ready. */
const cache = join(folder, "cache");
mkdirSync(join(cache, "suture/kernels/9.9.9-1-cloud-amd64_9.9.9-1_6"), { recursive: true });

const asked: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["suture bu", ["build"]],
  ["suture --json ins", ["inspect", "install"]],
  ["suture build --accept-l", ["--accept-layout"]],
  ["suture build --kernel 9.9", ["9.9.9-1-cloud-amd64"]],
  ["suture load --on-timeout ", ["force", "reverse", "wait"]],
  ["suture completion ", ["bash", "fish", "zsh"]],
  ["suture help sta", ["status"]],
];

// It takes an option and its value apart where they are one word.
const taken: typeof asked = [
  ["suture build --kernel = 9.9", ["9.9.9-1-cloud-amd64"]],
  ["suture load --on-timeout =", ["force", "reverse", "wait"]],
];

test.each([...asked, ...taken])("bash completes %j", (line, offered) => {
  writeFileSync(join(folder, "suture.bash"), completionScript("bash", outline));
  const words = line.split(" ");
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _suture; printf "%s\\n" "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-uc", script, "bash", join(folder, "suture.bash"), ...words], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
  expect(out.trim().split("\n").sort()).toEqual(expect.arrayContaining([...offered]));
});

test.each(asked)("fish completes %j", (line, offered) => {
  writeFileSync(join(folder, "suture.fish"), completionScript("fish", outline));
  const out = execFileSync("fish", ["--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', join(folder, "suture.fish"), line], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: cache, HOME: folder },
  });
  const words = out
    .trim()
    .split("\n")
    .map((found) => found.split("\t")[0]);
  expect(words).toEqual(expect.arrayContaining([...offered]));
});

test("zsh completes a command, an option's name and its value", () => {
  writeFileSync(join(folder, "_suture"), completionScript("zsh", outline));
  // What is typed into an interactive zsh on a terminal of its own; each answer is looked for before the next word is typed.
  const script = `
    zmodload zsh/zpty
    zpty z "zsh -f -i"
    await() { local all= line; repeat 200; do zpty -r -t z line && all+=$line; [[ \${all//[^[:print:]]/} == *$1* ]] && return 0; sleep 0.05; done; print -r -- "no $1 in $all"; exit 1 }
    zpty -w z 'unsetopt zle_bracketed_paste; PS1="rea""dy> "; fpath=(${folder} $fpath); autoload -U compinit; compinit -u -D; stty rows 60 cols 150'
    await 'ready> '
    zpty -w -n z $'suture bui\\t'; await 'suture build'
    zpty -w -n z $'--accept-l\\t'; await '--accept-layout'
    zpty -w -n z $'\\C-usuture completion f\\t'; await 'completion fish'
    zpty -w -n z $'\\C-usuture build --kernel 9\\t'; await '9.9.9-1-cloud-amd64'
    zpty -d z`;
  const { status, stdout, stderr } = spawnSync("zsh", ["-f", "-c", script], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: cache, TERM: "dumb" },
  });
  expect(status, stdout + stderr).toBe(0);
});

test("there is a manual page for each command, and groff has nothing to say against any", () => {
  const pages = manualPages(outline);
  expect([...pages.keys()].sort()).toEqual(["suture.1", ...outline.commands.map(({ name }) => `suture-${name}.1`)].sort());
  for (const [name, text] of pages) {
    const { status, stdout, stderr } = spawnSync("groff", ["-man", "-Tutf8", "-P-cbou", "-ww"], { input: text, encoding: "utf8" });
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
    expect(stdout).toContain("SYNOPSIS");
  }
  const build = pages.get("suture-build.1") ?? "";
  for (const { flags } of outline.commands.find(({ name }) => name === "build")?.options ?? [])
    expect(build).toContain(`\\fB${flags.at(-1)?.replaceAll("-", "\\-")}\\fR`);
});
