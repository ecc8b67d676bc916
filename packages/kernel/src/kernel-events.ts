/** What a kernel log tells of trouble: each report of the kernel with the lines that belong to it. */
import { archs } from "@suture/arch";
import { EVENT_KINDS, type EventKind, type KernelEvent, type KernelLine } from "@suture/protocol";

/** In this order: the first that matches names the event. */
const HEADLINES: readonly (readonly [EventKind, RegExp])[] = [
  ["panic", /^Kernel panic - not syncing/],
  ["oops", /^BUG: (?:unable to handle|kernel NULL pointer|stack guard page|TASK stack guard|IRQ stack guard)/],
  ["oops", /^kernel BUG at /],
  ["oops", /^Oops\b.*\[#\d+\]/],
  ["stall", /^(?:watchdog: )?BUG: soft lockup/],
  ["stall", /hard LOCKUP on cpu/],
  ["stall", /^rcu: INFO: .*(?:stall)/],
  ["stall", /^INFO: task .* blocked for more than/],
  ["bug", /^BUG: /],
  ["bug", /^(?:UBSAN|KFENCE|KCSAN): /],
  ["warning", /^WARNING: /],
  ["warning", /page allocation failure/],
  ["warning", /^(?:Out of memory|Memory cgroup out of memory): /],
  ...archs.flatMap(({ log }) => log.headlines),
];

const CUT = "------------[ cut here ]------------";
const END = /^---\[ end /;
/** How lines begin that every kernel prints within a report. */
const ALWAYS =
  /\s|Oops|Code:|CPU:|Hardware name:|Workqueue:|Modules linked in:|Tainted:|Call Trace:|Kernel Offset:|Comm:|UID:|CPU \d|NMI backtrace|task:|rcu:|Sending NMI|Kernel panic|Rebooting in|---\[ end /;
const WITHIN = new RegExp(`^(?:${[ALWAYS, ...archs.flatMap(({ log }) => log.within)].map(({ source }) => source).join("|")})`);
/** The lines of one report; more are left to the log. */
const LENGTH_LIMIT = 200;
const PRELUDE_LIMIT = 6;
/** What `lastLines` shows: a report holds registers twice before it comes to where it happened. */
const REPORT_LINES = 60;
const LAST_LINES = 25;

/** The reports in the order of their first lines. */
export function findEvents(log: readonly KernelLine[]): KernelEvent[] {
  const events: KernelEvent[] = [];
  let open: KernelEvent | undefined;
  // The cut line and what follows it up to the headline: some reports say first what they found ("refcount_t: underflow") and then WARNING.
  let prelude: KernelLine[] = [];
  for (const line of log) {
    if (line.text === CUT) {
      open = undefined;
      prelude = [line];
      continue;
    }
    const kind = kindOf(line.text);
    if (open !== undefined && continues(open, line, kind)) {
      open.lines.push(line);
      // A panic that an oops leads to is the same report, and worse.
      if (kind !== undefined && severity(kind) < severity(open.kind)) open.kind = kind;
      if (END.test(line.text) && open.kind !== "panic" && open.kind !== "oops") open = undefined;
    } else if (kind !== undefined) {
      open = { kind, headline: line.text, time: line.time, lines: [...prelude, line] };
      events.push(open);
      prelude = [];
    } else {
      open = undefined;
      if (prelude.length > 0) prelude = prelude.length < PRELUDE_LIMIT ? [...prelude, line] : [];
    }
  }
  return events;
}

function kindOf(text: string): EventKind | undefined {
  return HEADLINES.find(([, pattern]) => pattern.test(text))?.[0];
}

/** Lower is worse. */
function severity(kind: EventKind): number {
  return EVENT_KINDS.indexOf(kind);
}

function continues(event: KernelEvent, line: KernelLine, kind: EventKind | undefined): boolean {
  if (event.lines.length >= LENGTH_LIMIT) return false;
  // "Oops: 0002 [#1]" follows "BUG: unable to handle …": one fault, two headlines. A second "BUG:" or "WARNING:" is a report of its own.
  if (kind === "oops") return event.kind === "oops" && /^(?:Oops|invalid opcode|general protection)/.test(line.text);
  if (kind !== undefined && kind !== "panic") return false;
  return WITHIN.test(line.text);
}

/** The part of the log that shows best what went wrong: the last oops or panic from its first line on, or the last lines. */
export function lastLines(log: readonly KernelLine[]): KernelLine[] {
  const worst = findEvents(log).findLast((event) => event.kind === "oops" || event.kind === "panic");
  const first = worst?.lines[0];
  const from = first === undefined ? -1 : log.lastIndexOf(first);
  return from < 0 ? log.slice(-LAST_LINES) : log.slice(from, from + REPORT_LINES);
}
