import type { After, ModuleOrder, TrialReport } from "@suture/protocol";
import type { Guest } from "./guest.ts";
import type { Limits, LivepatchSize } from "./limits.ts";
import type { Workload } from "./workload/prepare.ts";

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
  /** Modules without which the trial is not what was asked for: a refusal of one is thrown, of others told. */
  neededModules?: readonly string[];
  moduleOrder?: ModuleOrder;
  /** Of the livepatch: the time limits follow from it. */
  size?: LivepatchSize;
  /** What has to be listed under /sys/kernel/livepatch once it is loaded. `object` is "vmlinux" or a module. */
  functions?: readonly { object: string; name: string }[];
  /** The kernel's data may point to its code: its module stays, without effect. */
  stays?: boolean;
  timeouts?: Partial<Limits>;
  /** Is done before, with and after the livepatch, and goes on while it goes in and out. */
  workload?: Workload | undefined;
  /** Gets what went wrong and is no fault of the livepatch. */
  told?: (text: string) => void;
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
    targets: [],
    size: options.size,
    loadMs: undefined,
    workload: undefined,
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
