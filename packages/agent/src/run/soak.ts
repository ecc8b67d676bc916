/** A livepatch on trial: into the kernel, looked at for a while, and then kept, or taken out and not taken again. */
import { setTimeout as sleep } from "node:timers/promises";
import { SutureError } from "@suture/errors";
import { makeFolderDurably, removeDurably, writeDurably } from "@suture/files";
import {
  bootPatches,
  disable,
  enable,
  healthMark,
  install,
  load,
  type Machine,
  type Patience,
  status,
  troubleSince,
  uninstall,
  unload,
} from "@suture/host";
import type { AgentConfiguration, AgentMemory, AgentRun, Soak } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { Step } from "../decision/decide.ts";
import { fail } from "../errors.ts";
import { MODULES } from "../layout.ts";
import { readMemory, withAccepted, withRefused, writeMemory } from "../memory.ts";
import { probesOutside } from "../probes.ts";

export type Done = AgentRun["done"][number];

export interface Means {
  task: Task;
  machine: Machine;
  configuration: AgentConfiguration;
  /** The words that run Suture at boot. */
  program: readonly string[];
  /** Seconds that this run stays for a soak; the rest of it is looked at by later runs. */
  stay: number;
  /** SHA-256 of livepatches that are to go out of effect: none of them is brought back. */
  withdrawn: ReadonlySet<string>;
}

/** Seconds after a load at which it is looked at in the run that loaded it; after the last of them as often as that. */
const LOOKS = [0, 5, 15, 30, 60] as const;
const OFTEN = 60;
/** Refusals that say something of the livepatch: it is not tried again. All others say something of the machine at that moment. */
const ITS_FAULT: ReadonlySet<string> = new Set([
  "HOST_STUCK",
  "HOST_REFUSED",
  "HOST_BAD_MODULE",
  "HOST_OTHER_KERNEL",
  "HOST_UNPROVEN",
  "HOST_FUNCTION_MISSING",
]);
/** So do all of those by which its file cannot be read: it is the one that was signed. */
const isItsFault = (code: string): boolean => ITS_FAULT.has(code) || /^(?:ELF|KLP)_/.test(code);
/** It is in the kernel all the same: the next run takes it out. */
const IS_LEFT: ReadonlySet<string> = new Set(["HOST_LEFT_IN_TRANSITION", "HOST_LEFT_IN_EFFECT"]);

const patienceOf = ({ transitionSeconds }: AgentConfiguration): Patience => ({ timeoutMs: transitionSeconds * 1000, onTimeout: "reverse" });
const pathOf = (machine: Machine, sha256: string): string => machine.path(`${MODULES}/${sha256}.ko`);
const note = (what: Done["what"], name: string, outcome: Done["outcome"], why: string, code?: string): Done => ({
  what,
  name,
  outcome,
  ...(code === undefined ? {} : { code }),
  why,
});

async function change(machine: Machine, with_: (memory: AgentMemory) => AgentMemory): Promise<void> {
  await writeMemory(machine, with_(await readMemory(machine)));
}

/** @param bytes of the module, verified */
export async function begin(means: Means, { offer, rollout, seconds }: Step & { do: "load" }, bytes: Uint8Array): Promise<Done[]> {
  const { task, machine, configuration } = means;
  const { name, counter, kernel, replace } = offer.custom;
  const failing = await failingProbes(means);
  if (failing.length > 0) return [note("load", name, "not done", `before anything was loaded: ${failing.join("; ")}`, "AGENT_PROBE")];
  const { patches } = await status(machine);
  const before = patches.flatMap((patch) =>
    patch.enabled && patch.sha256 !== undefined ? [{ name: patch.name, sha256: patch.sha256 }] : [],
  );
  const soak: Soak = {
    sha256: offer.sha256,
    name,
    release: kernel.release,
    buildId: kernel.buildId,
    target: offer.path,
    counter,
    rollOut: rollout.id,
    phase: "loading",
    failure: null,
    before: healthMark(machine),
    loaded: null,
    seconds,
    looks: [],
    replaced: replace ? before : [],
  };
  // Both are on the disk before the kernel is touched: whatever happens then, the next run knows of it.
  await keepModule(machine, offer.sha256, bytes);
  await change(machine, (memory) => ({ ...memory, soak }));
  const given = { unproven: false, stack: false, replace: replace && patches.length > 0, ...patienceOf(configuration) };
  try {
    await load(task, machine, [pathOf(machine, offer.sha256)], given);
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return notLoaded(machine, soak, error);
  }
  await loadedNow(machine, soak);
  return [note("load", name, "done", `by the roll-out ${rollout.id}`), ...(await proceed(means))];
}

/** @throws AGENT_MEMORY */
async function keepModule(machine: Machine, sha256: string, bytes: Uint8Array): Promise<void> {
  const file = pathOf(machine, sha256);
  try {
    await makeFolderDurably(machine.path(MODULES), 0o700);
    await writeDurably(file, bytes, 0o600);
  } catch (cause) {
    throw fail(
      "AGENT_MEMORY",
      `the module cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      { file },
      { cause },
    );
  }
}

async function notLoaded(machine: Machine, soak: Soak, { code, message }: SutureError): Promise<Done[]> {
  if (IS_LEFT.has(code)) {
    await failing(machine, soak, { code, why: message });
    return [note("load", soak.name, "failed", message, code)];
  }
  if (isItsFault(code)) {
    await refuse(machine, soak, { code, why: message });
    return [note("load", soak.name, "failed", message, code)];
  }
  await change(machine, (memory) => ({ ...memory, soak: null }));
  await removeDurably(pathOf(machine, soak.sha256));
  return [note("load", soak.name, "not done", message, code)];
}

async function loadedNow(machine: Machine, soak: Soak): Promise<void> {
  await change(machine, (memory) => ({ ...memory, soak: { ...soak, phase: "soaking", loaded: healthMark(machine).uptime } }));
}

async function refuse(machine: Machine, soak: Soak, failure: { code: string; why: string }): Promise<void> {
  await change(machine, (memory) => withRefused(memory, soak, failure, new Date()));
  await removeDurably(pathOf(machine, soak.sha256));
}

async function soakOf(machine: Machine): Promise<Soak> {
  const { soak } = await readMemory(machine);
  if (soak === null) throw new Error("no livepatch is in its soak");
  return soak;
}

/** Goes on where the last run, or the last step, has left it. */
export async function proceed(means: Means): Promise<Done[]> {
  const { machine } = means;
  const soak = await soakOf(machine);
  if (soak.phase === "leaving") return leave(means, soak);
  if (soak.phase === "loading") {
    const ended = await reconciled(means, soak);
    if (ended !== undefined) return ended;
  }
  return look(means);
}

/** A run died while it was loading. @returns undefined if the livepatch is in effect all the same */
async function reconciled(means: Means, soak: Soak): Promise<Done[] | undefined> {
  const { task, machine, configuration } = means;
  const deadline = performance.now() + configuration.transitionSeconds * 1000;
  for (;;) {
    const patch = (await status(machine)).patches.find(({ name }) => name === soak.name);
    if (patch === undefined) {
      await change(machine, (memory) => ({ ...memory, soak: null }));
      return [note("load", soak.name, "not done", "a run ended before it was in effect")];
    }
    if (patch.transition === undefined && patch.enabled) {
      await loadedNow(machine, soak);
      return undefined;
    }
    if (performance.now() > deadline) {
      const held = patch.transition?.stragglers.map(({ name, tid }) => `${name} (${tid})`).join(", ") ?? "";
      return leave(means, await failing(machine, soak, { code: "HOST_STUCK", why: `its transition did not end; held up by ${held}` }));
    }
    await pause(task, 1000);
  }
}

async function pause(task: Task, ms: number): Promise<void> {
  task.check();
  await sleep(ms, undefined, { signal: task.signal }).catch(() => undefined);
  task.check();
}

async function failingProbes({ task, machine, configuration: { probes } }: Means): Promise<string[]> {
  const found = await probesOutside(task, machine, probes);
  return found.filter(({ good }) => !good).map(({ name, why }) => `the probe ${name}: ${why}`);
}

async function look(means: Means): Promise<Done[]> {
  const { task, machine } = means;
  const began = healthMark(machine).uptime;
  for (;;) {
    const soak = await soakOf(machine);
    const failure = await failureOf(means, soak);
    if (failure !== undefined) return leave(means, await failing(machine, soak, failure));
    const loaded = soak.loaded ?? began;
    const after = healthMark(machine).uptime - loaded;
    if (after >= soak.seconds) return keep(means, soak);
    const looks = [...soak.looks, { after: Math.round(after), at: new Date().toISOString() }];
    await change(machine, (memory) => ({ ...memory, soak: { ...soak, looks } }));
    const next = Math.min(soak.seconds, LOOKS.find((at) => at > after) ?? after + OFTEN);
    if (loaded + next > began + means.stay)
      return [
        note("soak", soak.name, "not done", `all was well ${Math.round(after)} s after it was loaded; ${soak.seconds} s are asked for`),
      ];
    await task.stage("soak", async (stage) => {
      stage.note(`${Math.round(after)} of ${soak.seconds} s`);
      await pause(task, Math.max(0, next - after) * 1000);
    });
  }
}

async function failureOf(means: Means, soak: Soak): Promise<{ code: string; why: string } | undefined> {
  const { machine } = means;
  const trouble = troubleSince(machine, soak.before);
  if (trouble.length > 0) return { code: "AGENT_TROUBLE", why: trouble.join("; ") };
  const patch = (await status(machine)).patches.find(({ name }) => name === soak.name);
  if (patch?.enabled !== true || patch.sha256 !== soak.sha256)
    return { code: "AGENT_TAKEN_OUT", why: `${soak.name} is not in effect any more` };
  const failed = await failingProbes(means);
  return failed.length === 0 ? undefined : { code: "AGENT_PROBE", why: failed.join("; ") };
}

async function failing(machine: Machine, soak: Soak, failure: { code: string; why: string }): Promise<Soak> {
  const leaving: Soak = { ...soak, phase: "leaving", failure };
  await change(machine, (memory) => ({ ...memory, soak: leaving }));
  return leaving;
}

/** Out of the kernel, what it replaced back into it, and only then forgotten: a run that dies in between is followed by one that does the rest. */
async function leave(means: Means, soak: Soak): Promise<Done[]> {
  const { task, machine, configuration } = means;
  const failure = soak.failure ?? { code: "AGENT_TROUBLE", why: "" };
  await takeOut(task, machine, soak.name, patienceOf(configuration));
  // Somebody who takes things out does not want others in their place.
  const back = failure.code === "AGENT_TAKEN_OUT" ? [] : await bringBack(means, soak);
  await refuse(machine, soak, failure);
  return [note("soak", soak.name, "failed", [`${failure.why}; it is out of effect`, ...back].join("; "), failure.code)];
}

/** Out of the kernel where nothing keeps addresses of it, else out of effect. One that is not there is out. */
export async function takeOut(task: Task, machine: Machine, name: string, patience: Patience): Promise<void> {
  const patch = (await status(machine)).patches.find((one) => one.name === name);
  if (patch === undefined) return;
  try {
    await unload(task, machine, [name], patience);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "HOST_LEFT_BEHIND") throw error;
    await disable(task, machine, name, patience);
  }
}

/** @returns what became of each */
async function bringBack({ task, machine, configuration, withdrawn }: Means, { replaced, release }: Soak): Promise<string[]> {
  const out = replaced.filter(({ sha256 }) => withdrawn.has(sha256));
  // Boot loads all that is kept.
  await keptNoMore(task, machine, release, out);
  const now = await status(machine);
  const gone = replaced.filter((one) => !out.includes(one) && now.patches.every(({ name }) => name !== one.name));
  const said = out.map(({ name }) => `${name}: withdrawn, and not brought back`);
  if (gone.some(({ name }) => !now.idle.includes(name))) {
    // As at boot: what is kept goes in.
    const { patches } = await bootPatches(task, machine, patienceOf(configuration));
    said.push(
      ...patches
        .filter(({ name }) => gone.some((one) => one.name === name))
        .map(({ name, outcome, why }) => `${name}: ${outcome} ${why}`.trim()),
    );
  }
  for (const { name } of gone.filter((one) => now.idle.includes(one.name)))
    try {
      await enable(task, machine, name, { unproven: false, stack: false, replace: false, ...patienceOf(configuration) });
      said.push(`${name}: in effect again`);
    } catch (error) {
      if (!(error instanceof SutureError) || error.code === "CANCELLED") throw error;
      said.push(`${name}: ${error.code}, ${error.message}`);
    }
  return said;
}

/** Its soak is over and all was well: from now on boot loads it, and not what it replaced. */
async function keep(means: Means, soak: Soak): Promise<Done[]> {
  const { task, machine, configuration, program } = means;
  const { settleSeconds } = configuration;
  await install(task, machine, pathOf(machine, soak.sha256), { unproven: false, stack: false, settleSeconds, program });
  await accepted(task, machine, soak);
  return [note("keep", soak.name, "done", `all was well for ${soak.seconds} s; boot loads it from now on`)];
}

/** Those of them that are what is kept under their names: boot loads them no more. */
export async function keptNoMore(task: Task, machine: Machine, release: string, those: Soak["replaced"]): Promise<void> {
  const { installed } = await status(machine);
  for (const { name, sha256 } of those)
    if (installed.some((entry) => entry.release === release && entry.name === name && entry.sha256 === sha256))
      await uninstall(task, machine, name, release);
}

/** It is in the store by now: what it replaced goes out of it. */
async function accepted(task: Task, machine: Machine, soak: Soak): Promise<void> {
  const { sha256, name, release } = soak;
  await keptNoMore(
    task,
    machine,
    release,
    soak.replaced.filter((one) => one.name !== name),
  );
  await change(machine, (memory) => withAccepted(memory, soak, new Date()));
  await removeDurably(pathOf(machine, sha256));
}

/** The machine went down in it, or it was withdrawn. */
export async function end(means: Means, { code, why }: Step & { do: "end soak" }): Promise<Done[]> {
  const { task, machine } = means;
  const soak = await soakOf(machine);
  if (code === "AGENT_WITHDRAWN") return leave(means, await failing(machine, soak, { code, why }));
  const { installed } = await status(machine);
  if (installed.some((entry) => entry.release === soak.release && entry.sha256 === soak.sha256)) {
    // It had been kept by then; what is to be said of it now is for the crash guard.
    await accepted(task, machine, soak);
    return [note("keep", soak.name, "done", "it was kept before the machine went down")];
  }
  await refuse(machine, soak, { code, why: soak.failure === null ? why : `${soak.failure.code}, ${soak.failure.why}; ${why}` });
  return [note("soak", soak.name, "failed", why, code)];
}
