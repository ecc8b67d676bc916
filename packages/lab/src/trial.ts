/** One livepatch on a running guest: probed before, loaded, probed, unloaded, probed again. */
import { constants } from "node:os";
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import type { Stage, Task } from "@suture/task";
import { type BootOptions, boot } from "./boot.ts";
import { fail } from "./errors.ts";
import type { Guest, RunResult } from "./guest.ts";
import { readable } from "./initramfs.ts";
import { type After, difference, judgeCheck, judgeKeep } from "./judge.ts";
import { type EventKind, findEvents, type KernelEvent } from "./kernel-events.ts";
import { type KernelLine, lineText } from "./kernel-log.ts";
import { type Limits, type LivepatchSize, limitsFor } from "./limits.ts";
import type { Accelerator } from "./machine.ts";
import { type KernelModuleFile, loadOrder, nameOfModule } from "./modules.ts";
import { quote } from "./shell.ts";
import { decodeTaint, type Taint } from "./taint.ts";

/** A shell command for the guest. */
export interface Command {
  command: string;
  /** Milliseconds after which it is killed. */
  limitMs?: number | undefined;
}

/** A reproducer: must fail before, and succeed with the livepatch. */
export interface Check extends Command {
  /** What it must do when the livepatch is out again; undefined where that is only told. */
  after?: After | undefined;
}

/** Whether the modules that a livepatch is for are there when it is loaded, or come while it is. */
export type ModuleOrder = "before" | "after";

export interface TrialOptions {
  /** The livepatch's .ko file. */
  module: string;
  /** `name=value` for the module. */
  parameters?: readonly string[];
  /** Shell commands, run in this order before, with and after the patch. Their output is shown, not judged. */
  probes: readonly (string | Command)[];
  checks?: readonly Check[];
  /** Must print the same and end the same before, with and after the patch. */
  keeps?: readonly Command[];
  /** What the others need, run before them; a failure is a refusal. */
  setup?: readonly Command[];
  cleanup?: readonly Command[];
  /** Modules that the livepatch is for; those among them that `modules` of the boot has not are left alone. */
  patchedModules?: readonly string[];
  moduleOrder?: ModuleOrder;
  /** Of the livepatch: the time limits follow from it. */
  size?: LivepatchSize;
  /** What has to be listed under /sys/kernel/livepatch once it is loaded. `object` is "vmlinux" or a module. */
  functions?: readonly { object: string; name: string }[];
  timeouts?: Partial<Limits>;
  /** Gets what went wrong and is no fault of the livepatch. */
  told?: (text: string) => void;
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
  /** Something that was to be checked or kept does not hold. */
  | "failed"
  /** The kernel did not take the module. */
  | "refused"
  /** A fault in kernel code. The guest should not be used any more. */
  | "oopsed"
  /** The guest is gone. */
  | "hung"
  | "panicked"
  | "lost";

export type StepName =
  | "modules"
  | "set-up"
  | "modules out"
  | "clean-up"
  | "probe before"
  | "load"
  | "patch"
  | "probe patched"
  | "disable"
  | "unload"
  | "probe after";

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

/** Of a check, or of what is to be kept. */
export interface JudgedReport extends ProbeReport {
  /** Undefined where the trial ended before it could be said. */
  holds: boolean | undefined;
  /** Why it does not hold, or why that is not known. */
  why: string | undefined;
  /** When it was seen not to hold. */
  at: "before" | "patched" | "after" | undefined;
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
  moduleOrder: ModuleOrder;
  probes: ProbeReport[];
  checks: (JudgedReport & { wanted: After | undefined })[];
  keeps: JudgedReport[];
  /** Modules that find no device in the guest, and those that need them: they are not there, and what the livepatch changes in them was not tried. */
  leftOut: { module: string; why: string }[];
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

const GUEST_MODULES = "/lib/suture-trial";
/** How a module says that there is nothing for it here. */
const NO_DEVICE = [constants.errno.ENODEV, constants.errno.ENXIO, constants.errno.EOPNOTSUPP];
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
  const { modules: wanted, ...others } = options;
  // The trial loads them itself: one that finds no device does not end it.
  const modules = wanted === undefined ? [] : await loadOrder(task, wanted.tree, wanted.names);
  const files = [...(options.files ?? []), ...modules.map((module) => ({ path: pathOf(module), content: module.data }))];
  const guest = await boot(task, { ...others, files: [...files, { path: GUEST_FILE, content: data }] });
  try {
    return await runTrial(task, guest, options, { name, bytes: data.length, modules });
  } finally {
    await guest.stop();
  }
}

/**
 * Tries a module on a guest that runs. After "passed", "warned", "incomplete" and "refused" the guest can be used for another trial; after
 * "stuck" if no blockers are left (`guest.alive` and no entry in /sys/kernel/livepatch); after the others it cannot.
 * @throws CANCELLED, LAB_STOPPED, LAB_FILE_UNREADABLE, LAB_NOT_A_MODULE, LAB_PUT_FAILED, LAB_SETUP_FAILED, LAB_KEEP_UNSTEADY
 */
export async function trial(task: Task, guest: Guest, options: TrialOptions): Promise<TrialReport> {
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  await guest.put(GUEST_FILE, data);
  return runTrial(task, guest, options, { name, bytes: data.length, modules: [] });
}

/** What is in the guest already. */
interface Prepared {
  name: string;
  bytes: number;
  modules: readonly KernelModuleFile[];
}

function pathOf({ name }: KernelModuleFile): string {
  return `${GUEST_MODULES}/${name}.ko`;
}

async function runTrial(task: Task, guest: Guest, options: TrialOptions, prepared: Prepared): Promise<TrialReport> {
  return task.stage(`try ${basename(options.module)}`, async (stage) => {
    const report = emptyReport(guest, options, prepared.name);
    const start = guest.logPosition;
    const course = new Course({ guest, options, report, stage, start, prepared });
    try {
      await course.go();
    } catch (error) {
      const outcome = error instanceof SutureError ? OUTCOME_OF_ERROR[error.code] : undefined;
      if (error instanceof TrialEnd) course.end(error.outcome, error.why);
      else if (error instanceof SutureError && outcome !== undefined) course.end(outcome, error.message.split("\n", 1)[0] ?? "");
      else throw error;
    }
    course.judge();
    report.log = guest.kernelLog(start);
    report.events = findEvents(report.log);
    report.livepatchLines = report.log.filter(({ text }) => text.startsWith("livepatch: "));
    const fault = report.events.find(({ kind }) => FAULTS.includes(kind));
    // A fault in a thread that no step waited for.
    if (fault !== undefined && report.failure === undefined) course.end("oopsed", fault.headline);
    // What a reproducer makes the kernel say before the livepatch is there is not of it.
    if (report.outcome === "passed" && findEvents(guest.kernelLog(course.loadedAt)).length > 0) report.outcome = "warned";
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
    moduleOrder: options.moduleOrder ?? "before",
    probes: options.probes.map((given) => ({ command: commandOf(given).command })),
    checks: (options.checks ?? []).map(({ command, after }) => ({
      command,
      holds: undefined,
      why: undefined,
      at: undefined,
      wanted: after,
    })),
    keeps: (options.keeps ?? []).map(({ command }) => ({ command, holds: undefined, why: undefined, at: undefined })),
    leftOut: [],
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

function commandOf(given: string | Command): Command {
  return typeof given === "string" ? { command: given } : given;
}

interface CourseParts {
  guest: Guest;
  options: TrialOptions;
  report: TrialReport;
  stage: Stage;
  /** Where the log stood when the trial began. */
  start: number;
  prepared: Prepared;
}

type Column = "before" | "patched" | "after";

/** The steps of one trial, in their order. */
class Course {
  readonly #guest: Guest;
  readonly #options: TrialOptions;
  readonly #report: TrialReport;
  readonly #stage: Stage;
  readonly #start: number;
  readonly #timeouts: Limits;
  readonly #modules: readonly KernelModuleFile[];
  /** Those of the modules that the livepatch is for, and those that need one. */
  readonly #coming: ReadonlySet<string>;
  /** The module's directory under /sys. */
  readonly #sys: string;
  #step: StepName = "probe before";
  /** Where the log stood when the module was loaded: a trial before this one may have had the same module. */
  loadedAt = 0;

  constructor({ guest, options, report, stage, start, prepared }: CourseParts) {
    this.#guest = guest;
    this.#options = options;
    this.#report = report;
    this.#stage = stage;
    this.#start = start;
    const size = options.size ?? { functions: options.functions?.length ?? 0, relocations: prepared.bytes / BYTES_FOR_A_RELOCATION };
    this.#timeouts = { ...limitsFor(size, guest.accelerator), ...options.timeouts };
    this.#modules = prepared.modules;
    this.#coming = comingOf(prepared.modules, options.patchedModules ?? []);
    this.#sys = `/sys/kernel/livepatch/${report.name}`;
  }

  async go(): Promise<void> {
    const later = this.#report.moduleOrder === "after" && this.#coming.size > 0;
    if (this.#modules.length > 0) await this.#loadModules(this.#modules);
    await this.#setUp(false);
    await this.#probe("probe before", "before");
    await this.#checkSteady();
    if (later) {
      await this.#cleanUp();
      await this.#removeModules();
    }
    await this.#load();
    const patched = await this.#patch();
    if (later) {
      await this.#loadModules(this.#modules.filter(({ name }) => this.#coming.has(name)));
      await this.#setUp(true);
    }
    if (patched) await this.#probe("probe patched", "patched");
    await this.#disable();
    await this.#unload();
    await this.#probe("probe after", "after");
    await this.#cleanUp();
  }

  /** Holds what was run against what was asked. */
  judge(): void {
    for (const check of this.#report.checks) Object.assign(check, judgeCheck(check, check.wanted));
    for (const keep of this.#report.keeps) Object.assign(keep, judgeKeep(keep));
    const broken = [...this.#report.checks, ...this.#report.keeps].filter(({ holds }) => holds === false);
    const [first] = broken;
    if (first === undefined || this.#report.outcome !== "passed") return;
    this.#report.outcome = "failed";
    const more = broken.length === 1 ? "" : ` (and ${broken.length - 1} more)`;
    this.#report.failure = { step: `probe ${first.at ?? "after"}`, why: `${first.why ?? ""}${more}`, console: [] };
  }

  /** The first end of a trial is what is reported: what follows is only its consequence. */
  end(outcome: Outcome, why: string): void {
    if (this.#report.failure !== undefined && outcome !== "oopsed" && this.#guest.alive) return;
    this.#report.outcome = outcome;
    this.#report.failure = { step: this.#step, why, console: this.#guest.lastLines(this.#start) };
  }

  async #probe(name: StepName, column: Column): Promise<void> {
    this.#begin(name);
    const { probes, checks = [], keeps = [] } = this.#options;
    const all: (readonly [ProbeReport, Command])[] = [
      ...this.#report.probes.map((report, i) => [report, commandOf(probes[i] ?? "")] as const),
      ...this.#report.checks.map((report, i) => [report, checks[i] ?? report] as const),
      ...this.#report.keeps.map((report, i) => [report, keeps[i] ?? report] as const),
    ];
    for (const [done, [report, command]] of all.entries()) {
      this.#stage.note(`${name}, ${done + 1} of ${all.length}: ${command.command}`);
      report[column] = await this.#command(command);
    }
  }

  async #command({ command, limitMs }: Command): Promise<ProbeResult> {
    const { code, output, truncated, timedOut, ms, guestMs, log, events } = await this.#run(command, limitMs ?? this.#timeouts.probeMs);
    return { code, output, truncated, timedOut, ms, guestMs, log, events };
  }

  /** Whether what is to be kept stays the same by itself. @throws LAB_KEEP_UNSTEADY */
  async #checkSteady(): Promise<void> {
    for (const [i, { command, before }] of this.#report.keeps.entries()) {
      this.#stage.note(`whether it stays the same by itself: ${command}`);
      const again = await this.#command(this.#options.keeps?.[i] ?? { command });
      const why = before === undefined ? undefined : difference(before, again);
      if (why !== undefined) throw fail("LAB_KEEP_UNSTEADY", `'${command}' differs from one run to the next, before any livepatch: ${why}`);
    }
  }

  /** @param again with the livepatch there. @throws LAB_SETUP_FAILED */
  async #setUp(again: boolean): Promise<void> {
    const { setup = [] } = this.#options;
    if (setup.length > 0) this.#begin("set-up");
    for (const each of setup) {
      this.#stage.note(`set-up: ${each.command}`);
      const { code, timedOut, output } = await this.#command(each);
      if (code === 0) continue;
      const why = `set-up '${each.command}' ${timedOut ? "did not end within its time limit" : `ended with ${code}`}: ${output.trim()}`;
      if (again) throw new TrialEnd("failed", `${why} (with the livepatch; before, it worked)`);
      throw fail("LAB_SETUP_FAILED", why);
    }
  }

  /** What fails here says nothing of the livepatch. */
  async #cleanUp(): Promise<void> {
    const { cleanup = [] } = this.#options;
    if (cleanup.length > 0) this.#begin("clean-up");
    for (const each of cleanup) {
      this.#stage.note(`clean-up: ${each.command}`);
      const { code, output } = await this.#command(each);
      if (code !== 0) this.#options.told?.(`clean-up '${each.command}' ended with ${code}: ${output.trim()}`);
    }
  }

  async #loadModules(modules: readonly KernelModuleFile[]): Promise<void> {
    this.#begin("modules");
    const { leftOut } = this.#report;
    for (const [done, module] of modules.entries()) {
      this.#stage.note(`module ${module.name}, ${done + 1} of ${modules.length}`);
      const known = leftOut.findIndex((other) => other.module === module.name);
      if (known >= 0) leftOut.splice(known, 1);
      const needed = module.needs.find((name) => leftOut.some((other) => other.module === name));
      if (needed !== undefined) {
        leftOut.push({ module: module.name, why: `it needs ${needed}` });
        continue;
      }
      const script = `grep -q ${quote(`^${module.name} `)} /proc/modules || insmod ${quote(pathOf(module))}`;
      const loaded = await this.#run(script, this.#timeouts.loadMs);
      if (loaded.code === 0) continue;
      const said = [loaded.output.trim(), ...loaded.log.map(lineText)].join("\n");
      if (NO_DEVICE.includes(loaded.code)) {
        leftOut.push({ module: module.name, why: `it finds no device in the virtual machine (${errnoName(loaded.code)})` });
        continue;
      }
      if (this.loadedAt > 0)
        throw new TrialEnd("failed", `module ${module.name} cannot be loaded with the livepatch there; before, it could: ${said}`);
      throw fail("LAB_MODULE_REFUSED", `module ${module.name} was not loaded:\n${said}`, { symbol: module.name });
    }
  }

  async #removeModules(): Promise<void> {
    this.#begin("modules out");
    const there = this.#modules.filter(({ name }) => this.#coming.has(name) && !this.#report.leftOut.some(({ module }) => module === name));
    for (const { name } of there.reverse()) {
      this.#stage.note(`taking out ${name}`);
      const removed = await this.#run(`rmmod ${quote(name)}`, this.#timeouts.unloadMs);
      if (removed.code === 0) continue;
      throw new TrialEnd(
        "incomplete",
        `module ${name} cannot be taken out, so that it cannot come after the livepatch: ${removed.output.trim()}`,
      );
    }
  }

  async #load(): Promise<void> {
    this.#begin("load");
    this.loadedAt = this.#guest.logPosition;
    const before = await this.#run("cat /proc/sys/kernel/tainted", this.#timeouts.probeMs);
    this.#report.taint.before = readTaint(before.output);
    const words = [GUEST_FILE, ...(this.#options.parameters ?? [])].map(quote).join(" ");
    this.#stage.note(`insmod, for up to ${Math.round(this.#timeouts.loadMs / 1000)} s`);
    const result = await this.#run(`insmod ${words}`, this.#timeouts.loadMs);
    if (result.code === 0) return;
    if (result.timedOut) throw new TrialEnd("stuck", `insmod did not end within ${this.#timeouts.loadMs} ms`);
    // busybox's insmod exits with the errno of the system call and ends its message with the text for it.
    const errno = errnoName(result.code);
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
    const logged = transitionMs(this.#guest.kernelLog(this.loadedAt), this.#report.name, to);
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

/** Where the caller does not say how many relocations there are: there are fewer. */
const BYTES_FOR_A_RELOCATION = 200;

/** The modules of these names, and those that need one of them. */
function comingOf(modules: readonly KernelModuleFile[], names: readonly string[]): Set<string> {
  const coming = new Set<string>();
  for (const { name, needs } of modules) if (names.includes(name) || needs.some((need) => coming.has(need))) coming.add(name);
  return coming;
}

function errnoName(code: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === code)?.[0] ?? `exit code ${code}`;
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
