/** A booted virtual machine: commands in, output and the kernel's log out. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { SutureError } from "@suture/errors";
import { shellWord } from "@suture/files";
import { findEvents, lastLines } from "@suture/kernel";
import type { Accelerator, KernelEvent, KernelLine } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { Agent, Answer } from "./agent.ts";
import { fail } from "./errors.ts";
import { CHUNK, NO_ROOM, OUTPUT_LIMIT, PUT_FILE } from "./init-script.ts";
import { type KernelLog, lineText } from "./kernel-log.ts";
import type { Machine } from "./machine.ts";
import { readNotes } from "./notes.ts";

export interface RunOptions {
  /** Milliseconds of this machine's time after which the command is killed; 30 s unless given. */
  timeoutMs?: number;
}

export interface RunResult {
  /** As a shell gives it: 128 and the signal's number for a command that a signal ended. */
  code: number;
  /** What it printed on both outputs, in that order, as text. */
  output: string;
  /** The same as it came. */
  bytes: Uint8Array;
  /** It printed more than is kept (256 KiB). */
  truncated: boolean;
  /** It did not end by itself and was killed. */
  timedOut: boolean;
  /** Milliseconds on the host's and (in steps of 10) on the guest's clock. */
  ms: number;
  guestMs: number;
  /** What the kernel said while it ran. */
  log: KernelLine[];
  events: KernelEvent[];
}

export interface GuestParts {
  task: Task;
  machine: Machine;
  agent: Agent;
  log: KernelLog;
  accelerator: Accelerator;
  image: string;
  graceMs: number;
}

const RUN_MS = 30_000;
const SHUTDOWN_MS = 120_000;
/** A script that is too long for one request. */
const SCRIPT_FILE = "/run/script";
/** How long a hanging guest gets to say where it hangs, and a panicking one to end. */
const LAST_WORDS_MS = 4_000;
/** Less is not waited for once more. */
const LEAST_MS = 100;
/** So long a pause is not within an answer. */
const SILENCE_MS = 3_000;

/** A QEMU that was killed and does not end waits in the kernel, for a disk that does not answer. */
const KILLED_MS = 10_000;

/** Why there is no guest any more. */
type End = "stopped" | "panic" | "lost" | "hang";

interface Mark {
  seen: () => void;
  /** Of the log, where it stands. */
  position: number | undefined;
}

export class Guest {
  readonly accelerator: Accelerator;
  /** Of QEMU. */
  readonly pid: number;
  /** Set when the guest has answered for the first time: its release, its build-id (hex), milliseconds from the start of QEMU. */
  release = "";
  buildId = "";
  bootMs = 0;
  readonly #task: Task;
  readonly #machine: Machine;
  readonly #agent: Agent;
  readonly #log: KernelLog;
  readonly #image: string;
  /** How long a guest that is well, and has a processor, may take to answer a request, or to bring a mark through its log. */
  readonly #graceMs: number;
  readonly #marks = new Map<number, Mark>();
  /** Who waits for something of the machine, to be told when it has ended. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #goingDown = false;
  #end: End | undefined;
  #endError: SutureError | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: GuestParts) {
    this.#task = parts.task;
    this.#machine = parts.machine;
    this.#agent = parts.agent;
    this.#log = parts.log;
    this.#image = parts.image;
    this.#graceMs = parts.graceMs;
    this.accelerator = parts.accelerator;
    this.pid = parts.machine.pid;
    void parts.machine.ended.then((end) => {
      this.#log.end();
      this.#end ??= this.#goingDown ? "stopped" : "lost";
      const how = end.signal === null ? `with exit code ${end.code}` : `by ${end.signal}`;
      this.#endError ??= this.#error(this.#end, `QEMU was ended ${how}${end.stderr === "" ? "" : `: ${end.stderr}`}`);
      for (const tell of this.#waiting) tell(this.#endError);
    });
  }

  /** The machine is there and was not found to be broken. */
  get alive(): boolean {
    return this.#end === undefined;
  }

  /** Where the log stands, for `kernelLog`. */
  get logPosition(): number {
    return this.#log.position;
  }

  kernelLog(from = 0): KernelLine[] {
    return this.#log.since(from);
  }

  /** Every report of trouble in the log. */
  events(from = 0): KernelEvent[] {
    return findEvents(this.#log.since(from));
  }

  /** The last lines of the log, or the lines of the oops or panic that it ends in, as the kernel prints them. */
  lastLines(from = 0): string[] {
    return lastLines(this.#log.since(from)).map(lineText);
  }

  /** For the log's marks and lines (see boot.ts). */
  marked(id: number): void {
    const mark = this.#marks.get(id);
    if (mark === undefined) return;
    mark.position = this.#log.position;
    mark.seen();
  }

  logged(line: KernelLine): void {
    if (this.#end !== undefined || !line.text.startsWith("Kernel panic - not syncing")) return;
    this.#end = "panic";
    // It restarts by itself, which ends QEMU, when it has printed the rest; if it cannot, it is ended.
    setTimeout(() => this.#machine.kill(), LAST_WORDS_MS).unref();
  }

  /** Waits for the agent's first answer. */
  async ready(hello: Promise<Answer>, deadlineMs: number): Promise<void> {
    const started = performance.now();
    const answer = await this.#served(hello, deadlineMs);
    if (answer === undefined) throw await this.#hang(`the machine did not come up within ${deadlineMs} ms`);
    this.bootMs = performance.now() - started;
    const line = answer.output.indexOf("\n");
    this.release = answer.output.toString("utf8", 0, line);
    this.buildId = readNotes(answer.output.subarray(line + 1)).buildId ?? "";
  }

  /**
   * Runs a shell command or script. Commands run one after the other, in the order in which they were asked for.
   * @throws LAB_HANG, LAB_PANIC, LAB_LOST, LAB_STOPPED, CANCELLED
   */
  run(command: string, options: RunOptions = {}): Promise<RunResult> {
    const timeoutMs = options.timeoutMs ?? RUN_MS;
    const script = Buffer.from(`${command}\n`);
    return this.#inTurn(async () => {
      if (script.length <= CHUNK) return this.#run(command, timeoutMs);
      await this.#put(SCRIPT_FILE, script, 0o600);
      return this.#run(`. ${SCRIPT_FILE}`, timeoutMs);
    });
  }

  /** Writes a file in the guest. @throws LAB_PUT_FAILED, and what `run` throws */
  put(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
    return this.#inTurn(() => this.#put(path, bytes, mode));
  }

  /**
   * Has a system go down in order, and waits until the machine is off.
   * @param command that begins it, as `systemctl reboot`
   * @throws LAB_HANG, LAB_PANIC
   */
  async shutDown(command: string, timeoutMs = SHUTDOWN_MS): Promise<void> {
    this.#goingDown = true;
    // It may be over before the command is answered.
    const answered = this.run(command, { timeoutMs }).then(() => this.#within(new Promise<never>(() => {}), timeoutMs));
    const error = await answered.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (this.#end === "stopped") return;
    throw error ?? (await this.#hang(`the machine did not go down within ${timeoutMs} ms`));
  }

  /** Switches the machine off. It has nothing to save. */
  async stop(): Promise<void> {
    this.#end ??= "stopped";
    await this.#kill();
  }

  async #kill(): Promise<void> {
    this.#machine.kill();
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#task.reporter.warn(`QEMU (process ${this.pid}) was killed and does not end: the system waits for something of its own`);
        resolve();
      }, KILLED_MS);
    });
    await Promise.race([this.#machine.ended, over]);
    clearTimeout(timer);
  }

  /** A failed command does not keep the next ones from running. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #put(path: string, bytes: Uint8Array, mode: number): Promise<void> {
    // The port is the slow part: 70 KiB in a second when the guest is emulated.
    const packed = await promisify(gzip)(bytes);
    const [from, to] = [shellWord(PUT_FILE), shellWord(path)];
    for (let offset = 0; offset < packed.length; offset += CHUNK) {
      const answer = await this.#data(packed.subarray(offset, offset + CHUNK));
      if (answer === undefined) throw await this.#hang(`no answer for ${this.#graceMs} ms while ${path} was written`);
      if (answer.code === 0) continue;
      await this.#run(`rm -f ${from}`, RUN_MS);
      throw fail("LAB_PUT_FAILED", `${path} cannot be written: no memory left`, { file: path });
    }
    const place = `mkdir -p "$(dirname ${to})" && gunzip -c <${from} >${to} && chmod ${mode.toString(8)} ${to}`;
    const placed = await this.#run(`${place}; code=$?; rm -f ${from}; exit $code`, RUN_MS);
    if (placed.code !== 0) throw fail("LAB_PUT_FAILED", `${path} cannot be written: ${placed.output.trim()}`, { file: path });
  }

  /** A request that is answered at once; undefined where it is not. */
  async #data(payload: Uint8Array): Promise<Answer | undefined> {
    const { id, answer } = this.#agent.send("data", payload);
    try {
      return await this.#served(answer, this.#graceMs);
    } finally {
      this.#agent.forget(id);
    }
  }

  /** @returns whether the agent has asked the kernel where all of it is; what that said has come through the log by then, or will not come */
  async #dump(): Promise<boolean> {
    const { id, answer } = this.#agent.send("dump", new Uint8Array(0));
    const { marked } = this.#mark(id);
    try {
      if ((await this.#served(answer, LAST_WORDS_MS)) === undefined) return false;
      await this.#served(marked, LAST_WORDS_MS);
      return true;
    } catch {
      return false;
    } finally {
      this.#marks.delete(id);
      this.#agent.forget(id);
    }
  }

  /** What is said once the mark of a request comes through the log. */
  #mark(id: number): { mark: Mark; marked: Promise<true> } {
    const mark: Mark = { seen: () => {}, position: undefined };
    const marked = new Promise<true>((resolve) => {
      mark.seen = () => resolve(true);
    });
    this.#marks.set(id, mark);
    return { mark, marked };
  }

  async #run(command: string, timeoutMs: number): Promise<RunResult> {
    const started = performance.now();
    const position = this.#log.position;
    const { id, answer } = this.#agent.send("run", Buffer.from(`${command}\n`));
    const { mark, marked } = this.#mark(id);
    try {
      let result = await this.#answered(answer, this.#within(answer, timeoutMs));
      const timedOut = result === undefined;
      if (result === undefined) {
        this.#agent.kill(id);
        result = await this.#answered(answer, this.#served(answer, this.#graceMs));
      }
      if (result === undefined) throw await this.#hang(`no answer within ${timeoutMs} ms, and killing did not help, for: ${command}`);
      if (result.code === NO_ROOM) throw fail("LAB_NO_ROOM", `it was not run: ${command}`, { file: this.#image });
      const seen = await this.#served(marked, this.#graceMs);
      if (seen === undefined) throw await this.#hang(`the kernel's log stands still since: ${command}`);
      const log = this.#log.since(position).slice(0, (mark.position ?? position) - position);
      return {
        code: result.code,
        output: result.output.toString(),
        bytes: result.output,
        truncated: result.output.length >= OUTPUT_LIMIT,
        timedOut,
        ms: performance.now() - started,
        guestMs: Math.round((result.to - result.from) * 1000),
        log,
        events: findEvents(log),
      };
    } finally {
      this.#marks.delete(id);
      this.#agent.forget(id);
    }
  }

  /** As `first` of it, but an answer that is on its way is waited for. */
  async #answered(answer: Promise<Answer>, first: Promise<Answer | undefined>): Promise<Answer | undefined> {
    const started = performance.now();
    const arriving = (): boolean => this.#agent.lastHeard > Math.max(started, performance.now() - SILENCE_MS);
    let result = await first;
    while (result === undefined && arriving()) result = await this.#within(answer, SILENCE_MS);
    return result;
  }

  /** As `#within`, but the time does not count in which this machine had no processor for the guest. */
  async #served<T>(value: Promise<T>, ms: number): Promise<T | undefined> {
    const starvedMs = this.#machine.starved();
    let waited = ms;
    let result = await this.#within(value, ms);
    for (;;) {
      const left = ms + starvedMs() - waited;
      if (result !== undefined || left < LEAST_MS) return result;
      waited += left;
      result = await this.#within(value, left);
    }
  }

  /** What comes first: the value, undefined when the time is over, or an error when the machine has ended. */
  async #within<T>(value: Promise<T>, ms: number): Promise<T | undefined> {
    this.#task.check();
    if (this.#endError !== undefined) throw this.#endError;
    let timer: NodeJS.Timeout | undefined;
    let tell = (_error: unknown): void => {};
    const first = new Promise<T | undefined>((resolve, reject) => {
      timer = setTimeout(resolve, ms, undefined);
      tell = (error) => {
        try {
          this.#task.check();
          reject(error);
        } catch (cancelled) {
          reject(cancelled);
        }
      };
      value.then(resolve, reject);
    });
    this.#waiting.add(tell);
    try {
      return await first;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(tell);
    }
  }

  /**
   * The guest does not answer: has it say where it hangs, ends it, and makes the error. The agent still listens when only the command hangs;
   * otherwise an NMI interrupts whatever the first CPU does.
   */
  async #hang(why: string): Promise<SutureError> {
    // It ends by itself, or was stopped.
    if (this.#end !== undefined) await this.#within(new Promise<never>(() => {}), LAST_WORDS_MS + KILLED_MS);
    this.#end = "hang";
    const listened = this.release !== "";
    if (!listened || !(await this.#dump())) {
      this.#machine.interrupt();
      await this.#within(new Promise(() => {}), LAST_WORDS_MS).catch(() => {});
    }
    const error = this.#error("hang", why);
    this.#endError = error;
    await this.#kill();
    this.#task.check();
    return error;
  }

  #error(end: End, why: string): SutureError {
    const where = { file: this.#image };
    if (end === "stopped") return fail("LAB_STOPPED", "the machine was stopped", where);
    const lines = this.lastLines();
    const shown = lines.length === 0 ? "\nThe console shows nothing." : `\nThe console's last lines:\n${lines.join("\n")}`;
    if (end === "hang") return fail("LAB_HANG", why + shown, where);
    if (end === "lost") return fail("LAB_LOST", why + shown, where);
    const panic = this.events().findLast((event) => event.kind === "panic");
    const line = panic?.lines.findLast(({ text }) => text.startsWith("Kernel panic"));
    return fail("LAB_PANIC", (line?.text ?? "the kernel panicked") + shown, where);
  }
}
