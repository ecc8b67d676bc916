/** What is known of kernels, livepatches and CVEs. */
import {
  coverSchema,
  cveIdSchema,
  fleetCvesSchema,
  fleetCveWholeSchema,
  fleetKernelsSchema,
  fleetLivepatchesSchema,
  fleetLivepatchWholeSchema,
} from "@suture/protocol";
import type { FastifyReply } from "fastify";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import type { Steering } from "../steering/steering.ts";
import { SEERS } from "../users/roles.ts";
import type { Knowledge } from "./knowledge.ts";
import { besideLivepatch, coverKernel, fleetLivepatch, fleetLivepatches } from "./livepatches.ts";
import { cvePage } from "./page-of-cves.ts";

const PAGE = 500;
export const shaParams = v.strictObject({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });
export const cveQuery = v.strictObject({
  id: v.optional(v.pipe(v.string(), v.maxLength(30))),
  open: v.optional(v.picklist(["", "1"])),
  after: v.optional(v.pipe(v.string(), v.regex(/^\d{1,7}$/))),
});

/** Of a large fleet what is counted is of a while ago. */
export async function countedAt(reply: FastifyReply, knowledge: Knowledge): Promise<void> {
  reply.header("last-modified", (await knowledge.counted()).toUTCString());
}

export const knowledgeRoutes = (sql: Sql, knowledge: Knowledge, steering: Steering | undefined): Route[] => [
  route({
    method: "GET",
    path: "/v1/cves",
    what: "The CVEs that livepatches speak of, and how many machines are open to each",
    who: SEERS,
    query: cveQuery,
    answer: fleetCvesSchema,
    handle: async ({ query, reply }) => {
      await countedAt(reply, knowledge);
      return cvePage(await knowledge.cves(), query, PAGE);
    },
  }),
  route({
    method: "GET",
    path: "/v1/cves/:id",
    what: "A CVE: how it stands for each kernel with its livepatches, and why",
    who: SEERS,
    params: v.strictObject({ id: cveIdSchema }),
    answer: fleetCveWholeSchema,
    handle: async ({ params, reply }) => {
      await countedAt(reply, knowledge);
      return knowledge.cve(params.id);
    },
  }),
  route({
    method: "GET",
    path: "/v1/kernels",
    what: "Each kernel with the livepatches in it: level, CVEs, whether a reboot is wanted, until when it is covered",
    who: SEERS,
    answer: fleetKernelsSchema,
    handle: async ({ reply }) => {
      await countedAt(reply, knowledge);
      return { kernels: await knowledge.kernels() };
    },
  }),
  route({
    method: "POST",
    path: "/v1/kernels/:buildId",
    what: "Until when livepatches are made for a kernel",
    who: ["operator"],
    params: v.strictObject({ buildId: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){8,32}$/)) }),
    body: coverSchema,
    handle: async ({ principal, params, body }) => coverKernel(sql, principal.name, params.buildId, body),
  }),
  route({
    method: "GET",
    path: "/v1/livepatches",
    what: "Livepatches that the repository has or had",
    who: SEERS,
    answer: fleetLivepatchesSchema,
    handle: async ({ reply }) => {
      await countedAt(reply, knowledge);
      return { livepatches: await fleetLivepatches(sql, knowledge) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/livepatches/:sha256",
    what: "A livepatch, and what it says of each CVE",
    who: SEERS,
    params: shaParams,
    answer: fleetLivepatchWholeSchema,
    handle: async ({ params }) => fleetLivepatch(sql, knowledge, params.sha256),
  }),
  route({
    method: "GET",
    path: "/v1/livepatches/:sha256/account",
    what: "Its account, as it was signed",
    who: SEERS,
    params: shaParams,
    handle: async ({ params, reply }) => {
      const bytes = await besideLivepatch(sql, steering, params.sha256, "account");
      reply.type("application/json; charset=utf-8").send(bytes);
    },
  }),
];
