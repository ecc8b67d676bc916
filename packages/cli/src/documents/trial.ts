/** The document of `suture try`. */
import * as v from "valibot";
import { documentKind, maybe, said } from "./document.ts";
import { buildId, flag, milliseconds, number, release, text, texts } from "./parts.ts";

const line = v.strictObject({ time: maybe(said(number, "seconds since boot")), text });

const event = v.strictObject({
  kind: v.picklist(["panic", "oops", "bug", "warning", "stall"]),
  headline: said(text, "the line that says what happened"),
  time: maybe(said(number, "seconds since boot")),
  lines: said(v.array(line), "the whole report"),
});

const taint = v.strictObject({ value: number, letters: text, reasons: texts });
const step = v.picklist([
  "modules",
  "set-up",
  "probe before",
  "modules out",
  "load",
  "patch",
  "probe patched",
  "disable",
  "unload",
  "probe after",
  "clean-up",
]);

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

const judged = {
  ...runs,
  holds: maybe(said(flag, "absent where the trial ended before it could be said")),
  why: maybe(said(text, "why it does not hold, or why that is not known")),
  at: maybe(said(v.picklist(["before", "patched", "after"]), "when it was seen not to hold")),
};

const trial = {
  module: text,
  name: said(text, "as the kernel calls it"),
  release,
  buildId,
  accelerator: v.picklist(["kvm", "tcg"]),
  outcome: said(
    v.picklist(["passed", "warned", "failed", "incomplete", "stuck", "refused", "oopsed", "hung", "panicked", "lost"]),
    "the worst that happened",
  ),
  failure: maybe(
    said(
      v.strictObject({ step, why: text, console: said(texts, "the console's last lines") }),
      "absent if it passed or the kernel only warned",
    ),
  ),
  steps: v.array(v.strictObject({ name: step, ms: milliseconds, guestMs: milliseconds, events: v.array(event) })),
  moduleOrder: said(v.picklist(["before", "after"]), "whether the modules that it is for were there before it, or came after it"),
  probes: v.array(v.strictObject(runs)),
  checks: said(
    v.array(
      v.strictObject({
        ...judged,
        wanted: maybe(said(v.picklist(["fail", "succeed"]), "what it had to do after; absent if that is only told")),
      }),
    ),
    "reproducers",
  ),
  keeps: said(v.array(v.strictObject(judged)), "what must stay the same"),
  leftOut: said(v.array(v.strictObject({ module: text, why: text })), "modules that find no device in the virtual machine"),
  refusal: maybe(v.strictObject({ errno: text, text, said: texts })),
  patchMs: maybe(milliseconds),
  unpatchMs: maybe(milliseconds),
  functions: v.array(v.strictObject({ object: text, name: text, sympos: number })),
  missing: said(v.array(v.strictObject({ object: text, name: text })), "functions that the kernel does not list as patched"),
  blockers: said(v.array(v.strictObject({ pid: number, name: text, stack: texts })), "tasks that keep a transition from ending"),
  taint: v.strictObject({ before: maybe(taint), loaded: maybe(taint), after: maybe(taint) }),
  livepatchLines: said(v.array(line), "what the kernel's livepatch code said"),
  events: v.array(event),
  log: said(v.array(line), "all that the kernel said during the trial"),
};

export const tryDocument = documentKind("try", 1, "`suture try`: a livepatch in a virtual machine.", {
  ...trial,
  modulesAfter: maybe(
    said(v.strictObject(trial), "with --module-order both: the second trial, in which the modules came after the livepatch"),
  ),
});
