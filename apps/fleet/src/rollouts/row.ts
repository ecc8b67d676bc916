/** A roll-out as the database has it. */
import { type NewRollout, newRolloutSchema, type Rollout, type RolloutPhase } from "@suture/protocol";
import * as v from "valibot";

export interface RolloutRow {
  id: string;
  plan: unknown;
  livepatch: string;
  release: string;
  build_id: string;
  counter: number;
  channel: string;
  salt: string | null;
  rings: Rollout["rings"];
  /** The stage whose rings these are. */
  rings_of: number;
  eligible: number;
  phase: RolloutPhase;
  why: string;
  stage: number;
  stage_since: Date | null;
  attempt: number;
  production: boolean;
  made_by: string;
  made_by_person: string;
  made_at: Date;
}

export const planOf = ({ plan }: RolloutRow): NewRollout => v.parse(newRolloutSchema, plan);
