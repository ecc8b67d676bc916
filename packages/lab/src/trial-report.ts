import type { Guest, RunResult } from "./guest.ts";
import type { KernelEvent } from "./kernel-events.ts";
import type { KernelLine } from "./kernel-log.ts";
import type { Limits, LivepatchSize } from "./limits.ts";
import type { Accelerator } from "./machine.ts";
import type { Taint } from "./taint.ts";

/** What a check has to do when the livepatch is out again. */
export type After = "fail" | "succeed";

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

/** Before anything has happened. */
export function emptyReport(guest: Guest, options: TrialOptions, name: string): TrialReport {
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

export function commandOf(given: string | Command): Command {
  return typeof given === "string" ? { command: given } : given;
}
