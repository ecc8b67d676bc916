/** A workload in a guest: its parts one by one, and the steady ones without end in the background while something else is done. */
import type { ProbeResult, WorkloadReport } from "@suture/protocol";
import type { Stage } from "@suture/task";
import type { RunResult } from "../guest.ts";
import type { GuestFile } from "../initramfs.ts";
import { difference } from "../judge.ts";
import type { Workload } from "./prepare.ts";

type Run = (command: string, timeoutMs: number) => Promise<RunResult>;
export type Moment = "before" | "patched" | "after";

const SCRIPTS = "/lib/suture-workload";
const WORK = "/run/work";
const BUSY = "/run/busy";
/** In an emulated guest on a machine with other work. What hangs ends by itself before (c/workload.c). */
const PART_MS = 300_000;

export function scriptFiles({ parts }: Workload): GuestFile[] {
  const steady = parts.flatMap((part, i) => (part.steady ? [i] : [])).join(" ");
  return [
    ...parts.map(({ script }, i) => ({ path: `${SCRIPTS}/${i}`, content: Buffer.from(`${script}\n`) })),
    { path: `${SCRIPTS}/busy`, content: Buffer.from(busyScript(steady)) },
  ];
}

/** Shell words that run a part, and leave what it said in a file. */
function once(part: string, into: string): string {
  return `mkdir -p ${into}.d; W=${into}.d sh ${SCRIPTS}/${part} >${into} 2>&1; echo "ended $?" >>${into}; rm -rf ${into}.d`;
}

function busyScript(steady: string): string {
  return `while [ -e ${BUSY} ]; do for p in ${steady}; do [ -e ${BUSY} ] || break
${once("$p", `${WORK}/$p.now`)}
cmp -s ${WORK}/$p.now ${WORK}/$p.want || mv ${WORK}/$p.now ${WORK}/$p.wrong
echo $p >>${WORK}/count; usleep 20000; done; done
echo >${WORK}/over
`;
}

export class WorkloadRun {
  readonly #workload: Workload;
  readonly #run: Run;
  readonly #stage: Stage;
  readonly report: WorkloadReport;
  #counted = 0;

  constructor(workload: Workload, run: Run, stage: Stage) {
    this.#workload = workload;
    this.#run = run;
    this.#stage = stage;
    this.report = {
      parts: workload.parts.map(({ name }) => ({
        name,
        before: undefined,
        patched: undefined,
        after: undefined,
        holds: undefined,
        why: undefined,
      })),
      lacks: workload.lacks,
      rounds: { load: 0, patched: 0, out: 0 },
      newLines: [],
    };
  }

  /** Every part once. */
  async go(moment: Moment): Promise<void> {
    for (const [i, part] of this.report.parts.entries()) {
      this.#stage.note(`workload ${moment}, ${i + 1} of ${this.report.parts.length}: ${part.name}`);
      const file = `${WORK}/${i}.${moment === "before" ? "want" : moment}`;
      const { code, output, truncated, timedOut, ms, guestMs, log, events } = await this.#run(
        `mkdir -p ${WORK}; ${once(String(i), file)}; cat ${file}`,
        PART_MS,
      );
      part[moment] = { code, output, truncated, timedOut, ms, guestMs, log, events };
    }
  }

  /** Begins the background, and waits until each of its parts has run once without a livepatch. */
  async begin(): Promise<void> {
    const steady = this.#workload.parts.filter((part) => part.steady).length;
    this.#stage.note("workload in the background");
    await this.#run(
      `touch ${BUSY}; : >${WORK}/count; setsid sh ${SCRIPTS}/busy </dev/null >/dev/null 2>&1 &
while [ $(wc -l <${WORK}/count) -lt ${steady} ]; do usleep 200000; done`,
      PART_MS,
    );
    // What differs by itself says nothing of a livepatch.
    for (const i of await this.#wrong()) this.#unsteady(i);
    await this.#run(`rm -f ${WORK}/*.wrong`, PART_MS);
    await this.count();
  }

  /** How many parts of the background ended since the last time. */
  async count(): Promise<number> {
    const all = Number((await this.#run(`wc -l <${WORK}/count`, PART_MS)).output.trim());
    const since = all - this.#counted;
    this.#counted = all;
    return since;
  }

  /** Ends the background, and takes what was found wrong in it. */
  async end(): Promise<void> {
    await this.#run(`rm -f ${BUSY}; i=0; while [ ! -e ${WORK}/over ] && [ $i -lt 900 ]; do i=$((i+1)); usleep 200000; done`, PART_MS);
    for (const i of await this.#wrong()) {
      const part = this.report.parts[i];
      if (part === undefined || part.why !== undefined) continue;
      const now = (await this.#run(`cat ${WORK}/${i}.wrong`, PART_MS)).output;
      const why = part.before === undefined ? undefined : difference(part.before, { ...part.before, output: now });
      part.holds = false;
      part.why = `in the background: ${why ?? "it differed"}`;
    }
  }

  /** Holds the results with the livepatch against those without. */
  judge(): void {
    for (const part of this.report.parts) {
      const { before, patched, after } = part;
      if (part.holds === false || part.why !== undefined) continue;
      const judged = before === undefined ? NOT_RUN : judgePart(before, patched, after);
      Object.assign(part, judged);
    }
  }

  async #wrong(): Promise<number[]> {
    const { output } = await this.#run(`cd ${WORK} && ls *.wrong 2>/dev/null; true`, PART_MS);
    return [...output.matchAll(/^(\d+)\.wrong$/gm)].map(([, i]) => Number(i));
  }

  #unsteady(i: number): void {
    const part = this.report.parts[i];
    if (part === undefined) return;
    part.why = UNSTEADY;
    this.report.lacks.push({ what: part.name, why: part.why });
  }
}

const UNSTEADY = "it differs from one run to the next by itself";
const NOT_RUN = { holds: undefined, why: "the trial ended before" };

/** What a part said with the livepatch, and when it was out again, held against what it said before. */
export function judgePart(before: ProbeResult, patched: ProbeResult | undefined, after: ProbeResult | undefined) {
  if (!before.output.endsWith("ended 0\n")) return { holds: undefined, why: `it fails without the livepatch, too: ${lastOf(before)}` };
  const [inside, left] = [patched, after].map((result) => (result === undefined ? undefined : difference(before, result)));
  if (
    patched !== undefined &&
    after !== undefined &&
    inside !== undefined &&
    left !== undefined &&
    difference(patched, after) !== undefined
  )
    return { holds: undefined, why: UNSTEADY };
  if (inside !== undefined) return { holds: false, why: `it differs with the livepatch: ${inside}` };
  if (left !== undefined) return { holds: false, why: `it differs after the livepatch is out: ${left}` };
  return patched === undefined || after === undefined ? NOT_RUN : { holds: true, why: undefined };
}

function lastOf({ output }: ProbeResult): string {
  return output.trim().split("\n").slice(-2).join("; ");
}
