/**
 * Child processes. Each runs in a process group of its own, so that cancelling ends the compiler that gcc started along with gcc; none
 * outlives the run.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fail } from "./errors.ts";
import type { Task } from "./task.ts";

export interface RunOptions {
  cwd?: string;
  /** Added to the environment. LC_ALL=C is always set: what programs print is read. */
  env?: Record<string, string>;
  input?: string | Uint8Array;
  /** Do not throw for these exit codes (0 is always fine). */
  accept?: number[];
  /** Milliseconds after which the process group is killed and COMMAND_FAILED thrown. */
  timeoutMs?: number;
  /** Gets the output as it comes. */
  onOutput?: (text: string) => void;
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
  ms: number;
}

const living = new Set<ChildProcess>();

/** Kills the process groups that are still there. Called when this process ends, for whatever reason it can still act on. */
function killAll(): void {
  for (const child of living) killGroup(child, "SIGKILL");
}
process.on("exit", killAll);

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended by itself.
  }
}

/** Starts a program that runs beside this one. It is killed with its group when the task is cancelled or this process ends. */
export function start(task: Task, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  task.check();
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { ...options, detached: true });
  living.add(child);
  const cancel = (): void => killGroup(child, "SIGKILL");
  task.signal.addEventListener("abort", cancel, { once: true });
  const ended = (): void => {
    living.delete(child);
    task.signal.removeEventListener("abort", cancel);
  };
  child.once("exit", ended);
  child.once("error", ended);
  return child;
}

/** Runs a program to its end. @throws COMMAND_FAILED, COMMAND_MISSING, CANCELLED */
export async function run(task: Task, argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = performance.now();
  const child = start(task, argv, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: "C", ...options.env },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const output: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (chunk: Buffer) => {
      output[name].push(chunk);
      options.onOutput?.(chunk.toString());
    });
  if (options.input !== undefined) {
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
  }
  let timedOut = false;
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          killGroup(child, "SIGKILL");
        }, options.timeoutMs);
  const line = argv.join(" ");
  try {
    const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) =>
        reject(
          error.code === "ENOENT"
            ? fail("COMMAND_MISSING", `${argv[0]} is not there`, { file: argv[0] })
            : fail("COMMAND_FAILED", `${argv[0]} could not be started: ${error.message}`, { file: argv[0] }),
        ),
      );
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    task.check();
    const stdout = Buffer.concat(output.stdout).toString();
    const stderr = Buffer.concat(output.stderr).toString();
    if (timedOut) throw fail("COMMAND_FAILED", `${line}\n  did not end within ${options.timeoutMs} ms`, { file: argv[0] });
    if (code === null) throw fail("COMMAND_FAILED", `${line}\n  was ended by ${signal}`, { file: argv[0] });
    if (code !== 0 && !options.accept?.includes(code))
      throw fail("COMMAND_FAILED", `${line}\n  ended with ${code}:\n${tail(stderr === "" ? stdout : stderr)}`, { file: argv[0] });
    return { code, stdout, stderr, ms: performance.now() - started };
  } finally {
    clearTimeout(timer);
    task.reporter.command(line, performance.now() - started);
  }
}

/** The last lines of what a program printed. */
function tail(text: string): string {
  return text.trimEnd().split("\n").slice(-30).join("\n");
}
