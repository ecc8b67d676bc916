/** What the commands for the running machine have in common: how long a transition may take, what then, and how it is told. */
import { existsSync, realpathSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import type { Choice, Patience } from "@suture/host";
import type { Transition } from "@suture/protocol";
import { type Command, Option } from "commander";
import { fail } from "./errors.ts";
import { countText, timeText } from "./text.ts";

export interface PatienceOptions {
  timeout: string;
  onTimeout: string;
}

const CHOICES: readonly Choice[] = ["reverse", "wait", "force"];

export function addPatience(command: Command): Command {
  return command
    .option("--timeout <seconds>", "how long the transition may take", "60")
    .addOption(
      new Option("--on-timeout <what>", "then: turn it back, wait on, or force it, which can crash the machine")
        .choices(CHOICES)
        .default("reverse"),
    );
}

export function patienceOf({ timeout, onTimeout }: PatienceOptions): Patience {
  return { timeoutMs: secondsOf(timeout, "--timeout") * 1000, onTimeout: CHOICES.find((choice) => choice === onTimeout) ?? "reverse" };
}

export function secondsOf(text: string, option: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0)
    throw fail("CLI_USAGE", `${option}: "${text}" is no number of seconds`);
  return seconds;
}

/** As they go to insmod, which would take one that begins with a dash for an option of its own. */
export function checkedParameters(words: readonly string[]): readonly string[] {
  const wrong = words.find((word) => !/^\w+(=.*)?$/.test(word));
  if (wrong !== undefined)
    throw fail("CLI_USAGE", `"${wrong}" is no parameter of a module`, {}, { mend: "Parameters are written NAME=VALUE." });
  return words;
}

export function transitionText({ outcome, ms, stragglers }: Transition): string {
  const held = stragglers.length === 0 ? "" : `, held up by ${countText(stragglers.length, "task")}`;
  if (outcome === "done") return timeText(ms) + held;
  return `${outcome} after ${timeText(ms)}${held}`;
}

/** The words that run this very program, for a unit that runs it later. */
export function thisProgram(): string[] {
  // A package of the system has a name for it that stays.
  const { SUTURE_PROGRAM } = process.env;
  if (SUTURE_PROGRAM !== undefined && isAbsolute(SUTURE_PROGRAM) && existsSync(SUTURE_PROGRAM)) return [SUTURE_PROGRAM];
  return [lastingPath(process.execPath), ...process.execArgv, process.argv[1] ?? ""];
}

/** A name under which the program will be found after an upgrade as well: a link that leads to it, rather than the folder of its version. */
export function lastingPath(program: string, folders: readonly string[] = ["/usr/local/bin", "/usr/bin", "/bin"]): string {
  const links = folders.map((folder) => join(folder, basename(program)));
  return links.find((link) => existsSync(link) && realpathSync(link) === realpathSync(program)) ?? program;
}
