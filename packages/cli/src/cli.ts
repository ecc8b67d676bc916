/** The program: words in, words or one JSON document out. */
import type { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import { Command, CommanderError } from "commander";
import about from "../package.json" with { type: "json" };
import type { Answer, Run } from "./answer.ts";
import { buildCommand } from "./commands/build.ts";
import { diffCommand } from "./commands/diff.ts";
import { extractCommand } from "./commands/extract.ts";
import { hostCommands } from "./commands/host.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { kernelsCommand } from "./commands/kernels.ts";
import { proveCommand } from "./commands/prove.ts";
import { tryCommand } from "./commands/try.ts";
import { fail } from "./errors.ts";
import { exitCode, failureText, sutureError } from "./failure.ts";
import { type Screen, ScreenReporter } from "./reporter.ts";

export interface Surroundings {
  stdout: Screen;
  stderr: Screen;
  signal: AbortSignal;
  env: Readonly<Record<string, string | undefined>>;
}

const COMMANDS = [kernelsCommand, buildCommand, extractCommand, proveCommand, tryCommand, diffCommand, inspectCommand, ...hostCommands];

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed or refused, 2 wrong usage, 3 nothing changed, 130 cancelled
 */
export async function runCli(args: readonly string[], at: Surroundings): Promise<number> {
  // Usage errors come before the options are read.
  const json = args.includes("--json");
  const verbose = args.includes("--verbose");
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
    if (json) at.stdout.write(`${JSON.stringify({ error })}\n`);
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
  const program = makeProgram(run, at);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return 0;
    refuse(usageError(thrown));
  }
  return code;
}

function usageError(thrown: CommanderError): SutureError {
  if (thrown.code === "commander.help") return fail("CLI_USAGE", "a command is needed", {}, { mend: "`suture help` lists them." });
  return fail("CLI_USAGE", thrown.message.replace(/^error: /, ""));
}

function makeProgram(run: Run, at: Surroundings): Command {
  const program = new Command("suture")
    .description("Patches a running Linux kernel: a source fix in, a proven livepatch module out.")
    .version(about.version)
    .option("--json", "print one JSON document on stdout")
    .option("--verbose", "show every command that is run")
    .configureHelp({ showGlobalOptions: true });
  for (const add of COMMANDS) add(program, run);
  // The help of a wrong command line is not asked for; the refusal says it in one line.
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeOut: (text) => at.stdout.write(text), writeErr: () => {} });
  return program;
}
