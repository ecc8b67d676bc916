/**
 * Child processes. Each runs in a process group of its own, so that cancelling ends the compiler that gcc started along with gcc. With the
 * program that was started its group ends: what it left running in the background outlives neither it nor us.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { childEnvironment } from "./environment.ts";
import { fail } from "./errors.ts";
import type { Task } from "./task.ts";

export interface RunOptions {
  cwd?: string;
  /** Added to the environment, of which children do not get all (environment.ts). */
  env?: Record<string, string>;
  input?: string | Uint8Array;
  /** Of what it prints; UTF-8 unless given. */
  encoding?: "utf8" | "latin1";
  /** Do not throw for these exit codes (0 is always fine). */
  accept?: number[];
  /** Milliseconds after which the process group is killed and COMMAND_FAILED thrown. */
  timeoutMs?: number;
  /** Bytes of output after which the process group is killed and COMMAND_FAILED thrown; 256 MiB unless given. */
  outputLimit?: number;
  /** Gets the output as it comes. */
  onOutput?: (text: string) => void;
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
  ms: number;
}

/** Less than the longest string that node can make. */
const OUTPUT_LIMIT = 256 * 1024 * 1024;
/**
 * When the program has ended, so many looks in a row (milliseconds apart) that find nothing new in its pipes are enough: a process that left the
 * group may hold them for ever. Looks are counted, not time: between two of them all that is there is read, however busy we were before.
 */
const QUIET = { looks: 20, ms: 100 };

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
    // At once: while a process of the group is there, and no longer, its number is not given to another.
    killGroup(child, "SIGKILL");
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
    env: childEnvironment(process.env, options.env),
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const output: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  const limit = options.outputLimit ?? OUTPUT_LIMIT;
  let length = 0;
  let quiet = 0;
  for (const name of ["stdout", "stderr"] as const) {
    // A character may come in two pieces.
    const decoder = new StringDecoder("utf8");
    const tell = (text: string): void => {
      if (text !== "") options.onOutput?.(text);
    };
    child[name]?.on("data", (chunk: Buffer) => {
      length += chunk.length;
      quiet = 0;
      if (length > limit) {
        killGroup(child, "SIGKILL");
        return;
      }
      output[name].push(chunk);
      tell(decoder.write(chunk));
    });
    child[name]?.once("end", () => tell(decoder.end()));
  }
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
  let pipes: NodeJS.Timeout | undefined;
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
      child.once("exit", (code, signal) => {
        quiet = 0;
        pipes = setInterval(() => {
          if (++quiet < QUIET.looks) return;
          child.stdout?.destroy();
          child.stderr?.destroy();
          resolve({ code, signal });
        }, QUIET.ms);
      });
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    task.check();
    const stdout = Buffer.concat(output.stdout).toString(options.encoding);
    const stderr = Buffer.concat(output.stderr).toString(options.encoding);
    if (length > limit) throw fail("COMMAND_FAILED", `${line}\n  printed more than ${limit} bytes`, { file: argv[0] });
    if (timedOut) throw fail("COMMAND_FAILED", `${line}\n  did not end within ${options.timeoutMs} ms`, { file: argv[0] });
    if (code === null) throw fail("COMMAND_FAILED", `${line}\n  was ended by ${signal}`, { file: argv[0] });
    if (code !== 0 && !options.accept?.includes(code))
      throw fail("COMMAND_FAILED", `${line}\n  ended with ${code}:\n${tail(stderr === "" ? stdout : stderr)}`, { file: argv[0] });
    return { code, stdout, stderr, ms: performance.now() - started };
  } finally {
    clearTimeout(timer);
    clearInterval(pipes);
    task.reporter.command(line, performance.now() - started);
  }
}

/** The last lines of what a program printed. */
function tail(text: string): string {
  return text.trimEnd().split("\n").slice(-30).join("\n");
}
