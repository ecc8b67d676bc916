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
const step = v.picklist(["probe before", "load", "patch", "probe patched", "disable", "unload", "probe after"]);

const probe = v.strictObject({
  code: said(number, "exit code, as a shell gives it"),
  output: text,
  truncated: said(flag, "it printed more than is kept"),
  timedOut: said(flag, "it did not end by itself"),
  ms: milliseconds,
  guestMs: milliseconds,
});

export const tryDocument = documentKind("try", 1, "`suture try`: a livepatch in a virtual machine.", {
  module: text,
  name: said(text, "as the kernel calls it"),
  release,
  buildId,
  accelerator: v.picklist(["kvm", "tcg"]),
  outcome: said(
    v.picklist(["passed", "warned", "incomplete", "stuck", "refused", "oopsed", "hung", "panicked", "lost"]),
    "the worst that happened",
  ),
  failure: maybe(
    said(
      v.strictObject({ step, why: text, console: said(texts, "the console's last lines") }),
      "absent if it passed or the kernel only warned",
    ),
  ),
  steps: v.array(v.strictObject({ name: step, ms: milliseconds, guestMs: milliseconds, events: v.array(event) })),
  probes: v.array(v.strictObject({ command: text, before: maybe(probe), patched: maybe(probe), after: maybe(probe) })),
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
});
