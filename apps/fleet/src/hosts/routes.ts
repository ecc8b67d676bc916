/** Enrolment, reports, and the machines that there are. */
import {
  CVE_STANDINGS,
  type CveStanding,
  cveIdSchema,
  enrolAnswerSchema,
  enrolRequestSchema,
  enrolTokenSchema,
  enrolTokensSchema,
  fleetHostsSchema,
  fleetHostWholeSchema,
  HOST_STATES,
  newEnrolTokenSchema,
  reportsAnswerSchema,
  reportsSchema,
} from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import type { Ingest } from "../reports/ingest.ts";
import { SEERS } from "../users/roles.ts";
import { Enrolments, enrolTokens, labelHost, newEnrolToken, revokeEnrolToken, settleHost } from "./enrol.ts";
import { listHosts, oneHost } from "./list.ts";
import type { ByCve } from "./silent.ts";

const hostParams = v.strictObject({ id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)) });
const words = v.pipe(v.string(), v.maxLength(300));
const hostChange = v.pipe(
  v.strictObject({
    state: v.optional(v.picklist(["approved", "refused", "retired"])),
    labels: v.optional(newEnrolTokenSchema.entries.labels),
  }),
  v.check(({ state, labels }) => state !== undefined || labels !== undefined, "there is nothing to change"),
);
const PAGE = 100;

/** Open to it, unless something else is asked for. */
export async function byCve(knowledge: Knowledge, cve: string | undefined, standing: CveStanding = "open"): Promise<ByCve | undefined> {
  return cve === undefined ? undefined : knowledge.hostsWhere(cve, standing);
}

export const hostRoutes = (sql: Sql, ingest: Ingest, knowledge: Knowledge, enrolments = new Enrolments(sql)): Route[] => [
  route({
    method: "POST",
    path: "/v1/enrol",
    what: "A machine comes into the fleet, by a token and a key of its own",
    who: "host",
    body: enrolRequestSchema,
    answer: enrolAnswerSchema,
    perMinute: 600,
    handle: async ({ body }) => enrolments.enrol(body),
  }),
  route({
    method: "POST",
    path: "/v1/reports",
    what: "What machines are and have; answered when it is kept",
    who: "host",
    body: reportsSchema,
    answer: reportsAnswerSchema,
    // A relay, or many machines behind one address.
    perMinute: 6000,
    handle: async ({ body }) => ({ at: new Date().toISOString(), outcomes: await ingest.take(body.reports) }),
  }),
  route({
    method: "GET",
    path: "/v1/enrol-tokens",
    what: "Tokens by which machines enrol",
    who: ["operator", "admin"],
    answer: enrolTokensSchema,
    handle: async () => ({
      tokens: (await enrolTokens(sql)).map(({ id, name, most, used, approve, labels, expires_at, revoked_at }) => ({
        id,
        name,
        limit: most,
        used,
        approve,
        labels,
        expires: expires_at.toISOString(),
        revoked: revoked_at?.toISOString() ?? null,
      })),
    }),
  }),
  route({
    method: "POST",
    path: "/v1/enrol-tokens",
    what: "A new token; it is shown once",
    who: ["operator", "admin"],
    body: newEnrolTokenSchema,
    answer: enrolTokenSchema,
    handle: async ({ principal, body }) => newEnrolToken(sql, principal.name, body),
  }),
  route({
    method: "DELETE",
    path: "/v1/enrol-tokens/:id",
    what: "No machine enrols by it any more",
    who: ["operator", "admin"],
    params: v.strictObject({ id: v.pipe(v.string(), v.regex(/^[0-9a-f]{12}$/)) }),
    handle: async ({ principal, params }) => revokeEnrolToken(sql, principal.name, params.id),
  }),
  route({
    method: "GET",
    path: "/v1/hosts",
    what: "Machines by name, page by page",
    who: SEERS,
    query: v.strictObject({
      name: v.optional(words),
      state: v.optional(v.picklist(HOST_STATES)),
      buildId: v.optional(words),
      livepatch: v.optional(words),
      status: v.optional(v.picklist(["never seen", "silent", "trouble", "reboot wanted", "held", "soaking", "well"])),
      label: v.optional(words),
      cve: v.optional(cveIdSchema),
      standing: v.optional(v.picklist(CVE_STANDINGS)),
      after: v.optional(words),
    }),
    answer: fleetHostsSchema,
    handle: async ({ query: { cve, standing, ...query } }) =>
      listHosts(sql, { ...query, cve: await byCve(knowledge, cve, standing), limit: PAGE }),
  }),
  route({
    method: "GET",
    path: "/v1/hosts/:id",
    what: "A machine, what it reported last, and what became of it",
    who: SEERS,
    params: hostParams,
    answer: fleetHostWholeSchema,
    handle: async ({ params }) => oneHost(sql, knowledge, params.id),
  }),
  route({
    method: "POST",
    path: "/v1/hosts/:id",
    what: "A machine is approved, refused or retired, or bears other labels",
    who: ["operator"],
    params: hostParams,
    body: hostChange,
    handle: async ({ principal, params, body: { state, labels } }) => {
      if (labels !== undefined) await labelHost(sql, principal.name, params.id, labels);
      if (state !== undefined) await settleHost(sql, principal.name, params.id, state);
    },
  }),
];
