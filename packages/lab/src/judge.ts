/** What a command printed before, with and after a livepatch, held against what it has to. */
import type { After, JudgedReport, ProbeReport, ProbeResult } from "@suture/protocol";

type Verdict = Pick<JudgedReport, "holds" | "why" | "at">;
type At = NonNullable<Verdict["at"]>;

const HOLDS: Verdict = { holds: true, why: undefined, at: undefined };
const NOT_RUN: Verdict = { holds: undefined, why: "the trial ended before", at: undefined };

function broken(at: At, why: string): Verdict {
  return { holds: false, why, at };
}

/** A reproducer: it fails before, and succeeds with the livepatch. What it does after that is told, and judged only if that is asked for. */
export function judgeCheck({ command, before, patched, after }: ProbeReport, wanted: After | undefined): Verdict {
  if (before !== undefined && succeeds(before))
    return broken("before", `check '${command}' succeeds already before the livepatch is loaded: it does not show the fault`);
  if (before === undefined || patched === undefined) return NOT_RUN;
  if (!succeeds(patched)) return broken("patched", `check '${command}' fails with the livepatch, too: ${ending(patched)}`);
  if (wanted === undefined) return HOLDS;
  if (after === undefined) return NOT_RUN;
  if (succeeds(after) === (wanted === "succeed")) return HOLDS;
  const does = wanted === "fail" ? "still succeeds" : "fails again";
  return broken("after", `check '${command}' ${does} after the livepatch is out: ${ending(after)}`);
}

/** What must stay: the same output and exit code in all three. */
export function judgeKeep({ command, before, patched, after }: ProbeReport): Verdict {
  if (before === undefined) return NOT_RUN;
  for (const [at, when, result] of [
    ["patched", "with the livepatch", patched],
    ["after", "after the livepatch is out", after],
  ] as const) {
    if (result === undefined) continue;
    const why = difference(before, result);
    if (why !== undefined) return broken(at, `keep '${command}' differs ${when}: ${why}`);
  }
  if (patched === undefined || after === undefined) return NOT_RUN;
  if (before.timedOut) return broken("before", `keep '${command}' never ends within its time limit: it keeps nothing`);
  return HOLDS;
}

/** The first thing that differs between two runs; undefined where nothing does. */
export function difference(one: ProbeResult, other: ProbeResult): string | undefined {
  if (one.timedOut !== other.timedOut) return `it was "${ending(one)}", it is "${ending(other)}"`;
  // What is printed says more than how it ended.
  const [before, now] = [one.output.split("\n"), other.output.split("\n")];
  const at = before.findIndex((line, i) => line !== now[i]);
  const line = at >= 0 ? at : before.length < now.length ? before.length : undefined;
  const ended = one.code === other.code ? "" : ` (${ending(one)}, then ${ending(other)})`;
  if (line !== undefined) return `line ${line + 1} was ${shown(before, line)}, it is ${shown(now, line)}${ended}`;
  return ended === "" ? undefined : `${ending(one)}, then ${ending(other)}`;
}

const LONGEST = 120;

function shown(lines: readonly string[], at: number): string {
  const line = lines[at];
  // The end of the output.
  if (line === undefined || (line === "" && at === lines.length - 1)) return "missing";
  return JSON.stringify(line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line);
}

function succeeds({ code, timedOut }: ProbeResult): boolean {
  return code === 0 && !timedOut;
}

function ending({ code, timedOut }: ProbeResult): string {
  return timedOut ? "did not end within its time limit" : `exit code ${code}`;
}
