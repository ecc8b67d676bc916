/** The document of `suture try`. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";
import { documentKind } from "./document.ts";
import { buildId, flag, milliseconds, number, release, text, texts } from "./parts.ts";

/**
 * panic: the machine stopped. oops: a fault in kernel code, the thread is gone. bug: the kernel found its own state wrong. warning: a check
 * failed and it went on. stall: something takes too long, which a starved virtual machine can cause as well.
 * The worst first.
 */
export const EVENT_KINDS = ["panic", "oops", "bug", "warning", "stall"] as const;

const line = v.strictObject({ time: maybe(said(number, "seconds since boot")), text });

const event = v.strictObject({
  kind: v.picklist(EVENT_KINDS),
  headline: said(text, "the line that says what happened"),
  time: maybe(said(number, "seconds since boot")),
  lines: said(v.array(line), "the whole report"),
});

const taint = v.strictObject({ value: number, letters: text, reasons: texts });
const step = v.picklist([
  "modules",
  "set-up",
  "probe before",
  "workload before",
  "modules out",
  "load",
  "patch",
  "workload patched",
  "probe patched",
  "disable",
  "unload",
  "workload after",
  "probe after",
  "clean-up",
]);

const stepReport = v.strictObject({ name: step, ms: milliseconds, guestMs: milliseconds, events: v.array(event) });

const probe = v.strictObject({
  code: said(number, "exit code, as a shell gives it"),
  output: text,
  truncated: said(flag, "it printed more than is kept"),
  timedOut: said(flag, "it did not end by itself"),
  ms: milliseconds,
  guestMs: milliseconds,
  log: said(v.array(line), "what the kernel said while it ran"),
  events: v.array(event),
});

const runs = { command: text, before: maybe(probe), patched: maybe(probe), after: maybe(probe) };

const probeReport = v.strictObject(runs);

const judged = {
  ...runs,
  holds: maybe(said(flag, "absent where the trial ended before it could be said")),
  why: maybe(said(text, "why it does not hold, or why that is not known")),
  at: maybe(said(v.picklist(["before", "patched", "after"]), "when it was seen not to hold")),
};

const judgedReport = v.strictObject(judged);

const after = v.picklist(["fail", "succeed"]);

const workload = v.strictObject({
  parts: said(
    v.array(
      v.strictObject({
        name: text,
        before: maybe(probe),
        patched: maybe(probe),
        after: maybe(probe),
        holds: maybe(said(flag, "absent where the trial ended before it could be said, or the part fails without the livepatch, too")),
        why: maybe(said(text, "why it does not hold, or why that is not known")),
      }),
    ),
    "what was asked of the kernel; its results must be the same with and without the livepatch",
  ),
  lacks: said(v.array(v.strictObject({ what: text, why: text })), "what was not done"),
  rounds: said(
    v.strictObject({ load: number, patched: number, out: number }),
    "parts that ran while the livepatch went in, while it was there, and while it went out",
  ),
  newLines: said(
    texts,
    "kinds of lines in the kernel's log with the livepatch that were not there without it, but those about the livepatch",
  ),
});

/** When each module that the livepatch is for was loaded. */
const target = v.strictObject({
  module: text,
  loaded: v.picklist(["before", "after", "never"]),
  why: maybe(said(text, "why it was not, or not then")),
});

const patchedFunction = v.strictObject({ object: text, name: text, sympos: number });
const blocker = v.strictObject({ pid: number, name: text, stack: texts });

/**
 * passed: loaded, patched, unloaded, and the kernel said nothing. warned: it did all that, and the kernel warned. failed: something that was to be checked or
 * kept does not hold. incomplete: it was loaded, but does not patch all that it should. stuck: a transition did not end, or the module could not be removed.
 * refused: the kernel did not take the module. oopsed: a fault in kernel code; the guest should not be used any more. hung, panicked, lost: the guest is gone.
 */
const outcome = v.picklist(["passed", "warned", "failed", "incomplete", "stuck", "refused", "oopsed", "hung", "panicked", "lost"]);

const trial = {
  module: text,
  name: said(text, "as the kernel calls it"),
  release,
  buildId,
  accelerator: v.picklist(["kvm", "tcg"]),
  outcome: said(outcome, "the worst that happened"),
  failure: maybe(
    said(
      v.strictObject({ step, why: text, console: said(texts, "the console's last lines") }),
      "absent if it passed or the kernel only warned",
    ),
  ),
  steps: v.array(stepReport),
  moduleOrder: said(
    v.picklist(["before", "after", "half"]),
    "whether the modules that it is for were there before it, or came after it; half: every second one",
  ),
  targets: said(v.array(target), "modules that it is for, by name"),
  size: maybe(
    said(
      v.strictObject({ functions: number, relocations: number }),
      "of the livepatch: functions that it replaces, and relocations that the livepatch core applies",
    ),
  ),
  loadMs: maybe(said(milliseconds, "in insmod, by the guest's clock")),
  probes: v.array(probeReport),
  checks: said(
    v.array(
      v.strictObject({
        ...judged,
        wanted: maybe(said(after, "what it had to do after; absent if that is only told")),
      }),
    ),
    "reproducers",
  ),
  keeps: said(v.array(judgedReport), "what must stay the same"),
  leftOut: said(
    v.array(v.strictObject({ module: text, why: text })),
    "modules that find no device in the virtual machine, or were refused by its kernel",
  ),
  refusal: maybe(v.strictObject({ errno: text, text, said: texts })),
  patchMs: maybe(milliseconds),
  unpatchMs: maybe(milliseconds),
  functions: v.array(patchedFunction),
  missing: said(v.array(v.strictObject({ object: text, name: text })), "functions that the kernel does not list as patched"),
  blockers: said(v.array(blocker), "tasks that keep a transition from ending"),
  taint: v.strictObject({ before: maybe(taint), loaded: maybe(taint), after: maybe(taint) }),
  workload: maybe(said(workload, "absent where there was none")),
  livepatchLines: said(v.array(line), "what the kernel's livepatch code said"),
  events: v.array(event),
  log: said(v.array(line), "all that the kernel said during the trial"),
};

const trialReport = v.strictObject(trial);

export const tryDocument = documentKind("try", 1, "`suture try`: a livepatch in a virtual machine.", {
  ...trial,
  modulesAfter: maybe(said(trialReport, "with --module-order both: the second trial, in which the modules came after the livepatch")),
});

export type KernelLine = v.InferOutput<typeof line>;
export type KernelEvent = v.InferOutput<typeof event>;
export type EventKind = KernelEvent["kind"];
export type Taint = v.InferOutput<typeof taint>;
export type StepName = v.InferOutput<typeof step>;
export type StepReport = v.InferOutput<typeof stepReport>;
/** Output is text here: a report can be printed as JSON. */
export type ProbeResult = v.InferOutput<typeof probe>;
export type ProbeReport = v.InferOutput<typeof probeReport>;
/** Of a check, or of what is to be kept. */
export type JudgedReport = v.InferOutput<typeof judgedReport>;
export type After = v.InferOutput<typeof after>;
export type PatchedFunction = v.InferOutput<typeof patchedFunction>;
/** A task that keeps a transition from ending. */
export type Blocker = v.InferOutput<typeof blocker>;
export type TrialReport = v.InferOutput<typeof trialReport>;
export type Outcome = TrialReport["outcome"];
/** Whether the modules that a livepatch is for are there when it is loaded, or come while it is. */
export type ModuleOrder = TrialReport["moduleOrder"];
export type WorkloadReport = v.InferOutput<typeof workload>;
export type TargetModule = v.InferOutput<typeof target>;
export type Accelerator = TrialReport["accelerator"];
