/** Roll-outs: made, approved, started, held, and looked at. */
import { APPROVABLE, fleetRolloutsSchema, newRolloutSchema } from "@suture/protocol";
import type { Logger } from "pino";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import type { Steering } from "../steering/steering.ts";
import { ROLES, type Role } from "../users/roles.ts";
import { approve } from "./approvals.ts";
import { hold, makeRollout, promote, resume, rollouts, skip, start, withdrawRollout } from "./store.ts";
import { tick } from "./tick.ts";

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

/** @throws FLEET_STEERING */
function steered(steering: Steering | undefined): Steering {
  if (steering === undefined) throw fail("FLEET_STEERING", "the server was given no repository");
  return steering;
}

export interface Rolling {
  steering: Steering | undefined;
  trialChannels: readonly string[];
  log: Logger;
}

export function rolloutRoutes(sql: Sql, { steering, trialChannels, log }: Rolling): Route[] {
  // It is decided all the same, and is out as soon as it can be.
  const failed = (error: unknown): false => {
    log.error({ err: error }, "the policy cannot be published");
    return false;
  };
  const act = <B extends v.GenericSchema<unknown, { why: string }>>(
    name: string,
    what: string,
    who: readonly Role[],
    body: B,
    work: (who: string, id: string, body: v.InferOutput<B>) => Promise<void>,
  ): Route =>
    route({
      method: "POST",
      path: `/v1/rollouts/:id/${name}`,
      what,
      who,
      params,
      body,
      answer: outAnswer,
      handle: async ({ principal, params: { id }, body: given }) => {
        const by = steered(steering);
        await work(principal.name, id, given);
        return { published: await tick(sql, by).catch(failed) };
      },
    });
  return [
    route({
      method: "GET",
      path: "/v1/rollouts",
      what: "All roll-outs, the newest first",
      who: ROLES,
      answer: fleetRolloutsSchema,
      handle: async () => ({ rollouts: await rollouts(sql) }),
    }),
    route({
      method: "GET",
      path: "/v1/rollouts/:id",
      what: "A roll-out: where it is, and what its machines say",
      who: ROLES,
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
        const repository = steered(steering);
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
    act("start", "Its first stage begins", ["operator"], whyBody, (who, id, { why: given }) => start(sql, who, id, given)),
    act("hold", "Nothing more is loaded by it; one person is enough", ["operator", "releaser"], whyBody, (who, id, { why: given }) =>
      hold(sql, who, id, given),
    ),
    act("resume", "It goes on where it was, when it was approved anew", ["operator"], whyBody, (who, id, { why: given }) =>
      resume(sql, who, id, given),
    ),
    act("skip", "The next stage begins now, when that was approved", ["releaser"], skipBody, (who, id, { why: given, stage }) =>
      skip(sql, who, id, given, stage),
    ),
    act(
      "promote",
      "All machines of the channel take it from now on, when that was approved",
      ["releaser"],
      whyBody,
      (who, id, { why: given }) => promote(sql, who, id, given),
    ),
    act("withdraw", "Nothing is loaded by it any more, for ever", ["operator", "releaser"], whyBody, (who, id, { why: given }) =>
      withdrawRollout(sql, who, id, given),
    ),
  ];
}
