/** What became of an edit, as it is kept. */
import type { Result } from "../kept.ts";
import type { Verdict } from "./edit.ts";
import type { Judged } from "./judge.ts";

export interface EditResult extends Judged {
  /** Names its patch, too. */
  id: string;
  kind: string;
  family: string;
  verdict: Verdict;
  path: string;
  what: string;
  ms: number;
  /** Under a workload: what came out, if it was tried. */
  tried?: string;
  triedWhy?: string;
}

const BAD = ["wrong-module", "crash"];

export function keptOf({ id, class: outcome, code, why, ms, ...more }: EditResult): Result {
  const tried = more.tried ?? "passed";
  return {
    name: id,
    // A false refusal is a fault, but one that harms nobody: the summary has them.
    good: !BAD.includes(outcome) && tried === "passed",
    outcome,
    ...(code === undefined ? {} : { code }),
    ...(why === undefined ? {} : { why }),
    ms,
    more,
  };
}

export function resultOf({ name, outcome, code, why, ms, more }: Result): EditResult {
  return {
    ...(more as unknown as Omit<EditResult, "id" | "class" | "code" | "why" | "ms">),
    id: name,
    class: outcome as EditResult["class"],
    ...(code === undefined ? {} : { code }),
    ...(why === undefined ? {} : { why }),
    ms,
  };
}
