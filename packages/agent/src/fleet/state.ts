/** What a machine tells the fleet's server of itself. Pure: of what it is, and of its last run. Without times in it, so that it is the same as long as nothing changes. */
import { createHash } from "node:crypto";
import { type AgentConfiguration, type AgentRun, type HostReportState, hostReportStateSchema, lineOf } from "@suture/protocol";
import * as v from "valibot";
import type { Facts } from "../decision/facts.ts";

/** As it is now: of the kernel that runs. */
export interface Running extends Pick<AgentConfiguration, "fleet" | "channel" | "labels"> {
  release: string;
  buildId: string | undefined;
  /** Of its package. */
  version?: string | undefined;
  hold: string | undefined;
  beatSeconds: number;
  bootId: string;
  /** In the kernel. Who tells the server may not see of which file they are. */
  present: Facts["present"];
  kept: Facts["kept"];
}

/** What it is about to load. */
export type Intent = NonNullable<HostReportState["intent"]>;

/** What the policy makes it wait for: the server knows that better, and each machine would tell it whenever a roll-out goes on. */
const POLICY: ReadonlySet<string> = new Set(["no roll-out", "held", "other ring", "too early", "not its turn", "window"]);

/** @param run its last one, if it was of the kernel that runs: maybe of another boot, or of before what is in the kernel now */
export function reportState(running: Running, run: AgentRun | undefined, intent: Intent | undefined): HostReportState {
  const { fleet, channel, labels, release, buildId, version, hold, beatSeconds, bootId } = running;
  const isOfThisBoot = run?.kernel.bootId === bootId;
  const livepatches = inKernel(running, isOfThisBoot ? (run?.present ?? []) : []);
  const state: HostReportState = {
    release,
    buildId: buildId ?? null,
    ...(version === undefined ? {} : { version: version.slice(0, 100) }),
    fleet,
    channel,
    labels: [...labels],
    beatSeconds,
    intent: intent ?? null,
    soak: soakOf(run),
    livepatches,
    counter: run?.counters[lineOf({ release, buildId: buildId ?? "" })] ?? 0,
    refused: (run?.refused ?? []).map(({ sha256, code, why }) => ({ sha256, code, why: cut(why) })),
    offers: (run?.livepatches ?? []).map(({ sha256, counter, rollout, obstacle, why }) => {
      const waits = obstacle !== undefined && POLICY.has(obstacle);
      return { sha256, counter, rollOut: rollout ?? null, obstacle: waits ? "policy" : (obstacle ?? null), why: waits ? "" : cut(why) };
    }),
    // What is about to be loaded is told before the first run of a boot.
    failed: run === undefined || isOfThisBoot || intent !== undefined ? failedOf(run) : [NOT_RUN],
    rebootWanted: (run?.rebootWanted ?? []).filter((name) => livepatches.some((one) => one.name === name)),
    hold: hold === undefined ? null : cut(hold),
    problem: run?.repository.problem === undefined ? null : { code: run.repository.problem.code, why: cut(run.repository.problem.why) },
  };
  // The newest of what is too many.
  return v.parse(hostReportStateSchema, {
    ...state,
    labels: state.labels.slice(0, 100),
    livepatches: state.livepatches.slice(0, 200),
    refused: state.refused.slice(-50),
    offers: state.offers.slice(0, 20),
    failed: state.failed.slice(0, 20),
    rebootWanted: state.rebootWanted.slice(0, 200),
  });
}

const NOT_RUN: HostReportState["failed"][number] = {
  what: "run",
  name: "",
  code: "",
  why: "the agent has not come to the end of a run since the machine was booted",
};

const failedOf = (run: AgentRun | undefined): HostReportState["failed"] =>
  (run?.done ?? [])
    .filter(({ outcome, code }) => outcome === "failed" || (outcome === "not done" && code !== undefined))
    .map(({ what, name, code, why }) => ({ what, name, code: code ?? "", why: cut(why) }));

/** As it is now; of which file each is, is what the run saw that is under the same name. */
function inKernel({ present, kept }: Running, seen: AgentRun["present"]): HostReportState["livepatches"] {
  return present.map(({ name, sha256: known, inEffect }) => {
    const sha256 = known ?? seen.find((one) => one.name === name)?.sha256 ?? null;
    return { name, sha256, inEffect, kept: kept.some((one) => one.name === name && (sha256 === null || one.sha256 === sha256)) };
  });
}

/**
 * Whether it is time for a beat: once in each of its hours, at a moment of its own. What was told in between moves it by nothing, so that a fleet that had
 * something to tell all at once does not beat all at once from then on: its server takes the share that it hears of for how the network is.
 * @param sent milliseconds, as `now`
 */
export function beatIsDue(sent: number, now: number, beatSeconds: number, machineId: string): boolean {
  const length = beatSeconds * 1000;
  const own = Number.parseInt(machineId.slice(0, 12), 16) % length;
  return Math.floor((now + own) / length) !== Math.floor((sent + own) / length);
}

export const stateDigest = (state: HostReportState): string => createHash("sha256").update(JSON.stringify(state)).digest("hex");

/** By way of bytes, half a character becomes one that stands for it. */
const cut = (text: string): string => Buffer.from(text.replaceAll("\u0000", "").slice(0, 500)).toString();

function soakOf(run: AgentRun | undefined): HostReportState["soak"] {
  if (run === undefined || run.soak === null) return null;
  const { sha256, rollOut, phase, looks, failure } = run.soak;
  const why = failure === null ? null : { code: failure.code, why: cut(failure.why) };
  return { sha256, rollOut, phase, after: looks.at(-1)?.after ?? null, failure: why };
}
