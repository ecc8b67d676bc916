/** A roll-out: which livepatch goes how far, when it goes further, and when it stops by itself. */
import * as v from "valibot";
import { windowSchema } from "../repository/policy.ts";
import { maybe, said } from "../said.ts";
import { count, digest, label, line, time, word } from "./parts.ts";

const text = v.string();
const percent = v.pipe(v.number(), v.minValue(0.01), v.maxValue(100));
const hours = v.pipe(v.number(), v.minValue(0), v.maxValue(24 * 365));

export const stageSchema = v.pipe(
  v.strictObject({
    name: word,
    label: v.optional(said(label, "machines that bear it by their enrolment and in their agent.json; all: every machine"), "all"),
    percent: maybe(said(percent, "of those machines")),
    hosts: maybe(said(v.pipe(v.number(), v.safeInteger(), v.minValue(1)), "so many of them, counted: for small fleets")),
    leastHosts: v.optional(said(count, "that have taken and kept it, before the next stage begins; all of the stage if it has fewer"), 1),
    leastHours: v.optional(said(hours, "that the stage lasts"), 0),
  }),
  v.check(({ percent: share, hosts }) => (share === undefined) !== (hosts === undefined), "a stage has either percent or hosts"),
);
export type Stage = v.InferOutput<typeof stageSchema>;

export const limitsSchema = v.strictObject({
  failures: v.optional(
    said(
      v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      "so many machines on which it failed stop it, whatever their rate; 3 unless given",
    ),
    3,
  ),
  failurePercent: v.optional(said(percent, "the lower bound of the rate of failures above this stops it; 0.5 unless given"), 0.5),
  refusalPercent: v.optional(said(percent, "machines that would not take it, above this: the build is bad; 5 unless given"), 5),
  silentMinutes: v.optional(
    said(
      v.pipe(v.number(), v.minValue(15), v.maxValue(24 * 60)),
      "without a word after a load is announced: it counts as failed; 25 unless given",
    ),
    25,
  ),
});
export type Limits = v.InferOutput<typeof limitsSchema>;

export const newRolloutSchema = v.strictObject({
  id: word,
  livepatch: said(digest, "SHA-256, of one that the role patches has signed"),
  channel: v.optional(word, "stable"),
  stages: v.pipe(
    v.array(stageSchema),
    v.minLength(1),
    v.maxLength(32),
    // When it is done, the policy says so, and all take it.
    v.check((stages) => stages.at(-1)?.label === "all" && stages.at(-1)?.percent === 100, "the last stage is all machines, at 100 percent"),
  ),
  limits: v.optional(limitsSchema, {}),
  soak: v.optional(said(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(30 * 86_400)), "seconds; 900 unless given"), 900),
  windows: v.optional(v.pipe(v.array(windowSchema), v.maxLength(64)), []),
  note: v.optional(line),
});
export type NewRollout = v.InferOutput<typeof newRolloutSchema>;

/** What other people approve: skip and promote of a roll-out in the stage in which it is. */
export const APPROVABLE = ["start", "skip", "promote"] as const;
export type Approvable = (typeof APPROVABLE)[number];

export const ROLLOUT_PHASES = ["draft", "approved", "rolling", "paused", "held", "done", "withdrawn"] as const;
export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

export const tallySchema = v.strictObject({
  exposed: said(count, "machines that said they would load it"),
  succeeded: said(count, "took and keep it, and are heard of"),
  soaking: said(count, "have it on trial, or are about to"),
  failed: said(count, "it failed, or a probe did"),
  crashed: said(count, "the kernel reported trouble"),
  booted: said(count, "went down with it on trial"),
  refused: said(count, "would not take it: it is not for them, or is badly made"),
  silent: said(count, "were not heard of after they said they would load it"),
  lost: said(count, "took it, and are silent since, for less than a day"),
  eligible: said(count, "machines that the stage let in when it began, and none before it"),
});
export type Tally = v.InferOutput<typeof tallySchema>;

export const fleetRolloutSchema = v.strictObject({
  ...newRolloutSchema.entries,
  phase: said(v.picklist(ROLLOUT_PHASES), "paused: the network is cut, it goes on by itself; held: a person resumes it"),
  why: said(text, "of its phase"),
  stage: said(v.number(), "which one is on, from 0; -1: none yet"),
  stageSince: v.nullable(time),
  attempt: said(v.number(), "resumed after a hold it is another one: failures of those before do not count"),
  kernel: v.strictObject({ release: text, buildId: text }),
  counter: v.number(),
  production: said(v.boolean(), "it takes two people to approve it, and none of them is the one who made it"),
  madeBy: text,
  made: time,
  approvedBy: v.array(v.strictObject({ what: v.picklist(APPROVABLE), who: text })),
  tally: tallySchema,
});
export type FleetRollout = v.InferOutput<typeof fleetRolloutSchema>;
export const fleetRolloutsSchema = v.strictObject({ rollouts: v.array(fleetRolloutSchema) });
