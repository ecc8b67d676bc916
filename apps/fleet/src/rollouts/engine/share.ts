/** How far a stage goes, as the policy says it: shares of ten thousand, by which each machine decides alone. Pure. */
import type { Rollout, Stage } from "@suture/protocol";

const ALL = 10_000;

/** @param places of the machines that the stage is for, in this roll-out */
export function shareOf(stage: Stage, places: readonly number[]): number {
  if (stage.percent !== undefined) return Math.round((stage.percent * ALL) / 100);
  const sorted = [...places].sort((a, b) => a - b);
  // Two machines may have one place: rather fewer than more. Where all that are known get it, those that come later and lie behind them do not.
  return sorted[stage.hosts ?? 0] ?? (sorted.at(-1) ?? -1) + 1;
}

/**
 * The rings of a policy when the stages up to `on` are open. A machine is in the first ring whose label it bears: labels that were open stay open, the newest
 * share of each counts, and never one that is smaller than before.
 */
export function ringsOf(stages: readonly Stage[], on: number, placesOf: (label: string) => readonly number[]): Rollout["rings"] {
  const shares = new Map<string, number>();
  for (const stage of stages.slice(0, on + 1))
    shares.set(stage.label, Math.max(shares.get(stage.label) ?? 0, shareOf(stage, placesOf(stage.label))));
  const everyone = shares.get("all") ?? 0;
  const rings = [...shares].filter(([label]) => label !== "all").map(([label, share]) => ({ label, share: Math.max(share, everyone) }));
  return [...rings, { label: "all", share: everyone }];
}
