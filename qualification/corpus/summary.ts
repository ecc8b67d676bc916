/** What came out, by class, and where it is not what the corpus' manifest has. */

import type { Kept } from "../kept.ts";
import type { FixResult } from "./build.ts";
import type { Fix } from "./manifest.ts";

export interface Summary {
  fixes: number;
  done: number;
  /** Class → outcome or code → how many. */
  classes: Record<string, Record<string, number>>;
  /** Fixes whose replaced functions are not those that the manifest has as changed. */
  differences: { name: string; only_here: string[]; only_in_manifest: string[] }[];
  /** All that did not go in and out. */
  others: { name: string; class: string; outcome: string; code?: string | undefined; why?: string | undefined }[];
}

export function summarise(fixes: readonly Fix[], kept: Kept): Summary {
  const classes: Summary["classes"] = {};
  const summary: Summary = { fixes: fixes.length, done: 0, classes, differences: [], others: [] };
  for (const fix of fixes) {
    const result = kept.get(fix.name) as FixResult | undefined;
    if (result === undefined) continue;
    summary.done++;
    const key = result.code ?? result.outcome;
    classes[fix.class] ??= {};
    const row = classes[fix.class] as Record<string, number>;
    row[key] = (row[key] ?? 0) + 1;
    if (result.outcome !== "passed")
      summary.others.push({ name: fix.name, class: fix.class, outcome: result.outcome, code: result.code, why: result.why });
    const difference = differenceOf(fix, result);
    if (difference !== undefined) summary.differences.push(difference);
  }
  return summary;
}

function differenceOf(fix: Fix, result: FixResult): Summary["differences"][number] | undefined {
  if (result.more.functions.length === 0) return undefined;
  const theirs = new Set(fix.changed_functions.filter((f) => f.kind === "text").map((f) => `${f.obj}:${f.name}`));
  const ours = new Set(result.more.functions);
  const onlyHere = [...ours].filter((name) => !theirs.has(name));
  const onlyThere = [...theirs].filter((name) => !ours.has(name));
  return onlyHere.length + onlyThere.length === 0 ? undefined : { name: fix.name, only_here: onlyHere, only_in_manifest: onlyThere };
}
