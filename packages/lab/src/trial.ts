/** One livepatch on a running guest: probed before, loaded, probed, unloaded, probed again. */
import { constants } from "node:os";
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import type { Stage, Task } from "@suture/task";
import { type BootOptions, boot } from "./boot.ts";
import type { Guest, RunResult } from "./guest.ts";
import { readable } from "./initramfs.ts";
import { type EventKind, findEvents, type KernelEvent } from "./kernel-events.ts";
import { type KernelLine, lineText } from "./kernel-log.ts";
import type { Accelerator } from "./machine.ts";
import { nameOfModule } from "./modules.ts";
import { quote } from "./shell.ts";
import { decodeTaint, type Taint } from "./taint.ts";

export interface TrialOptions {
  /** The livepatch's .ko file. */
  module: string;
  /** `name=value` for the module. */
  parameters?: readonly string[];
  /** Shell commands, run in this order before, with and after the patch. Their output is shown, not judged. */
  probes: readonly string[];
  /** What has to be listed under /sys/kernel/livepatch once it is loaded. `object` is "vmlinux" or a module. */
  functions?: readonly { object: string; name: string }[];
  timeouts?: { probeMs?: number; loadMs?: number; transitionMs?: number; unloadMs?: number };
}

/** The worst that happened. */
export type Outcome =
  /** Loaded, patched, unloaded, and the kernel said nothing. */
  | "passed"
  /** It did all that, and the kernel warned. */
  | "warned"
  /** It was loaded, but does not patch all that it should. */
  | "incomplete"
  /** A transition did not end, or the module could not be removed. */
  | "stuck"
  /** The kernel did not take the module. */
  | "refused"
  /** A fault in kernel code. The guest should not be used any more. */
  | "oopsed"
  /** The guest is gone. */
  | "hung"
  | "panicked"
  | "lost";

export type StepName = "probe before" | "load" | "patch" | "probe patched" | "disable" | "unload" | "probe after";

export interface StepReport {
  name: StepName;
  /** Milliseconds on the host's and on the guest's clock. */
  ms: number;
  guestMs: number;
  events: KernelEvent[];
}

/** Output is text here: a report can be printed as JSON. */
export type ProbeResult = Omit<RunResult, "bytes">;

export interface ProbeReport {
  command: string;
  before?: ProbeResult;
  patched?: ProbeResult;
  after?: ProbeResult;
}

export interface PatchedFunction {
  object: string;
  name: string;
  sympos: number;
}

/** A task that keeps a transition from ending. */
export interface Blocker {
  pid: number;
  name: string;
  /** Innermost first, as /proc/PID/stack shows it. */
  stack: string[];
}

export interface TrialReport {
  module: string;
  /** As the kernel calls it. */
  name: string;
  release: string;
  buildId: string;
  accelerator: Accelerator;
  outcome: Outcome;
  /** Why the outcome is neither "passed" nor "warned": the step, what happened in a sentence, the console's last lines. */
  failure: { step: StepName; why: string; console: string[] } | undefined;
  steps: StepReport[];
  probes: ProbeReport[];
  /** How loading failed: the error's name and text (EINVAL, Invalid argument), and what the kernel and insmod said. */
  refusal: { errno: string; text: string; said: string[] } | undefined;
  /** From start to completion by the kernel's log, or as long as we waited for it. */
  patchMs: number | undefined;
  unpatchMs: number | undefined;
  functions: PatchedFunction[];
  /** Of `options.functions`: not listed by the kernel. */
  missing: { object: string; name: string }[];
  blockers: Blocker[];
  taint: { before: Taint | undefined; loaded: Taint | undefined; after: Taint | undefined };
  /** What the kernel's livepatch code said. */
  livepatchLines: KernelLine[];
  events: KernelEvent[];
  /** All that the kernel said during the trial. */
  log: KernelLine[];
}

const TIMEOUTS = { probeMs: 30_000, loadMs: 60_000, transitionMs: 60_000, unloadMs: 30_000 };
const GUEST_FILE = "/run/livepatch.ko";
const FAULTS: readonly EventKind[] = ["panic", "oops"];
const OUTCOME_OF_ERROR: Readonly<Record<string, Outcome>> = { LAB_HANG: "hung", LAB_PANIC: "panicked", LAB_LOST: "lost" };

/** Thrown within a trial to end it. */
class TrialEnd {
  readonly outcome: Outcome;
  readonly why: string;

  constructor(outcome: Outcome, why: string) {
    this.outcome = outcome;
    this.why = why;
  }
}

/** Boots a kernel, tries a module on it, and ends the machine. What goes wrong before the trial is thrown; what goes wrong in it is reported. */
export async function tryModule(task: Task, options: BootOptions & TrialOptions): Promise<TrialReport> {
  // A file that cannot be tried should not cost a boot.
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  const guest = await boot(task, { ...options, files: [...(options.files ?? []), { path: GUEST_FILE, content: data }] });
  try {
    return await runTrial(task, guest, options, name);
  } finally {
    await guest.stop();
  }
}

/**
 * Tries a module on a guest that runs. After "passed", "warned", "incomplete" and "refused" the guest can be used for another trial; after
 * "stuck" if no blockers are left (`guest.alive` and no entry in /sys/kernel/livepatch); after the others it cannot.
 * @throws CANCELLED, LAB_STOPPED, LAB_FILE_UNREADABLE, LAB_NOT_A_MODULE, LAB_PUT_FAILED
 */
export async function trial(task: Task, guest: Guest, options: TrialOptions): Promise<TrialReport> {
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  await guest.put(GUEST_FILE, data);
  return runTrial(task, guest, options, name);
}

/** The module is in the guest. */
async function runTrial(task: Task, guest: Guest, options: TrialOptions, name: string): Promise<TrialReport> {
  return task.stage(`try ${basename(options.module)}`, async (stage) => {
    const report = emptyReport(guest, options, name);
    const start = guest.logPosition;
    const course = new Course(guest, options, report, stage, start);
    try {
      await course.go();
    } catch (error) {
      const outcome = error instanceof SutureError ? OUTCOME_OF_ERROR[error.code] : undefined;
      if (error instanceof TrialEnd) course.end(error.outcome, error.why);
      else if (error instanceof SutureError && outcome !== undefined) course.end(outcome, error.message.split("\n", 1)[0] ?? "");
      else throw error;
    }
    report.log = guest.kernelLog(start);
    report.events = findEvents(report.log);
    report.livepatchLines = report.log.filter(({ text }) => text.startsWith("livepatch: "));
    const fault = report.events.find(({ kind }) => FAULTS.includes(kind));
    // A fault in a thread that no step waited for.
    if (fault !== undefined && report.failure === undefined) course.end("oopsed", fault.headline);
    if (report.outcome === "passed" && report.events.length > 0) report.outcome = "warned";
    stage.result(report.outcome);
    return report;
  });
}

function emptyReport(guest: Guest, options: TrialOptions, name: string): TrialReport {
  return {
    module: options.module,
    name,
    release: guest.release,
    buildId: guest.buildId,
    accelerator: guest.accelerator,
    outcome: "passed",
    failure: undefined,
    steps: [],
    probes: options.probes.map((command) => ({ command })),
    refusal: undefined,
    patchMs: undefined,
    unpatchMs: undefined,
    functions: [],
    missing: [],
    blockers: [],
    taint: { before: undefined, loaded: undefined, after: undefined },
    livepatchLines: [],
    events: [],
    log: [],
  };
}

/** The steps of one trial, in their order. */
class Course {
  readonly #guest: Guest;
  readonly #options: TrialOptions;
  readonly #report: TrialReport;
  readonly #stage: Stage;
  /** Where the log stood when the trial began. */
  readonly #start: number;
  readonly #timeouts: typeof TIMEOUTS;
  /** The module's directory under /sys. */
  readonly #sys: string;
  #step: StepName = "probe before";
  /** Where the log stood when the module was loaded: a trial before this one may have had the same module. */
  #loadedAt = 0;

  constructor(guest: Guest, options: TrialOptions, report: TrialReport, stage: Stage, start: number) {
    this.#guest = guest;
    this.#options = options;
    this.#report = report;
    this.#stage = stage;
    this.#start = start;
    this.#timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.#sys = `/sys/kernel/livepatch/${report.name}`;
  }

  async go(): Promise<void> {
    await this.#probe("probe before", "before");
    await this.#load();
    const patched = await this.#patch();
    if (patched) await this.#probe("probe patched", "patched");
    await this.#disable();
    await this.#unload();
    await this.#probe("probe after", "after");
  }

  /** The first end of a trial is what is reported: what follows is only its consequence. */
  end(outcome: Outcome, why: string): void {
    if (this.#report.failure !== undefined && outcome !== "oopsed" && this.#guest.alive) return;
    this.#report.outcome = outcome;
    this.#report.failure = { step: this.#step, why, console: this.#guest.lastLines(this.#start) };
  }

  async #probe(name: StepName, column: "before" | "patched" | "after"): Promise<void> {
    this.#begin(name);
    for (const probe of this.#report.probes) {
      this.#stage.note(`${name}: ${probe.command}`);
      const { code, output, truncated, timedOut, ms, guestMs, log, events } = await this.#run(probe.command, this.#timeouts.probeMs);
      probe[column] = { code, output, truncated, timedOut, ms, guestMs, log, events };
    }
  }

  async #load(): Promise<void> {
    this.#begin("load");
    this.#loadedAt = this.#guest.logPosition;
    const before = await this.#run("cat /proc/sys/kernel/tainted", this.#timeouts.probeMs);
    this.#report.taint.before = readTaint(before.output);
    const words = [GUEST_FILE, ...(this.#options.parameters ?? [])].map(quote).join(" ");
    const result = await this.#run(`insmod ${words}`, this.#timeouts.loadMs);
    if (result.code === 0) return;
    if (result.timedOut) throw new TrialEnd("stuck", `insmod did not end within ${this.#timeouts.loadMs} ms`);
    // busybox's insmod exits with the errno of the system call and ends its message with the text for it.
    const errno = Object.entries(constants.errno).find(([, value]) => value === result.code)?.[0] ?? `exit code ${result.code}`;
    const text = result.output.trim().split(": ").at(-1) ?? "";
    const said = [...result.log.map(lineText), ...result.output.trim().split("\n")];
    this.#report.refusal = { errno, text, said };
    throw new TrialEnd("refused", `the kernel refused the module: ${errno}, ${text}${callbackThatFailed(said)}`);
  }

  /** @returns whether every task has moved over to the new code. */
  async #patch(): Promise<boolean> {
    this.#begin("patch");
    const waited = await this.#settle(1);
    this.#report.patchMs = waited.ms;
    if (!waited.there) {
      await this.#run(`rmmod ${this.#report.name}`, this.#timeouts.unloadMs);
      throw new TrialEnd("refused", `the module is no livepatch: when it was loaded there was no ${this.#sys}`);
    }
    const listed = await this.#run(`cat /proc/sys/kernel/tainted; cd ${this.#sys} && ls -d */*,*`, this.#timeouts.probeMs);
    this.#report.taint.loaded = readTaint(listed.output);
    this.#report.functions = readFunctions(listed.output);
    const has = (wanted: { object: string; name: string }): boolean =>
      this.#report.functions.some(({ object, name }) => object === wanted.object && name === wanted.name);
    this.#report.missing = (this.#options.functions ?? []).filter((wanted) => !has(wanted));
    if (waited.done) {
      if (this.#report.missing.length > 0)
        this.end("incomplete", `not patched: ${this.#report.missing.map(({ object, name }) => `${object}:${name}`).join(", ")}`);
      return true;
    }
    this.#report.blockers = await this.#blockers(1);
    this.end("stuck", `the transition did not end within ${this.#timeouts.transitionMs} ms: ${blockerNames(this.#report.blockers)}`);
    return false;
  }

  async #disable(): Promise<void> {
    this.#begin("disable");
    const disabled = await this.#run(`echo 0 >${this.#sys}/enabled`, this.#timeouts.unloadMs);
    if (disabled.code !== 0) throw new TrialEnd("stuck", `the livepatch cannot be disabled: ${disabled.output.trim()}`);
    const waited = await this.#settle(0);
    this.#report.unpatchMs = waited.ms;
    if (waited.done) return;
    this.#report.blockers = await this.#blockers(0);
    throw new TrialEnd("stuck", `disabling did not end within ${this.#timeouts.transitionMs} ms: ${blockerNames(this.#report.blockers)}`);
  }

  async #unload(): Promise<void> {
    this.#begin("unload");
    // The kernel lets go of the module a moment after the transition has ended.
    const remove = `while ! said=$(rmmod ${this.#report.name} 2>&1); do i=$((i+1)); [ $i = 50 ] && break; usleep 100000; done`;
    const removed = await this.#run(`i=0; ${remove}; cat /proc/sys/kernel/tainted; echo "$said"; [ $i -lt 50 ]`, this.#timeouts.unloadMs);
    this.#report.taint.after = readTaint(removed.output);
    const said = removed.output.split("\n").slice(1).join("\n").trim();
    if (removed.code !== 0) throw new TrialEnd("stuck", `the module cannot be removed: ${said}`);
  }

  /** Waits until no transition is under way. `to` is 1 for patching, 0 for going back. */
  async #settle(to: 0 | 1): Promise<{ there: boolean; done: boolean; ms: number | undefined }> {
    // When a patch is disabled its directory goes away with the end of the transition.
    const script = `cd ${this.#sys} 2>/dev/null || exit 3; while read -r on <transition && [ "$on" = 1 ]; do usleep 20000; done; true`;
    const waited = await this.#run(script, this.#timeouts.transitionMs);
    const there = waited.code !== 3;
    const done = !waited.timedOut && (to === 0 || there);
    const logged = transitionMs(this.#guest.kernelLog(this.#loadedAt), this.#report.name, to);
    return { there, done, ms: done ? (logged ?? waited.guestMs) : undefined };
  }

  async #blockers(to: 0 | 1): Promise<Blocker[]> {
    const script = `cd /proc; for t in [0-9]*/task/[0-9]*; do read -r s <$t/patch_state || continue; [ $s = ${1 - to} ] || continue
read -r n <$t/comm; echo "\${t##*/} $n"; cat $t/stack; done 2>/dev/null; true`;
    return readBlockers((await this.#run(script, this.#timeouts.probeMs)).output);
  }

  #begin(name: StepName): void {
    this.#step = name;
    this.#stage.note(name);
    this.#report.steps.push({ name, ms: 0, guestMs: 0, events: [] });
  }

  /** Runs a command as part of the current step. A fault in the kernel ends the trial. */
  async #run(command: string, timeoutMs: number): Promise<RunResult> {
    const result = await this.#guest.run(command, { timeoutMs });
    const step = this.#report.steps.at(-1);
    if (step !== undefined) {
      step.ms += result.ms;
      step.guestMs += result.guestMs;
      step.events.push(...result.events);
    }
    const fault = result.events.find(({ kind }) => FAULTS.includes(kind));
    if (fault !== undefined) throw new TrialEnd("oopsed", fault.headline);
    return result;
  }
}

/** What the kernel says when a livepatch's own callback refuses. */
function callbackThatFailed(said: readonly string[]): string {
  const object = said.map((line) => /pre-patch callback failed for object '(.*)'/.exec(line)?.[1]).find((name) => name !== undefined);
  return object === undefined ? "" : `; its pre_patch callback for ${object} returned an error`;
}

/** Exact to the microsecond, which waiting in the guest is not. */
function transitionMs(log: readonly KernelLine[], name: string, to: 0 | 1): number | undefined {
  const [verb, end] = to === 1 ? ["patching", "patching complete"] : ["unpatching", "unpatching complete"];
  const last = (text: string): number | undefined => log.findLast((line) => line.text.startsWith(`livepatch: '${name}': ${text}`))?.time;
  const [from, until] = [last(`starting ${verb} transition`), last(end)];
  return from === undefined || until === undefined || until < from ? undefined : (until - from) * 1000;
}

/** The first line of an output. */
function readTaint(text: string): Taint {
  return decodeTaint(Number(text.split("\n", 1)[0]));
}

/** Lines `OBJECT/FUNCTION,SYMPOS`. */
function readFunctions(text: string): PatchedFunction[] {
  return [...text.matchAll(/^([^/\n]+)\/(.+),(\d+)$/gm)].map(([, object = "", name = "", sympos]) => ({
    object,
    name,
    sympos: Number(sympos),
  }));
}

/** Lines `PID NAME`, each followed by its stack: `[<0>] function+0x1/0x2`. */
function readBlockers(text: string): Blocker[] {
  const blockers: Blocker[] = [];
  for (const line of text.split("\n")) {
    const frame = /^\[<.*?>\] (\S+)/.exec(line);
    const head = /^(\d+) (.*)$/.exec(line);
    if (frame !== null) blockers.at(-1)?.stack.push(frame[1] ?? "");
    else if (head !== null) blockers.push({ pid: Number(head[1]), name: head[2] ?? "", stack: [] });
  }
  return blockers;
}

function blockerNames(blockers: readonly Blocker[]): string {
  const names = blockers.map(({ pid, name, stack }) => `${name} (${pid}) in ${stack[0] ?? "unknown code"}`);
  return names.length === 0 ? "no task was found that blocks it" : `blocked by ${names.join(", ")}`;
}
