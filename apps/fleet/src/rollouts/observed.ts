/** What reports say of roll-outs: a machine that is about to load a livepatch, tries it, keeps it, or does not take it. Within the transaction that keeps the reports. */
import type { HostReportState, Rollout, RolloutPhase } from "@suture/protocol";
import type { Within } from "../database/sql.ts";
import type { News } from "../reports/ingest.ts";
import { isInvited } from "./engine/invited.ts";

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

const outcomeOf = ({ code, why }: { code: string; why: string }): Observed | undefined =>
  NOT_ITS_FAULT.has(code) ? undefined : { outcome: BY_CODE[code] ?? "failed", why: `${code}: ${why}` };

/** What fails has failed from then on, also where it cannot be taken out again. */
function inSoak({ phase, failure }: NonNullable<HostReportState["soak"]>): Observed | undefined {
  return failure === null ? { outcome: "soaking", why: phase } : outcomeOf(failure);
}

/** @returns undefined where the machine has nothing to do with it, or no more */
export function observed(livepatch: string, now: HostReportState): Observed | undefined {
  const refused = now.refused.find(({ sha256 }) => sha256 === livepatch);
  if (refused !== undefined) return outcomeOf(refused);
  // Also of one that was kept: it took the machine down later.
  const quarantined = now.offers.find(({ sha256, obstacle }) => sha256 === livepatch && obstacle === "quarantined");
  if (quarantined !== undefined) return { outcome: "crashed", why: quarantined.why };
  if (now.soak?.sha256 === livepatch) return inSoak(now.soak);
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
  phase: RolloutPhase;
  attempt: number;
  stage: number;
  salt: string | null;
  rings: Rollout["rings"];
}

interface Row extends Observed {
  rollout: string;
  host: string;
  attempt: number;
  stage: number;
  invited: boolean;
  /** It is of this roll-out by its own word; else it is only if it was before. */
  begins: boolean;
}

/** It comes up again, whatever kernel runs then and whatever it remembers, and had it on trial before. */
function isDown(livepatch: string, { bootId, before }: News): boolean {
  return (
    before !== undefined && before.bootId !== bootId && [before.state.soak, before.state.intent].some((one) => one?.sha256 === livepatch)
  );
}

/** @returns undefined where it is not concerned; "gone": it has nothing to do with it any more */
function rowOf({ id, livepatch, channel, build_id, phase, attempt, stage, salt, rings }: Active, news: News): Row | "gone" | undefined {
  const { host, machineId, labels, told, now, before } = news;
  const isItsKernel = ({ channel: own, buildId }: HostReportState): boolean => own === channel && buildId === build_id;
  const wentDown = before !== undefined && isItsKernel(before.state) && isDown(livepatch, news);
  if (!isItsKernel(now) && !wentDown) return undefined;
  const said = observed(livepatch, now);
  const found: Observed | undefined =
    wentDown && (said === undefined || said.outcome === "soaking") ? { outcome: "booted", why: "it went down with it on trial" } : said;
  if (found === undefined) return "gone";
  // What came some other way is no success of the roll-out; what goes wrong is never too much to know.
  const begins =
    phase === "done" ||
    (found.outcome !== "succeeded" && found.outcome !== "soaking") ||
    told.some(({ intent, soak }) => intent?.rollOut === id || soak?.rollOut === id);
  const invited = phase === "done" || isInvited({ salt, rings }, { machineId, labels: labels.filter((one) => now.labels.includes(one)) });
  return { rollout: id, host, attempt, stage: Math.max(0, stage), invited, begins, outcome: found.outcome, why: found.why.slice(0, 1000) };
}

export async function note(within: Within, news: readonly News[]): Promise<void> {
  const active = await within<Active>`
    select id, livepatch, channel, build_id, phase, attempt, stage, salt, rings from rollout
    where phase in ('rolling', 'paused', 'held', 'done') order by id`;
  const rows: Row[] = [];
  const gone: object[] = [];
  for (const one of news)
    for (const rollout of active) {
      const row = rowOf(rollout, one);
      if (row === "gone") gone.push({ rollout: rollout.id, host: one.host });
      else if (row !== undefined) rows.push(row);
    }
  // It said that it would load it, and did not: it is not exposed.
  if (gone.length > 0)
    await within`
      delete from rollout_host using jsonb_to_recordset(${JSON.stringify(gone)}::text::jsonb) as r (rollout text, host text)
      where rollout_host.rollout = r.rollout and rollout_host.host = r.host and rollout_host.outcome = 'soaking'`;
  if (rows.length === 0) return;
  await within`
    insert into rollout_host (rollout, host, attempt, stage, invited, outcome, why)
    select rollout, host, attempt, stage, invited, outcome, why
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      as r (rollout text, host text, attempt integer, stage integer, invited boolean, begins boolean, outcome text, why text)
    where r.begins or exists (select from rollout_host x where x.rollout = r.rollout and x.host = r.host)
    on conflict (rollout, host) do update set outcome = excluded.outcome, why = excluded.why, at = now(),
      -- A trial belongs to the attempt in which it began; what goes wrong, to the one in which it does.
      attempt = case when rollout_host.outcome = 'soaking' and excluded.outcome = 'succeeded' then rollout_host.attempt else excluded.attempt end,
      stage = case when rollout_host.outcome <> 'soaking' and excluded.outcome = 'soaking' then excluded.stage else rollout_host.stage end,
      invited = rollout_host.invited or excluded.invited
    where rollout_host.outcome <> excluded.outcome`;
}
