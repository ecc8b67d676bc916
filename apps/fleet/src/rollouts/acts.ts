/** What people do to a roll-out, as data: from it come the routes and the buttons. */
import type { RolloutPhase } from "@suture/protocol";
import type { Logger } from "pino";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Steering } from "../steering/steering.ts";
import type { Role } from "../users/roles.ts";
import { hold, promote, resume, skip, start, withdrawRollout } from "./store.ts";
import { tick } from "./tick.ts";

export interface Rolling {
  steering: Steering | undefined;
  trialChannels: readonly string[];
  log: Logger;
}

interface Given {
  why: string;
  /** The one that is skipped. */
  stage: number | undefined;
}

export interface ActKind {
  name: string;
  what: string;
  who: readonly Role[];
  phases: readonly RolloutPhase[];
  work(sql: Sql, who: string, id: string, given: Given): Promise<void>;
}

export const ACTS = {
  start: {
    name: "Start",
    what: "Its first stage begins, when that was approved",
    who: ["operator"],
    phases: ["approved"],
    work: (sql, who, id, { why }) => start(sql, who, id, why),
  },
  hold: {
    name: "Hold",
    what: "Nothing more is loaded by it; one person is enough",
    who: ["operator", "releaser"],
    phases: ["rolling", "paused", "done"],
    work: (sql, who, id, { why }) => hold(sql, who, id, why),
  },
  resume: {
    name: "Go on",
    what: "It goes on where it was, when that was approved anew",
    who: ["operator"],
    phases: ["held"],
    work: (sql, who, id, { why }) => resume(sql, who, id, why),
  },
  skip: {
    name: "Skip this stage",
    what: "The next stage begins now, when that was approved",
    who: ["releaser"],
    phases: ["rolling"],
    work: (sql, who, id, { why, stage }) => {
      if (stage === undefined) throw fail("FLEET_REQUEST", "the stage that is skipped is not named");
      return skip(sql, who, id, why, stage);
    },
  },
  promote: {
    name: "Let all take it",
    what: "All machines of the channel take it from now on, when that was approved",
    who: ["releaser"],
    phases: ["rolling"],
    work: (sql, who, id, { why }) => promote(sql, who, id, why),
  },
  withdraw: {
    name: "Withdraw, for ever",
    what: "Nothing is loaded by it any more, for ever",
    who: ["operator", "releaser"],
    phases: ["draft", "approved", "rolling", "paused", "held", "done"],
    work: (sql, who, id, { why }) => withdrawRollout(sql, who, id, why),
  },
} satisfies Record<string, ActKind>;
export type Act = keyof typeof ACTS;

/** @throws FLEET_STEERING */
export function steered({ steering }: Rolling): Steering {
  if (steering === undefined) throw fail("FLEET_STEERING", "the server was given no repository");
  return steering;
}

/** It is decided, and out as soon as it can be. @returns whether it is out. @throws FLEET_STATE, FLEET_NONE, FLEET_STEERING */
export async function actOn(sql: Sql, rolling: Rolling, act: Act, who: string, id: string, given: Given): Promise<boolean> {
  const steering = steered(rolling);
  const kind: ActKind = ACTS[act];
  await kind.work(sql, who, id, given);
  return tick(sql, steering).catch((error: unknown) => {
    rolling.log.error({ err: error }, "the policy cannot be published");
    return false;
  });
}
