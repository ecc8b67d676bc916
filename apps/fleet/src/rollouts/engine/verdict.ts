/**
 * What becomes of a roll-out next: it waits, goes on, is done, pauses for a cut network, or halts. Decided of numbers alone: a pure function, which any fleet can
 * be put through.
 */
import type { Limits, Stage, Tally } from "@suture/protocol";
import { lowerBound, surplus } from "./chance.ts";

/** How the machines behave that the roll-out does not concern, in the same time. */
export interface Usual {
  /** How many are known, and how many of them are silent for a while. */
  known: number;
  lost: number;
  /** Reports that were to be expected of them lately, by their beats. */
  expected: number;
  heard: number;
  /** How many were heard of within a day, and how many of them are late for their beat: when a network is there again, those that are back report all at once. */
  recent: number;
  overdue: number;
  /** Boots per machine and hour. */
  bootRate: number;
}

/** Of the stage that is on, in numbers of machines: by these it goes on. */
export interface Here {
  /** Took and keep it, and were heard of since the stage began. */
  succeeded: number;
  /** On which it went wrong in any attempt: they do not take it again by themselves. */
  wrong: number;
  /** On their way, heard of or not. */
  open: number;
  exposed: number;
}

export interface Course {
  stages: readonly Stage[];
  limits: Limits;
  /** Which stage is on. */
  stage: number;
  stageHours: number;
  soakSeconds: number;
  /** Of this attempt: what failed in those before a person has looked at. */
  tally: Tally;
  here: Here;
  usual: Usual;
}

export type Verdict =
  | { do: "wait"; why: string }
  | { do: "advance"; why: string }
  | { do: "done"; why: string }
  | { do: "pause"; why: string }
  | { do: "halt"; why: string };

/** Below this many it is not known whether the network is cut. */
const LEAST_EXPECTED = 10;
/** Of what was expected: below it the network is cut, not the machines. */
const CUT = 0.5;
/** In the canary what is less likely than this is no chance; later, where more machines are looked at more often, this. */
const CANARY_CHANCE = 0.01;
const LATER_CHANCE = 0.0005;
const LEAST_SAMPLES = 20;
const LEAST_REFUSALS = 5;
/** Of those exposed: as many may still be on their way when the next stage begins. */
const UNSETTLED = 0.1;

export function verdictOf(course: Course): Verdict {
  return haltOf(course) ?? pauseOf(course) ?? onward(course);
}

/** Of the others as many are not reached now, for what reason ever. */
function missingOf({ expected, heard, recent, overdue }: Usual): number {
  if (expected < LEAST_EXPECTED) return 0;
  return Math.max(0, 1 - heard / expected, recent === 0 ? 0 : overdue / recent);
}

const isCut = (usual: Usual): boolean => missingOf(usual) > 1 - CUT;

/** Machines on which it went wrong, beyond what goes wrong everywhere. */
export function badOf({ stage, soakSeconds, tally, usual }: Course): { booted: number; silent: number; all: number } {
  const likely = stage === 0 ? CANARY_CHANCE : LATER_CHANCE;
  const booted = surplus(tally.booted, (tally.exposed * usual.bootRate * soakSeconds) / 3600, likely);
  // Of a fleet of which little is known one in a hundred may be switched off in a day.
  const off = (usual.lost + 1) / (usual.known + 100);
  const gone = surplus(tally.lost, (tally.succeeded + tally.lost) * off, likely);
  const silent = isCut(usual) ? 0 : surplus(tally.silent, tally.exposed * missingOf(usual), likely) + gone;
  return { booted, silent, all: tally.crashed + tally.failed + booted + silent };
}

/** What stops it, also one that is done. */
export function haltOf(course: Course): Verdict | undefined {
  const { stage, limits, tally } = course;
  const halt = (why: string): Verdict => ({ do: "halt", why });
  const { booted, silent, all } = badOf(course);
  if (stage === 0 && tally.crashed > 0)
    return halt(`the kernel reported trouble on ${tally.crashed} of ${tally.exposed} machines of the first stage`);
  if (stage === 0 && booted > 0) return halt(`${tally.booted} of ${tally.exposed} machines of the first stage went down with it on trial`);
  if (stage === 0 && silent > 0)
    return halt(
      `${tally.silent + tally.lost} of ${tally.exposed} machines of the first stage are silent since they said they would load it`,
    );
  const parts = `${tally.crashed} with trouble in the kernel, ${tally.failed} failed, ${booted} went down, ${silent} silent, beyond what is usual`;
  if (all >= limits.failures) return halt(`it went wrong on ${all} machines, and ${limits.failures} stop it: ${parts}`);
  const judged = tally.succeeded + all;
  const bound = lowerBound(all, judged);
  if (judged >= LEAST_SAMPLES && bound * 100 > limits.failurePercent)
    return halt(
      `it went wrong on ${all} of ${judged} machines, a rate of ${(bound * 100).toFixed(2)} % at least, and ${limits.failurePercent} % stop it: ${parts}`,
    );
  const asked = tally.refused + tally.succeeded;
  if (tally.refused >= LEAST_REFUSALS && lowerBound(tally.refused, asked) * 100 > limits.refusalPercent)
    return halt(
      `${tally.refused} of ${asked} machines would not take it, and more than ${limits.refusalPercent} % stop it: the build may be bad`,
    );
  return undefined;
}

function pauseOf({ usual }: Course): Verdict | undefined {
  if (!isCut(usual)) return undefined;
  return {
    do: "pause",
    why: `${usual.heard} of ${Math.round(usual.expected)} reports came that were to be expected of other machines, and ${usual.overdue} of ${usual.recent} are late: the network is cut`,
  };
}

function onward({ stages, stage, stageHours, tally, here }: Course): Verdict {
  const wait = (why: string): Verdict => ({ do: "wait", why });
  const on = stages[stage];
  if (on === undefined) return wait("no stage is on");
  if (tally.eligible === 0 && here.exposed === 0) return wait(`the stage ${on.name} lets no machine in`);
  // Those on which it went wrong do not take it again by themselves.
  const least = Math.max(1, Math.min(on.leastHosts, tally.eligible - here.wrong));
  if (here.succeeded < least) return wait(`${here.succeeded} of at least ${least} machines have taken and kept it`);
  if (stageHours < on.leastHours) return wait(`the stage lasts ${on.leastHours} h at least`);
  // Chance, perhaps, or their own fault: in the first stage a person says so, by skipping it.
  if (stage === 0 && tally.silent > 0) return wait(`${tally.silent} of ${tally.exposed} machines of the first stage are silent`);
  const wrong = tally.failed + tally.refused;
  if (stage === 0 && wrong > 0) return wait(`${wrong} machines of the first stage did not take it, or it failed on them`);
  if (here.open > here.exposed * UNSETTLED) return wait(`${here.open} of ${here.exposed} machines have not settled yet`);
  const took = stageHours < 1 ? `${Math.ceil(stageHours * 60)} min` : `${stageHours.toFixed(1)} h`;
  const why = `${here.succeeded} ${here.succeeded === 1 ? "machine has" : "machines have"} taken and kept it, in ${took}`;
  return stage + 1 < stages.length ? { do: "advance", why } : { do: "done", why };
}
