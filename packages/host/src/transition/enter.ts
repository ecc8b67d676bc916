/** One livepatch into the running kernel. A load that fails leaves the machine as it was: it undoes what it did itself, and nothing else. */
import { SutureError } from "@suture/errors";
import type { LoadReport, Transition } from "@suture/protocol";
import { Task } from "@suture/task";
import { type CheckOptions, checkLoad, firstRefusal } from "../checks/checks.ts";
import { leftBehind } from "../checks/left-behind.ts";
import { fail } from "../errors.ts";
import { KernelLog } from "../machine/kernel-log.ts";
import { missingWords } from "../machine/live-data.ts";
import { progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { missingRedirects } from "../machine/redirects.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { stateText } from "../machine/state.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { insertModule } from "../module/module-tools.ts";
import { removeIdle } from "../module/remove-idle.ts";
import { isLoadedFrom } from "../module/same-module.ts";
import { guarded, outOfEffect } from "../store/crash-guard.ts";
import { dropRecord, keepRecord, recordOf } from "../store/records.ts";
import { bringTo, decidedMs, isLeft, type Patience, seeThrough, shown, undoing } from "./transition.ts";

export interface LoadOptions extends CheckOptions, Patience {
  /** Of the module: NAME=VALUE. Those that Suture builds have none. */
  parameters?: readonly string[];
}

/** Nothing is changed. @param again see checkLoad. @throws the first refusal */
export async function checked(
  task: Task,
  now: Snapshot,
  module: ModuleFile,
  options: CheckOptions,
  again = false,
): Promise<LoadReport["checks"]> {
  return task.stage("check", async (stage) => {
    const results = checkLoad(now, module, options, again);
    const refusal = firstRefusal(results);
    if (refusal !== undefined) {
      const { code, message, where, mend, cause } = refusal;
      throw new SutureError(code, `${message}. ${stateText(now.machine, module.name)}`, where, mend, cause);
    }
    stage.result(`${module.name} may be loaded`);
    return results.flatMap(({ what, found, outcome }) => (outcome === "refused" ? [] : [{ what, found, outcome }]));
  });
}

/** Checked, guarded, inserted, and seen through its transition. Who calls it holds the lock. @throws HOST_*; then the machine is as it was */
export async function enter(task: Task, machine: Machine, module: ModuleFile, options: LoadOptions): Promise<LoadReport> {
  const now = new Snapshot(machine);
  const checks = await checked(task, now, module, options);
  const before = now.patches.map(({ name }) => name);
  const log = new KernelLog(machine);
  // From here on the crash guard knows of it, if it is one that the next boot would load.
  const transition = await guarded(task, machine, module, () => insertAndFollow(task, machine, module, options, log));
  return {
    name: module.name,
    checks,
    transition,
    replaced: await replacedBy(task, machine, module.name, before, options.replace),
    log: log.since(),
  };
}

async function insertAndFollow(
  task: Task,
  machine: Machine,
  module: ModuleFile,
  options: LoadOptions,
  log: KernelLog,
): Promise<Transition> {
  const { name, file } = module;
  const { parameters = [] } = options;
  const known = recordOf(machine, name).module?.sha256 === module.sha256;
  const undo = (): Promise<string | undefined> => takeOut(machine, name, decidedMs(options), known);
  const path = await keepRecord(machine, module, parameters);
  await insert(task, machine, module, { path, parameters, known, log, undo });
  let transition: Transition;
  try {
    transition = await seeThrough(task, machine, name, options);
  } catch (error) {
    // That one has said how things stand, and only people can help it.
    if (isLeft(error)) throw error;
    const left = await undoing(error, undo);
    throw left === undefined ? error : withMore(error, stillThere(name, left));
  }
  if (progressOf(machine, name)?.enabled === true) {
    await checkLiveData(machine, name, file, undo);
    await checkRedirects(machine, name, file, undo);
    return transition;
  }
  const left = await undo();
  const held = `Held up by\n${shown(transition.stragglers)}`;
  throw fail(
    "HOST_STUCK",
    [
      `the transition was turned back after ${Math.round(transition.ms / 1000)} s.`,
      ...(left === undefined ? [] : [stillThere(name, left)]),
      stateText(machine, name),
      held,
    ].join(" "),
    { file },
  );
}

/** What it was to change in the kernel's data, another may have changed since that was looked at. @throws HOST_LIVE_DATA */
async function checkLiveData(machine: Machine, name: string, file: string, undo: () => Promise<string | undefined>): Promise<void> {
  const words = missingWords(new Snapshot(machine), name);
  if (words === undefined) return;
  const left = await undo();
  throw fail(
    "HOST_LIVE_DATA",
    [`${words} was changed by another meanwhile.`, ...(left === undefined ? [] : [stillThere(name, left)]), stateText(machine, name)].join(
      " ",
    ),
    { file },
  );
}

/** Somebody may have disarmed the kernel's probes. @throws HOST_REDIRECT */
async function checkRedirects(machine: Machine, name: string, file: string, undo: () => Promise<string | undefined>): Promise<void> {
  const missing = missingRedirects(new Snapshot(machine), name);
  if (missing === undefined) return;
  const left = await undo();
  const more = left === undefined ? [] : [stillThere(name, left)];
  throw fail("HOST_REDIRECT", [`the probe of ${missing} is not armed.`, ...more, stateText(machine, name)].join(" "), { file });
}

interface Insertion {
  /** The module's copy. */
  path: string;
  parameters: readonly string[];
  /** There was a record of it before this load. */
  known: boolean;
  log: KernelLog;
  undo: () => Promise<string | undefined>;
}

/** @throws HOST_REFUSED, HOST_ALREADY_LOADED, CANCELLED; then nothing of it is in the kernel, or it is said why it is */
async function insert(task: Task, machine: Machine, module: ModuleFile, { path, parameters, known, log, undo }: Insertion): Promise<void> {
  const { name, file } = module;
  await task.stage("load", async (stage) => {
    let why: string | undefined;
    try {
      why = await insertModule(task, path, parameters);
    } catch (error) {
      // The kernel may have taken a module whose insmod was cancelled; but what has its name may be somebody else's.
      const there = new Snapshot(machine).module(name) !== undefined;
      const ours = there && isLoadedFrom(machine, module) !== false;
      if (!ours) await forget(machine, name, known);
      const left = ours ? await undoing(error, undo) : undefined;
      throw left === undefined ? error : withMore(error, stillThere(name, left));
    }
    if (why === undefined) {
      stage.result(name);
      return;
    }
    // Nothing of it went in. What may be there under its name is somebody else's, and is left alone.
    await forget(machine, name, known);
    if (why === NAME_TAKEN)
      throw fail(
        "HOST_ALREADY_LOADED",
        `another program has loaded a module ${name} since the checks; that one was left alone. ${stateText(machine, name)}`,
        { file },
      );
    const said = log.since();
    const because = [why, ...callbackThatFailed(said, module)].join("; ");
    const lines = said.map((line) => `\n  ${line}`).join("");
    throw fail("HOST_REFUSED", `the kernel did not take it: ${because}. ${stateText(machine, name)}${lines}`, { file });
  });
}

/** EEXIST, as insmod says it. */
const NAME_TAKEN = "File exists";

/** A record that was there before a failed load stays. */
async function forget(machine: Machine, name: string, known: boolean): Promise<void> {
  if (!known) await dropRecord(machine, name);
}

const stillThere = (name: string, why: string): string =>
  `The module ${name} is still in the kernel, without effect, as it cannot be removed (${why}); \`suture unload ${name}\` tries again.`;

export function withMore(error: unknown, more: string): unknown {
  if (!(error instanceof SutureError)) return error;
  const { code, message, where, mend, cause } = error;
  return new SutureError(code, `${message}${/[.!?]$/.test(message) ? "" : "."} ${more}`, where, mend, cause);
}

/** A livepatch may say itself that it does not want to be there. */
function callbackThatFailed(said: readonly string[], { manifest }: ModuleFile): string[] {
  const object = said.map((line) => /pre-patch callback failed for object '(.*)'/.exec(line)?.[1]).find((name) => name !== undefined);
  if (object === undefined) return [];
  const name = manifest?.callbacks?.find(({ owner, kind }) => owner === object && kind === "pre_patch")?.name;
  return [`its callback ${name ?? "pre_patch"} for ${object} returned that error`];
}

/**
 * Takes out what this load put in. A cancelled task could not run programs any more.
 * @returns why its module is still in the kernel; then its record stays as well
 * @throws HOST_LEFT_IN_TRANSITION, HOST_LEFT_IN_EFFECT
 */
async function takeOut(machine: Machine, name: string, timeoutMs: number, known: boolean): Promise<string | undefined> {
  await bringTo(machine, name, "unpatched", timeoutMs);
  const there = new Snapshot(machine).module(name) !== undefined;
  const why = there ? await removeIdle(new Task(), machine, name) : undefined;
  if (why === undefined) await forget(machine, name, known);
  return why;
}

/** What was in effect before and is no more. Only a livepatch that Suture built tells before whether it replaces the others. */
async function replacedBy(task: Task, machine: Machine, name: string, before: readonly string[], asked: boolean): Promise<string[]> {
  const after = new Set(new Snapshot(machine).patches.map((patch) => patch.name));
  const replaced = before.filter((other) => !after.has(other));
  for (const other of replaced) await outOfEffect(task, machine, other);
  if (asked) {
    const left = before.filter((other) => after.has(other));
    if (left.length > 0) task.reporter.warn(`${name} did not replace ${left.join(", ")}: it was added`);
    for (const other of replaced) await removeReplaced(machine, other);
  } else if (replaced.length > 0) task.reporter.warn(`${name} has replaced ${replaced.join(", ")}; their modules are still in the kernel`);
  return replaced;
}

/** The module of a replaced livepatch has no effect any more. One that cannot be taken out, or leaves something behind, stays; status shows it. */
async function removeReplaced(machine: Machine, name: string): Promise<void> {
  if (leftBehind(recordOf(machine, name)).kept !== undefined) return;
  if ((await removeIdle(new Task(), machine, name)) === undefined) await dropRecord(machine, name);
}
