/** A roll-out for one who changes it. */
import type { RolloutPhase } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { RolloutRow } from "./row.ts";

/** Of other phases it is refused. @throws FLEET_NONE, FLEET_STATE */
export async function locked(within: Within, id: string, phases: readonly RolloutPhase[], what: string): Promise<RolloutRow> {
  const [row] = await within<RolloutRow>`select * from rollout where id = ${id} for update`;
  if (row === undefined) throw fail("FLEET_NONE", `there is no roll-out ${id}`);
  if (!phases.includes(row.phase))
    throw fail("FLEET_STATE", `${what} is for one that is ${phases.join(" or ")}; ${id} is ${row.phase}: ${row.why}`);
  return row;
}

export interface Step {
  id: string;
  phase?: RolloutPhase;
  why: string;
  stage?: number;
  attempt?: number;
  /** Its hours begin anew. */
  since?: true;
}

/** With each step what was approved before is used up, or is of something else. */
export async function change(within: Within, who: string, what: string, { id, ...fields }: Step): Promise<void> {
  const { phase = null, why, stage = null, attempt = null, since = false } = fields;
  await within`
    update rollout set phase = coalesce(${phase}, phase), why = ${why}, stage = coalesce(${stage}::integer, stage),
      attempt = coalesce(${attempt}::integer, attempt), stage_since = case when ${since}::boolean then clock_timestamp() else stage_since end
    where id = ${id}`;
  await within`delete from rollout_approval where rollout = ${id}`;
  await audit(within, { who, what, about: id, detail: fields });
}
