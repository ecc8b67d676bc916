/** Keys of programs, and the audit. */
import { fleetAuditSchema, fleetKeyIdSchema, fleetKeySchema, fleetKeysSchema, newFleetKeySchema } from "@suture/protocol";
import * as v from "valibot";
import { auditPage, brokenAudit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import { apiKeys, newApiKey, revokeApiKey } from "./api-keys.ts";
import { SEERS } from "./roles.ts";

const PAGE = 200;

export const userRoutes = (sql: Sql): Route[] => [
  route({
    method: "GET",
    path: "/v1/keys",
    what: "The keys by which programs ask",
    who: ["admin"],
    answer: fleetKeysSchema,
    handle: async () => {
      const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
      return {
        keys: (await apiKeys(sql)).map(({ id, name, roles, made_at, expires_at, revoked_at, used_at, person, own }) => ({
          id,
          name,
          roles,
          made: made_at.toISOString(),
          expires: iso(expires_at),
          revoked: iso(revoked_at),
          used: iso(used_at),
          person,
          own,
        })),
      };
    },
  }),
  route({
    method: "POST",
    path: "/v1/keys",
    what: "A new key; it is shown once",
    who: ["admin"],
    body: newFleetKeySchema,
    answer: fleetKeySchema,
    handle: async ({ principal, body }) => newApiKey(sql, principal, body),
  }),
  route({
    method: "DELETE",
    path: "/v1/keys/:id",
    what: "A key is revoked at once",
    who: ["admin"],
    params: fleetKeyIdSchema,
    handle: async ({ principal, params }) => revokeApiKey(sql, principal.name, params.id),
  }),
  route({
    method: "GET",
    path: "/v1/audit",
    what: "Who did what, the newest first",
    who: SEERS,
    query: v.strictObject({ before: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number))) }),
    answer: fleetAuditSchema,
    handle: async ({ query }) => ({ rows: await auditPage(sql, { before: query.before, limit: PAGE }) }),
  }),
  route({
    method: "GET",
    path: "/v1/audit/check",
    what: "Whether the audit is as it was written: the first row that is not",
    who: SEERS,
    answer: v.strictObject({ broken: v.nullable(v.number()) }),
    handle: async () => ({ broken: (await brokenAudit(sql)) ?? null }),
  }),
];
