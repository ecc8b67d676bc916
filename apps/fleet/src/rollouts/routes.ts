/** Roll-outs: made, approved, started, held, and looked at. */
import { fleetRolloutsSchema, newRolloutSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import type { Steering } from "../steering/steering.ts";
import { ROLES, type Role } from "../users/roles.ts";
import { approve, hold, makeRollout, promote, resume, rollouts, skip, start, withdrawRollout } from "./store.ts";
import { tick } from "./tick.ts";

const params = v.strictObject({ id: v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/)) });
const whyBody = v.strictObject({ why: v.pipe(v.string(), v.minLength(1), v.maxLength(500)) });
const outAnswer = v.strictObject({
  published: v.pipe(v.boolean(), v.description("the policy that says so is out; else it will be as soon as it can be")),
});

/** @throws FLEET_STEERING */
function steered(steering: Steering | undefined): Steering {
  if (steering === undefined) throw fail("FLEET_STEERING", "the server was given no repository");
  return steering;
}

export function rolloutRoutes(sql: Sql, steering: Steering | undefined): Route[] {
  const out = async (): Promise<{ published: boolean }> => ({ published: await tick(sql, steered(steering)).catch(() => false) });
  const act = (
    name: string,
    what: string,
    who: readonly Role[],
    work: (sql: Sql, who: string, id: string, why: string) => Promise<void>,
  ): Route =>
    route({
      method: "POST",
      path: `/v1/rollouts/:id/${name}`,
      what,
      who,
      params,
      body: whyBody,
      answer: outAnswer,
      handle: async ({ principal, params: { id }, body: { why } }) => {
        await work(sql, principal.name, id, why);
        return out();
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
        await makeRollout(sql, principal.name, body, { livepatches: await repository.livepatches(), rollouts: known });
      },
    }),
    route({
      method: "POST",
      path: "/v1/rollouts/:id/approve",
      what: "Somebody who has not made it approves it; production takes two",
      who: ["releaser"],
      params,
      answer: v.strictObject({ needed: v.pipe(v.number(), v.description("so many more")) }),
      handle: async ({ principal, params: { id } }) => approve(sql, principal.name, id),
    }),
    act("start", "Its first stage begins", ["operator"], (of, who, id) => start(of, who, id)),
    act("hold", "Nothing more is loaded by it; one person is enough", ["operator", "releaser"], hold),
    act("resume", "It goes on where it was, when it was approved anew", ["operator"], resume),
    act("skip", "The next stage begins now", ["releaser"], skip),
    act("promote", "All machines of the channel take it from now on", ["releaser"], promote),
    act("withdraw", "Nothing is loaded by it any more, for ever", ["operator", "releaser"], withdrawRollout),
  ];
}
