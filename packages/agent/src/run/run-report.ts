/** What a run did, as it is kept and told. Pure. */
import type { AgentMemory, AgentRun } from "@suture/protocol";
import type { Decision } from "../decision/decide.ts";
import { type Facts, isTruth } from "../decision/facts.ts";
import type { Trusted } from "./trusted.ts";

export interface RunFound {
  facts: Facts;
  trusted: Trusted;
  decision: Decision;
  done: AgentRun["done"];
  /** In the kernel when the run ended, and what is remembered then. */
  present: AgentRun["present"];
  memory: AgentMemory;
}

export function runReport({ facts, trusted, decision, done, present, memory }: RunFound): AgentRun {
  const { truth, problem, roles, reached, warnings, at } = trusted;
  const { "suture-agent-memory": _, ...remembered } = memory;
  const withdrawn = isTruth(truth) ? truth.withdrawals.entries : [];
  return {
    at: at.toISOString(),
    kernel: { release: facts.release, buildId: facts.buildId, bootId: facts.bootId },
    fleet: facts.fleet,
    channel: facts.channel,
    why: decision.why,
    done,
    warnings: [...new Set([...warnings, ...decision.warnings])],
    repository: { reached, problem, roles },
    livepatches: decision.verdicts.map(({ offer, rollout, obstacle, why }) => ({
      path: offer.path,
      sha256: offer.sha256,
      counter: offer.custom.counter,
      rollout: rollout?.id,
      obstacle,
      why,
    })),
    present,
    rebootWanted: present.filter(({ sha256 }) => withdrawn.some((one) => one.sha256 === sha256)).map(({ name }) => name),
    ...remembered,
  };
}
