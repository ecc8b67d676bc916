/** Roll-outs: made, approved, started, held, and looked at. */
import { APPROVABLE, fleetRolloutsSchema, newRolloutSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import { SEERS } from "../users/roles.ts";
import { ACTS, type Act, actOn, type Rolling, steered } from "./acts.ts";
import { approve } from "./approvals.ts";
import { makeRollout, rollouts } from "./store.ts";

const params = v.strictObject({ id: v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/)) });
const why = v.pipe(v.string(), v.minLength(1), v.maxLength(500));
const whyBody = v.strictObject({ why });
const skipBody = v.strictObject({
  why,
  stage: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.description("the one that is on: of two who skip it one does")),
});
const approvalBody = v.strictObject({
  what: v.optional(v.pipe(v.picklist(APPROVABLE), v.description("start is resuming as well; start unless given")), "start"),
});
const outAnswer = v.strictObject({
  published: v.pipe(v.boolean(), v.description("the policy that says so is out; else it will be as soon as it can be")),
});

const BODIES = { start: whyBody, hold: whyBody, resume: whyBody, skip: skipBody, promote: whyBody, withdraw: whyBody } as const;

export function rolloutRoutes(sql: Sql, rolling: Rolling): Route[] {
  const { trialChannels } = rolling;
  const act = (name: Act): Route =>
    route({
      method: "POST",
      path: `/v1/rollouts/:id/${name}`,
      what: ACTS[name].what,
      who: ACTS[name].who,
      params,
      body: BODIES[name],
      answer: outAnswer,
      handle: async ({ principal, params: { id }, body }) => ({
        published: await actOn(sql, rolling, name, principal.name, id, { why: body.why, stage: "stage" in body ? body.stage : undefined }),
      }),
    });
  return [
    route({
      method: "GET",
      path: "/v1/rollouts",
      what: "All roll-outs, the newest first",
      who: SEERS,
      answer: fleetRolloutsSchema,
      handle: async () => ({ rollouts: await rollouts(sql) }),
    }),
    route({
      method: "GET",
      path: "/v1/rollouts/:id",
      what: "A roll-out: where it is, and what its machines say",
      who: SEERS,
      params,
      answer: fleetRolloutsSchema,
      handle: async ({ params: { id } }) => {
        const found = await rollouts(sql, id);
        if (found.length === 0) throw fail("FLEET_NONE", `there is no roll-out ${id}`);
        return { rollouts: found };
      },
    }),
    route({
      method: "POST",
      path: "/v1/rollouts",
      what: "A new roll-out of a livepatch that is signed and published; nothing happens before it is approved and started",
      who: ["operator"],
      body: newRolloutSchema,
      handle: async ({ principal, body }) => {
        const repository = steered(rolling);
        const { rollouts: known } = await repository.policy();
        await makeRollout(sql, principal, body, { livepatches: await repository.livepatches(), rollouts: known, trialChannels });
      },
    }),
    route({
      method: "POST",
      path: "/v1/rollouts/:id/approve",
      what: "Somebody who has not made it approves its next step; production takes two",
      who: ["releaser"],
      params,
      body: approvalBody,
      answer: v.strictObject({ needed: v.pipe(v.number(), v.description("so many more")) }),
      handle: async ({ principal, params: { id }, body: { what } }) => approve(sql, principal, id, what),
    }),
    ...(Object.keys(ACTS) as Act[]).map(act),
  ];
}
