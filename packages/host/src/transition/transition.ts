/**
 * The kernel moves task after task to the new functions, or back. What it cannot move is shown; then it is waited for, turned back, or forced.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SutureError } from "@suture/errors";
import type { Straggler, Transition } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { LIVEPATCH, progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { stateText } from "../machine/state.ts";
import { stragglers, stragglerText } from "../machine/tasks.ts";

/** What to do with a transition that does not end in time. */
export type Choice = "reverse" | "wait" | "force";

export interface Patience {
  timeoutMs: number;
  onTimeout: Choice;
}

/** What is decided is not given up as early as what was only tried, however little that was given. */
const LEAST_DECIDED_MS = 30_000;
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;
/** Looking through all tasks costs more than asking whether it is over: where it takes up to 20 ms it stays under a hundredth of a processor. */
const LOOK_MS = 1000;
const REST = 150;
const LONGEST_REST_MS = 3000;

type Ended = { ended: true; patched: boolean } | { ended: false; stragglers: Straggler[] };

/** Until the transition has ended either way, or the time is over. */
export async function follow(task: Task, machine: Machine, name: string, timeoutMs: number): Promise<Ended> {
  return task.stage("transition", async (stage) => {
    const started = performance.now();
    let pause = SHORTEST_PAUSE_MS;
    let next = started + LOOK_MS;
    let most = 0;
    for (;;) {
      const patch = progressOf(machine, name);
      if (patch === undefined || patch.transition === undefined) {
        stage.result(patch?.enabled === true ? `${name} is in effect` : `${name} is out of effect`);
        return { ended: true, patched: patch?.enabled === true };
      }
      const now = performance.now();
      if (now - started >= timeoutMs) {
        const left = stragglers(machine, patch.transition);
        stage.result(`not ended, ${left.length} tasks left`);
        return { ended: false, stragglers: left };
      }
      if (now >= next) {
        const left = stragglers(machine, patch.transition);
        most = Math.max(most, left.length);
        stage.progress(most - left.length, most, "tasks");
        stage.note(
          left
            .slice(0, 3)
            .map(({ name: who, tid }) => `${who} (${tid})`)
            .join(", "),
        );
        const looked = performance.now();
        next = looked + Math.min(LONGEST_REST_MS, Math.max(LOOK_MS, REST * (looked - now)));
      }
      task.check();
      await sleep(Math.min(pause, Math.max(1, timeoutMs - (now - started))));
      pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS);
    }
  });
}

/** Sees a transition through to its end, whichever is chosen. @throws HOST_LEFT_IN_TRANSITION, CANCELLED (after turning it back) */
export async function seeThrough(task: Task, machine: Machine, name: string, patience: Patience): Promise<Transition> {
  const started = performance.now();
  const goal = progressOf(machine, name)?.enabled === true;
  const done = (outcome: Transition["outcome"], left: Straggler[] = []): Transition => ({
    outcome,
    ms: performance.now() - started,
    stragglers: left,
  });
  let left: Straggler[];
  try {
    const first = await follow(task, machine, name, patience.timeoutMs);
    if (first.ended) return done(first.patched === goal ? "done" : "reversed");
    left = first.stragglers;
    task.reporter.warn(`the transition is held up after ${Math.round(patience.timeoutMs / 1000)} s by\n${shown(left)}`);
    if (patience.onTimeout === "wait") {
      const second = await follow(task, machine, name, Number.POSITIVE_INFINITY);
      return done(second.ended && second.patched === goal ? "done" : "reversed", left);
    }
  } catch (error) {
    // Cancelled, or worse: the machine is to be left as it was.
    await undoing(error, () => bringTo(machine, name, goal ? "unpatched" : "patched", decidedMs(patience)));
    throw error;
  }
  if (patience.onTimeout === "force") {
    await force(task, machine, name);
    const forced = await follow(task, machine, name, decidedMs(patience));
    if (!forced.ended) throw leftInTransition(machine, name, forced.stragglers);
    return done("forced", left);
  }
  task.reporter.warn("turning the transition back");
  await bringTo(machine, name, goal ? "unpatched" : "patched", decidedMs(patience));
  return done("reversed", left);
}

/** How long a transition may take that is turned back, or forced. */
export function decidedMs({ timeoutMs }: Pick<Patience, "timeoutMs">): number {
  return Math.max(timeoutMs, LEAST_DECIDED_MS);
}

/** What is lost with it. The kernel's documentation says no more. */
export const FORCE_WARNING =
  "The tasks that are shown may run old and new functions mixed, which can corrupt memory or stop this machine; " +
  "the modules that are replaced or disabled by it can never be unloaded. A reboot is due soon.";

/** @throws HOST_REFUSED */
export async function force(task: Task, machine: Machine, name: string): Promise<void> {
  task.reporter.warn(`forcing the transition of ${name}. ${FORCE_WARNING}`);
  const code = await machine.write(`${LIVEPATCH}/${name}/force`, "1");
  if (code !== undefined) throw fail("HOST_REFUSED", `the kernel does not force it: ${code}. ${stateText(machine, name)}`);
}

/** Runs what undoes a failed operation. @throws its own error, which says what was to be undone as well */
export async function undoing<T>(first: unknown, undo: () => Promise<T>): Promise<T> {
  try {
    return await undo();
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    const why = first instanceof SutureError ? `${first.code}: ${first.message}` : String(first);
    throw new SutureError(error.code, `${error.message}\nIt was to be undone after ${why}`, error.where, error.mend, first);
  }
}

/**
 * Brings a livepatch out of effect, or back into it, whatever is under way. It is not cancelled: it is what cancelling does.
 * @throws HOST_LEFT_IN_TRANSITION, HOST_LEFT_IN_EFFECT
 */
export async function bringTo(machine: Machine, name: string, goal: "patched" | "unpatched", timeoutMs: number): Promise<void> {
  const deadline = performance.now() + Math.max(timeoutMs, LOOK_MS);
  for (;;) {
    const patch = progressOf(machine, name);
    // One that is out of effect is gone.
    if (patch === undefined) return;
    const there = patch.enabled === (goal === "patched");
    if (there && patch.transition === undefined) return;
    const refused = there ? undefined : await machine.write(`${LIVEPATCH}/${name}/enabled`, goal === "patched" ? "1" : "0");
    if (!there && refused === undefined) continue;
    // EBUSY: the kernel is in the middle of another livepatch's transition, which may end.
    if (performance.now() > deadline)
      throw refused === undefined
        ? leftInTransition(machine, name, stragglers(machine, goal))
        : fail("HOST_LEFT_IN_EFFECT", `${refusalText(machine, name, refused)}. ${stateText(machine, name)}`);
    await sleep(LONGEST_PAUSE_MS);
  }
}

/** Why the kernel does not take what was written to `enabled`, in words. */
export function refusalText(machine: Machine, name: string, code: string): string {
  if (code !== "EBUSY") return `the kernel does not change whether ${name} is in effect: ${code}`;
  const other = new Snapshot(machine).patches.find((patch) => patch.transition !== undefined && patch.name !== name);
  const which = other === undefined ? "another livepatch" : other.name;
  return `another transition is under way, of ${which}, so the kernel does not begin one of ${name} (EBUSY)`;
}

/** The livepatch is still in effect, or on its way there or back: it can still do harm. */
export function isLeft(error: unknown): boolean {
  return error instanceof SutureError && (error.code === "HOST_LEFT_IN_TRANSITION" || error.code === "HOST_LEFT_IN_EFFECT");
}

function leftInTransition(machine: Machine, name: string, left: readonly Straggler[]): Error {
  const state = stateText(machine, name);
  return fail("HOST_LEFT_IN_TRANSITION", `the transition of ${name} does not end. ${state} Held up by\n${shown(left)}`);
}

export function shown(left: readonly Straggler[]): string {
  const most = 20;
  const lines = left.slice(0, most).map((straggler) => `  ${stragglerText(straggler)}`);
  return [...lines, ...(left.length > most ? [`  and ${left.length - most} more`] : [])].join("\n");
}
