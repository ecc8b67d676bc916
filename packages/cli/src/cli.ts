/** The program: words in, words or one JSON document out. */

import type { SutureError } from "@suture/errors";
import { errorDocument } from "@suture/protocol";
import { Task } from "@suture/task";
import { CommanderError } from "commander";
import type { Answer, Run } from "./answer.ts";
import { fail } from "./errors.ts";
import { exitCode, failureText, sutureError } from "./failure.ts";
import { makeProgram } from "./program.ts";
import { type Screen, ScreenReporter } from "./reporter.ts";

export interface Surroundings {
  stdout: Screen;
  stderr: Screen;
  signal: AbortSignal;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed or refused, 2 wrong usage, 3 nothing changed, 130 cancelled; main.ts adds 4, done but its words are lost
 */
export async function runCli(args: readonly string[], at: Surroundings): Promise<number> {
  // Usage errors come before the options are read.
  // What comes after -- is none; before it commander takes them wherever they are, in the place of another option's value, too.
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const json = options.includes("--json");
  const verbose = options.includes("--verbose");
  const { NO_COLOR } = at.env;
  const colour = at.stderr.isTTY === true && (NO_COLOR === undefined || NO_COLOR === "");
  let code = 0;
  const print = (answer: Answer): void => {
    const text = json ? JSON.stringify(answer.document, undefined, 2) : answer.text;
    if (text !== "") at.stdout.write(`${text}\n`);
    code = answer.code ?? 0;
  };
  const printNext = ({ document, text }: Answer): void => {
    if (json) at.stdout.write(`${JSON.stringify(document)}\n`);
    else at.stdout.write(`${at.stdout.isTTY === true ? "\u001b[H\u001b[2J" : ""}${text}\n${at.stdout.isTTY === true ? "" : "\n"}`);
  };
  const refuse = (thrown: unknown): void => {
    const error = sutureError(thrown);
    if (json) at.stdout.write(`${JSON.stringify(errorDocument.of({ error: error.toJSON() }))}\n`);
    else at.stderr.write(`${failureText(error, { verbose, colour })}\n`);
    code = exitCode(error);
  };
  const run: Run =
    (work) =>
    async (...words) => {
      const reporter = new ScreenReporter(at.stderr, { verbose, colour });
      try {
        const answer = await work(new Task(reporter, at.signal), ...words);
        if (Symbol.asyncIterator in answer) {
          for await (const next of answer) printNext(next);
          reporter.close();
          return;
        }
        reporter.close();
        print(answer);
      } catch (thrown) {
        reporter.close();
        refuse(thrown);
      }
    };
  const program = await makeProgram(run, (text) => at.stdout.write(text), args);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return 0;
    refuse(usageError(thrown, args));
  }
  return code;
}

function usageError(thrown: CommanderError, args: readonly string[]): SutureError {
  const [word, asked] = args.filter((arg) => !arg.startsWith("-"));
  if (thrown.code === "commander.help" && word === "help" && asked !== undefined)
    return fail("CLI_USAGE", `unknown command '${asked}'`, {}, { mend: "`suture help` lists them." });
  if (thrown.code === "commander.help") return fail("CLI_USAGE", "a command is needed", {}, { mend: "`suture help` lists them." });
  return fail("CLI_USAGE", thrown.message.replace(/^error: /, ""));
}
