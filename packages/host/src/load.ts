/** One livepatch into the running kernel. A load that fails leaves the machine as it was. */
import { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import { type CheckOptions, checkLoad, type Finding, firstRefusal } from "./checks.ts";
import { fail } from "./errors.ts";
import { removeIdle } from "./idle.ts";
import { KernelLog } from "./kernel-log.ts";
import { leftBehind } from "./left-behind.ts";
import { locked } from "./lock.ts";
import type { Machine } from "./machine.ts";
import { type ModuleFile, readModuleFile } from "./module-file.ts";
import { insertModule } from "./module-tools.ts";
import { dropRecord, keepRecord } from "./records.ts";
import { stateText } from "./state.ts";
import { guarded } from "./store.ts";
import { livePatch, livePatches, loadedModules } from "./sysfs.ts";
import { bringTo, isLeftInTransition, type Patience, seeThrough, shown, type Transition } from "./transition.ts";

export interface LoadOptions extends CheckOptions, Patience {
  /** Of the module: NAME=VALUE. Those that Suture builds have none. */
  parameters?: readonly string[];
}

export interface LoadReport {
  name: string;
  checks: Finding[];
  transition: Transition;
  /** Livepatches that this one replaced. Where that was asked for their modules were taken out. */
  replaced: string[];
  /** What the kernel said. */
  log: string[];
}

/** @throws HOST_* */
export async function load(task: Task, machine: Machine, file: string, options: LoadOptions): Promise<LoadReport> {
  const module = await readModuleFile(file);
  return locked(task, machine, `load ${module.name}`, () => loadLocked(task, machine, module, options));
}

/** The lock is held. */
export async function loadLocked(task: Task, machine: Machine, module: ModuleFile, options: LoadOptions): Promise<LoadReport> {
  const checks = await task.stage("check", async (stage) => {
    const findings = await checkLoad(machine, module, options);
    const refusal = firstRefusal(findings);
    if (refusal !== undefined) {
      const { code, message, where, mend } = refusal;
      throw new SutureError(code, `${message}. ${await stateText(machine, module.name)}`, where, mend);
    }
    stage.result(`${module.name} may be loaded`);
    return findings;
  });
  const before = (await livePatches(machine)).map(({ name }) => name);
  const log = new KernelLog(machine);
  // From here on the crash guard knows of it, if it is one that the next boot would load.
  const transition = await guarded(machine, module, () => enter(task, machine, module, options, log));
  return {
    name: module.name,
    checks,
    transition,
    replaced: await replacedBy(task, machine, module.name, before, options.replace),
    log: log.since(),
  };
}

async function enter(task: Task, machine: Machine, module: ModuleFile, options: LoadOptions, log: KernelLog): Promise<Transition> {
  const { name, file } = module;
  const { parameters = [] } = options;
  const path = await keepRecord(machine, module, parameters);
  try {
    await task.stage("load", async (stage) => {
      const why = await insertModule(task, path, parameters);
      if (why !== undefined) {
        const said = log.since();
        const because = [why, ...callbackThatFailed(said, module)].join("; ");
        const lines = said.map((line) => `\n  ${line}`).join("");
        throw fail("HOST_REFUSED", `the kernel did not take it: ${because}. ${await stateText(machine, name)}${lines}`, { file });
      }
      stage.result(name);
    });
    const transition = await seeThrough(task, machine, name, options);
    if ((await livePatch(machine, name))?.enabled === true) return transition;
    throw await stuck(machine, name, file, transition);
  } catch (error) {
    // That one has said how things stand, and only people can help it.
    if (!isLeftInTransition(error)) await leave(machine, name, options.timeoutMs);
    throw error;
  }
}

/** A livepatch may say itself that it does not want to be there. */
function callbackThatFailed(said: readonly string[], { manifest }: ModuleFile): string[] {
  const object = said.map((line) => /pre-patch callback failed for object '(.*)'/.exec(line)?.[1]).find((name) => name !== undefined);
  if (object === undefined) return [];
  const name = manifest?.callbacks?.find(({ owner, kind }) => owner === object && kind === "pre_patch")?.name;
  return [`its callback ${name ?? "pre_patch"} for ${object} returned that error`];
}

async function stuck(machine: Machine, name: string, file: string, transition: Transition): Promise<Error> {
  await leave(machine, name, transition.ms);
  return fail(
    "HOST_STUCK",
    `the transition was turned back after ${Math.round(transition.ms / 1000)} s. ${await stateText(machine, name)} Held up by\n${shown(transition.stragglers)}`,
    { file },
  );
}

/** Takes out what a failed load left: the kernel may have taken a module whose insmod was cancelled. @throws HOST_LEFT_IN_TRANSITION */
async function leave(machine: Machine, name: string, timeoutMs: number): Promise<void> {
  await bringTo(machine, name, "unpatched", timeoutMs);
  // A cancelled task could not run programs any more.
  if ((await loadedModules(machine)).some((module) => module.name === name)) await removeIdle(new Task(), machine, name);
  await dropRecord(machine, name);
}

/** What was in effect before and is no more. Only a livepatch that Suture built tells before whether it replaces the others. */
async function replacedBy(task: Task, machine: Machine, name: string, before: readonly string[], asked: boolean): Promise<string[]> {
  const after = new Set((await livePatches(machine)).map((patch) => patch.name));
  const replaced = before.filter((other) => !after.has(other));
  if (asked) {
    const left = before.filter((other) => after.has(other));
    if (left.length > 0) task.reporter.warn(`${name} did not replace ${left.join(", ")}: it was added`);
    for (const other of replaced) await removeReplaced(machine, other);
  } else if (replaced.length > 0) task.reporter.warn(`${name} has replaced ${replaced.join(", ")}; their modules are still in the kernel`);
  return replaced;
}

/** The module of a replaced livepatch has no effect any more. One that cannot be taken out, or leaves something behind, stays; status shows it. */
async function removeReplaced(machine: Machine, name: string): Promise<void> {
  if ((await leftBehind(machine, name)).kept !== undefined) return;
  if ((await removeIdle(new Task(), machine, name)) === undefined) await dropRecord(machine, name);
}
