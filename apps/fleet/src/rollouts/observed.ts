/** What reports say of roll-outs: a machine that is about to load a livepatch, tries it, keeps it, or does not take it. Within the transaction that keeps the reports. */
import type { HostReportState } from "@suture/protocol";
import type { Within } from "../database/sql.ts";
import type { News } from "../reports/ingest.ts";

export type Outcome = "soaking" | "succeeded" | "failed" | "crashed" | "booted" | "refused";

export interface Observed {
  outcome: Outcome;
  why: string;
}

/** Codes of the agent that say nothing of the livepatch: somebody took it out, or it was withdrawn. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set(["AGENT_TAKEN_OUT", "AGENT_WITHDRAWN"]);
const BY_CODE: Readonly<Record<string, Outcome>> = {
  AGENT_TROUBLE: "crashed",
  AGENT_REBOOTED: "booted",
  HOST_REFUSED: "refused",
  HOST_BAD_MODULE: "refused",
  HOST_OTHER_KERNEL: "refused",
  HOST_UNPROVEN: "refused",
  HOST_FUNCTION_MISSING: "refused",
};

/** @returns undefined where the machine has nothing to do with it, or no more */
export function observed(livepatch: string, now: HostReportState): Observed | undefined {
  const refused = now.refused.find(({ sha256 }) => sha256 === livepatch);
  if (refused !== undefined)
    return NOT_ITS_FAULT.has(refused.code)
      ? undefined
      : { outcome: BY_CODE[refused.code] ?? "failed", why: `${refused.code}: ${refused.why}` };
  // Also of one that was kept: it took the machine down later.
  const quarantined = now.offers.find(({ sha256, obstacle }) => sha256 === livepatch && obstacle === "quarantined");
  if (quarantined !== undefined) return { outcome: "crashed", why: quarantined.why };
  if (now.soak?.sha256 === livepatch) return { outcome: "soaking", why: now.soak.phase };
  if (now.livepatches.some(({ sha256, inEffect, kept }) => sha256 === livepatch && inEffect && kept))
    return { outcome: "succeeded", why: "" };
  if (now.intent?.sha256 === livepatch) return { outcome: "soaking", why: "about to load it" };
  return undefined;
}

interface Active {
  id: string;
  livepatch: string;
  channel: string;
  build_id: string;
  attempt: number;
  stage: number;
}

/** It comes up again, whatever kernel runs then and whatever it remembers, and had it on trial before. */
function isDown(livepatch: string, { bootId, before }: News): boolean {
  return (
    before !== undefined && before.bootId !== bootId && [before.state.soak, before.state.intent].some((one) => one?.sha256 === livepatch)
  );
}

export async function note(within: Within, news: readonly News[]): Promise<void> {
  const active = await within<Active>`
    select id, livepatch, channel, build_id, attempt, stage from rollout where phase in ('rolling', 'paused', 'held', 'done') order by id`;
  if (active.length === 0) return;
  const rows: object[] = [];
  const gone: object[] = [];
  for (const one of news)
    for (const { id, livepatch, channel, build_id, attempt, stage } of active) {
      const { host, now } = one;
      const isItsKernel = ({ channel: own, buildId }: HostReportState): boolean => own === channel && buildId === build_id;
      const wentDown = one.before !== undefined && isItsKernel(one.before.state) && isDown(livepatch, one);
      if (!isItsKernel(now) && !wentDown) continue;
      const told = observed(livepatch, now);
      const found: Observed | undefined =
        wentDown && (told === undefined || told.outcome === "soaking") ? { outcome: "booted", why: "it went down with it on trial" } : told;
      if (found === undefined) gone.push({ rollout: id, host });
      else rows.push({ rollout: id, host, attempt, stage: Math.max(0, stage), outcome: found.outcome, why: found.why.slice(0, 1000) });
    }
  // It said that it would load it, and did not: it is not exposed.
  if (gone.length > 0)
    await within`
      delete from rollout_host using jsonb_to_recordset(${JSON.stringify(gone)}::text::jsonb) as r (rollout text, host text)
      where rollout_host.rollout = r.rollout and rollout_host.host = r.host and rollout_host.outcome = 'soaking'`;
  if (rows.length === 0) return;
  await within`
    insert into rollout_host (rollout, host, attempt, stage, outcome, why)
    select rollout, host, attempt, stage, outcome, why
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (rollout text, host text, attempt integer, stage integer, outcome text, why text)
    on conflict (rollout, host) do update set outcome = excluded.outcome, why = excluded.why, at = now(),
      -- A trial belongs to the attempt in which it began; what goes wrong, to the one in which it does.
      attempt = case when rollout_host.outcome = 'soaking' and excluded.outcome = 'succeeded' then rollout_host.attempt else excluded.attempt end,
      stage = case when rollout_host.outcome <> 'soaking' and excluded.outcome = 'soaking' then excluded.stage else rollout_host.stage end
    where rollout_host.outcome <> excluded.outcome`;
}
