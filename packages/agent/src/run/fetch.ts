/** One run of the half that talks to the network, as a user who may do nothing else: what is new, verified, and laid where root reads it. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { exists, makeFolderDurably, sha256, writeAtomic } from "@suture/files";
import type { Machine } from "@suture/host";
import { type AgentConfiguration, type AgentFetch, agentFetchDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fetchTarget, keepingSource, refresh, type Source, sourceOf, type Verified } from "@suture/trust";
import { type Decision, decide, intentOf, wanted } from "../decision/decide.ts";
import { fail } from "../errors.ts";
import { tellServer } from "../fleet/tell.ts";
import { FETCH_LOCK, FETCH_REPORT, FETCH_TRUST, MIRROR } from "../layout.ts";
import { factsOf } from "../machine-facts.ts";
import { readMemory } from "../memory.ts";
import { alone } from "./apply.ts";
import { sweepMirror } from "./sweep.ts";
import { fetchedSource, openStore, problemOf } from "./trusted.ts";

/** What goes wrong with the repository is in the report, for root as well. @throws AGENT_*, CANCELLED */
export async function fetchNews(task: Task, machine: Machine, configuration: AgentConfiguration): Promise<AgentFetch> {
  const mirror = machine.path(MIRROR);
  try {
    await makeFolderDurably(mirror, 0o755);
  } catch (cause) {
    throw fail("AGENT_FETCHED", cause instanceof Error ? cause.message : String(cause), { file: mirror }, { cause });
  }
  return alone(task, machine.path(FETCH_LOCK), async () => {
    const report = await fetched(task, machine, configuration);
    const file = machine.path(FETCH_REPORT);
    await writeAtomic(file, `${JSON.stringify(agentFetchDocument.of(report), undefined, 1)}\n`, 0o644).catch((cause: unknown) => {
      throw fail("AGENT_FETCHED", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
    });
    return report;
  });
}

async function fetched(task: Task, machine: Machine, configuration: AgentConfiguration): Promise<AgentFetch> {
  const at = new Date();
  const mirror = machine.path(MIRROR);
  let received = 0;
  const counting = (source: Source): Source => ({
    name: source.name,
    async read(of, path, limit) {
      const bytes = await source.read(of, path, limit);
      received += bytes?.length ?? 0;
      return bytes;
    },
  });
  const sources = configuration.repositories.map((place) =>
    keepingSource(counting(sourceOf(place, { proxy: configuration.proxy })), mirror),
  );
  try {
    // What is trusted is not asked for again: a mirror that was emptied begins anew.
    const trust = machine.path(FETCH_TRUST);
    if (!(await exists(join(mirror, "metadata")))) await rm(trust, { recursive: true, force: true });
    const store = await openStore(trust, machine.path(configuration.root));
    const facts = await factsOf(machine, configuration);
    const verified = await refresh(task, { store, now: at, buildId: facts.buildId }, sources);
    const { policy, withdrawals, patches, refused } = verified;
    const truth = { policy, withdrawals, offers: patches, expired: refused[0]?.message, announced: undefined };
    // What was loaded is for root alone to know; what is kept is for all to see, and is not fetched again.
    const present = facts.kept.map(({ name, sha256: of }) => ({ name, sha256: of, inEffect: true }));
    const decision = decide({ ...facts, present, watched: false }, truth, await readMemory(machine), verified.at);
    const offers = wanted(decision);
    for (const offer of offers) {
      const here = await fetchTarget(task, offer, [fetchedSource(mirror)]).catch(() => undefined);
      if (here === undefined || sha256(here) !== offer.sha256) await fetchTarget(task, offer, sources);
    }
    await sweepMirror(mirror, verified.expiries, offers);
    const told = await announced(task, machine, configuration, decision);
    return {
      at: at.toISOString(),
      good: true,
      ...found(verified),
      warnings: [...verified.warnings, ...told.warnings],
      announced: told.announced,
      livepatches: offers.map(({ path, sha256: of, length }) => ({ path, sha256: of, bytes: length })),
      received,
    };
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw fail("AGENT_FETCHED", error.message, { file: mirror }, { cause: error });
    return { at: at.toISOString(), good: false, problem: problemOf(error), roles: [], livepatches: [], received, warnings: [] };
  }
}

/** What is about to be loaded is told before: a machine that is not heard of after that is missed. */
async function announced(
  task: Task,
  machine: Machine,
  configuration: AgentConfiguration,
  decision: Decision,
): Promise<Pick<AgentFetch, "announced" | "warnings">> {
  const intent = intentOf(decision);
  if (intent === undefined) return { announced: undefined, warnings: [] };
  const report = await tellServer(task, machine, configuration, intent);
  if (report?.outcome !== "not told") return { announced: report === undefined ? undefined : intent, warnings: [] };
  return { announced: undefined, warnings: [`the fleet's server was not told: ${report.why}`] };
}

const found = ({ expiries, warnings }: Verified): Pick<AgentFetch, "problem" | "roles" | "warnings"> => ({
  problem: undefined,
  roles: expiries,
  warnings,
});
