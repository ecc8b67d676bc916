/** People: accounts, how one comes to have one, and who is logged in. */
import {
  accountChangeSchema,
  accountsSchema,
  confirmSchema,
  fleetKeySchema,
  invitationSchema,
  loginSchema,
  meSchema,
  newAccountSchema,
  newFleetKeySchema,
  welcomeSchema,
} from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import { accounts, changeAccount, confirm, newAccount, welcome } from "./accounts.ts";
import { newApiKey } from "./api-keys.ts";
import { sessionIn, setSession } from "./cookie.ts";
import { type Principal, ROLES, type Role } from "./roles.ts";
import { logIn, logOut } from "./sessions.ts";

const TRIES = 20;
const invitation = v.strictObject({ invitation: v.pipe(v.string(), v.maxLength(100)) });

/** @throws FLEET_ROLE */
export async function ownKey(
  sql: Sql,
  principal: Principal,
  { name, roles, days }: { name: string; roles: readonly Role[]; days?: number | undefined },
): Promise<{ id: string; key: string }> {
  if (principal.csrf === undefined) throw fail("FLEET_ROLE", "a key makes no keys: log in");
  const more = roles.filter((role) => !principal.roles.includes(role));
  if (more.length > 0) throw fail("FLEET_ROLE", `${principal.name} is not: ${more.join(", ")}`);
  return newApiKey(sql, principal, { name, roles, days: Math.min(days ?? 90, 90), own: true });
}

export const accountRoutes = (sql: Sql): Route[] => [
  route({
    method: "GET",
    path: "/v1/accounts",
    what: "The people that may log in",
    who: ["admin"],
    answer: accountsSchema,
    handle: async () => ({
      accounts: (await accounts(sql)).map(({ name, roles, password, made_at, disabled_at }) => ({
        name,
        roles,
        ready: password !== null,
        made: made_at.toISOString(),
        disabled: disabled_at?.toISOString() ?? null,
      })),
    }),
  }),
  route({
    method: "POST",
    path: "/v1/accounts",
    what: "A person is invited: the invitation is shown once, and is good for three days",
    who: ["admin"],
    body: newAccountSchema,
    answer: invitationSchema,
    handle: async ({ principal, body }) => newAccount(sql, principal.name, body),
  }),
  route({
    method: "POST",
    path: "/v1/accounts/:name",
    what: "A person has other roles, may not log in any more, or is invited anew",
    who: ["admin"],
    params: v.pick(newAccountSchema, ["name"]),
    body: accountChangeSchema,
    answer: v.strictObject({ invitation: v.nullable(v.string()) }),
    handle: async ({ principal, params, body }) => changeAccount(sql, principal.name, params.name, body),
  }),
  route({
    method: "POST",
    path: "/v1/welcome",
    what: "What an invitation is for: the name, and the second factor for an app",
    who: "anyone",
    perMinute: TRIES,
    body: invitation,
    answer: welcomeSchema,
    handle: async ({ body }) => welcome(sql, body.invitation),
  }),
  route({
    method: "POST",
    path: "/v1/welcome/confirm",
    what: "Who was invited sets a password, and shows that the app has the second factor",
    who: "anyone",
    perMinute: TRIES,
    body: confirmSchema,
    handle: async ({ body }) => confirm(sql, body),
  }),
  route({
    method: "POST",
    path: "/v1/login",
    what: "A person logs in; the cookie is the session",
    who: "anyone",
    perMinute: TRIES,
    body: loginSchema,
    handle: async ({ body, reply }) => setSession(reply, await logIn(sql, body, sessionIn(reply.request))),
  }),
  route({
    method: "POST",
    path: "/v1/logout",
    what: "The session is over",
    who: "anyone",
    handle: async ({ reply }) => {
      const session = sessionIn(reply.request);
      if (session !== undefined) await logOut(sql, session);
      setSession(reply, undefined);
    },
  }),
  route({
    method: "GET",
    path: "/v1/me",
    what: "Who asks",
    who: ROLES,
    answer: meSchema,
    handle: async ({ principal: { name, roles, csrf } }) => ({ name, roles: [...roles], csrf: csrf ?? null }),
  }),
  route({
    method: "POST",
    path: "/v1/me/keys",
    what: "A key of one's own, with roles that one has, for 90 days at most",
    who: ROLES,
    body: newFleetKeySchema,
    answer: fleetKeySchema,
    handle: async ({ principal, body }) => ownKey(sql, principal, body),
  }),
];
