/** Documents of the agent: reports of its runs, which it also keeps as files. */
import * as v from "valibot";
import { agentMemorySchema, probeSchema } from "../agent.ts";
import { maybe, said } from "../said.ts";
import { documentKind, type Said } from "./document.ts";
import { buildId, flag, number, release, sha256, text, texts } from "./parts.ts";

const time = said(text, "such as 2026-01-31T23:59:59.000Z");
const code = said(text, "of docs/errors.md");

const roles = said(
  v.array(v.strictObject({ role: text, version: number, expires: time, state: v.picklist(["good", "soon", "expired"]) })),
  "of the repository's metadata",
);

const problem = maybe(said(v.strictObject({ code, why: text }), "why the repository cannot be believed now; what was known before holds"));

const fetch = {
  at: time,
  good: said(flag, "the repository was reached, and what it says is verified"),
  problem,
  roles,
  livepatches: said(v.array(v.strictObject({ path: text, sha256, bytes: number })), "that this machine may want, and are here"),
  received: said(number, "bytes that came in this run"),
  announced: maybe(
    said(v.strictObject({ sha256, rollOut: text }), "what is to be loaded, as the fleet's server was told and has acknowledged"),
  ),
  warnings: texts,
};

export const agentFetchDocument = documentKind("agent-fetch", 1, "`suture agent fetch`: the repository was asked what is new.", fetch);

const { "suture-agent-memory": _, soak, ...remembered } = agentMemorySchema.entries;

const run = {
  at: time,
  kernel: v.strictObject({ release, buildId: maybe(buildId), bootId: maybe(said(text, "of /proc/sys/kernel/random/boot_id")) }),
  fleet: text,
  channel: text,
  why: said(text, "what was to be done; or why there was nothing"),
  done: said(
    v.array(
      v.strictObject({
        what: v.picklist(["load", "soak", "keep", "take out"]),
        name: said(text, "of the livepatch"),
        outcome: said(v.picklist(["done", "failed", "not done"]), "not done: it is tried again at the next run"),
        code: maybe(code),
        why: text,
      }),
    ),
    "in this order",
  ),
  warnings: texts,
  repository: v.strictObject({ reached: maybe(said(text, "when, the last time")), problem, roles }),
  livepatches: said(
    v.array(
      v.strictObject({
        path: text,
        sha256,
        counter: number,
        rollout: maybe(text),
        obstacle: maybe(said(text, "absent where it is to be loaded")),
        why: text,
      }),
    ),
    "of the repository for this kernel, the newest first, and what this machine makes of each",
  ),
  present: said(
    v.array(v.strictObject({ name: text, sha256: maybe(sha256), inEffect: flag, kept: said(flag, "it is loaded at boot") })),
    "in the kernel when the run ended",
  ),
  rebootWanted: said(texts, "withdrawn livepatches that are still in the kernel"),
  soak,
  ...remembered,
};

export const agentRunDocument = documentKind("agent-run", 1, "`suture agent run`, `suture agent apply`: what the agent did, and why.", run);

export const agentStatusDocument = documentKind(
  "agent-status",
  1,
  "`suture agent status`: what the agent did last, and what it waits for.",
  {
    hold: maybe(said(text, "why nothing is changed on this machine")),
    run: maybe(v.strictObject({ ...run, schema: text })),
    fetch: maybe(v.strictObject({ ...fetch, schema: text })),
    soak,
    ...remembered,
  },
);

export const agentProbeDocument = documentKind("agent-probe", 1, "`suture agent probe`: whether the machine does its work.", {
  probes: v.array(v.strictObject({ name: probeSchema.entries.name, good: flag, why: text })),
});

export const agentRetryDocument = documentKind("agent-retry", 1, "`suture agent retry`: a livepatch that this machine may take again.", {
  name: text,
  sha256,
});

export const agentReportDocument = documentKind(
  "agent-report",
  1,
  "`suture agent report`: the fleet's server was told how this machine is.",
  {
    server: text,
    host: maybe(said(text, "this machine's id there")),
    outcome: v.picklist(["told", "still the same", "nothing new", "not told"]),
    code: maybe(code),
    why: text,
  },
);

export type AgentReport = Said<typeof agentReportDocument>;
export type AgentFetch = Said<typeof agentFetchDocument>;
export type AgentRun = Said<typeof agentRunDocument>;
export type AgentStatus = Said<typeof agentStatusDocument>;
export type ProbeFound = Said<typeof agentProbeDocument>["probes"][number];
export type AgentRetry = Said<typeof agentRetryDocument>;
