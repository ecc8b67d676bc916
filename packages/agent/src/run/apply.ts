/** One run of the half that may change the kernel: verify what was fetched, decide, and do it. It asks no network. */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { lockFile } from "@suture/files";
import { type Machine, status } from "@suture/host";
import type { AgentRun } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fetchTarget } from "@suture/trust";
import { decide, type Step } from "../decision/decide.ts";
import { fail } from "../errors.ts";
import { LOCK, MIRROR } from "../layout.ts";
import { factsOf } from "../machine-facts.ts";
import { readMemory, writeMemory } from "../memory.ts";
import { writeReport } from "../report/report.ts";
import { type RunFound, runReport } from "./run-report.ts";
import { begin, type Done, end, keptNoMore, type Means, proceed, takeOut } from "./soak.ts";
import { fetchedSource, problemOf, trustedTruth } from "./trusted.ts";

/**
 * What it did is kept as a report as well, and for a Prometheus collector.
 * @throws AGENT_BUSY, AGENT_CONFIGURATION, AGENT_MEMORY, HOST_*: then nothing was done
 */
export async function apply(asked: Omit<Means, "withdrawn">): Promise<AgentRun> {
  const { task, machine, configuration } = asked;
  return alone(task, machine.path(LOCK), async () => {
    const memory = await readMemory(machine);
    const facts = await factsOf(machine, configuration);
    const trusted = await trustedTruth(task, machine, configuration, facts.buildId, new Date());
    const decision = decide(facts, trusted.truth, memory, trusted.at);
    const means: Means = { ...asked, withdrawn: decision.withdrawn };
    const done: Done[] = [];
    for (const step of decision.steps) done.push(...(await taken(means, step)));
    const report = await reportOf(machine, { facts, trusted, decision, done });
    // What was done is done, and is printed.
    await writeReport(machine, configuration, report).catch((error: unknown) =>
      task.reporter.warn(`the report cannot be written: ${error instanceof Error ? error.message : String(error)}`),
    );
    return report;
  });
}

/** Who finds another run at work is not needed. */
export async function alone<T>(task: Task, path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a+", 0o644);
  try {
    if (!(await lockFile(task, file, 0))) throw fail("AGENT_BUSY", "it holds the lock", { file: path });
    return await work();
  } finally {
    await file.close();
  }
}

/** What fails is told, and the next step is taken all the same. @throws CANCELLED */
async function taken(means: Means, step: Step): Promise<Done[]> {
  try {
    return await take(means, step);
  } catch (error) {
    const { code, why } = problemOf(error);
    const memory = await readMemory(means.machine).catch(() => undefined);
    const name = step.do === "load" ? step.offer.custom.name : step.do === "take out" ? step.name : (memory?.soak?.name ?? "");
    return [{ what: step.do === "end soak" ? "soak" : step.do, name, outcome: "not done", code, why }];
  }
}

async function take(means: Means, step: Step): Promise<Done[]> {
  const { task, machine } = means;
  switch (step.do) {
    case "end soak":
      return end(means, step);
    case "soak":
      return proceed(means);
    case "load":
      return begin(means, step, await fetchTarget(task, step.offer, [fetchedSource(machine.path(MIRROR))]));
    case "take out":
      return takeBack(means, step);
  }
}

async function takeBack(
  { task, machine, configuration }: Means,
  { name, sha256, release, action, why }: Step & { do: "take out" },
): Promise<Done[]> {
  // A store that cannot be written does not keep it in effect.
  const problem = await keptNoMore(task, machine, release, [{ name, sha256 }]).then(
    () => undefined,
    (error: unknown) => error,
  );
  task.check();
  const there = (await status(machine)).patches.find((patch) => patch.name === name && patch.sha256 === sha256);
  if (action !== "keep-reboot-wanted" && there !== undefined)
    await takeOut(task, machine, name, { timeoutMs: configuration.transitionSeconds * 1000, onTimeout: "reverse" });
  if (problem !== undefined) throw problem;
  const memory = await readMemory(machine);
  await writeMemory(machine, { ...memory, accepted: memory.accepted.filter((one) => one.sha256 !== sha256) });
  return [
    {
      what: "take out",
      name,
      outcome: "done",
      why: action === "keep-reboot-wanted" && there !== undefined ? `${why}; it stays until the machine is booted again` : why,
    },
  ];
}

async function reportOf(machine: Machine, found: Omit<RunFound, "present" | "memory">): Promise<AgentRun> {
  const { kernel, patches, idle, installed } = await status(machine);
  const isKept = (name: string): boolean => installed.some((entry) => entry.release === kernel.release && entry.name === name);
  const present = [
    ...patches.map(({ name, sha256, enabled, transition }) => ({
      name,
      sha256,
      inEffect: enabled && transition === undefined,
      kept: isKept(name),
    })),
    ...idle.map((name) => ({ name, sha256: undefined, inEffect: false, kept: isKept(name) })),
  ];
  return runReport({ ...found, present, memory: await readMemory(machine) });
}

/** Whether somebody should look. */
export function isFine({ done, repository }: AgentRun): boolean {
  return (
    repository.problem === undefined &&
    done.every(({ outcome, code }) => outcome !== "failed" && (outcome === "done" || code === undefined))
  );
}
