/** Builds, as people ask for them and look at them. */
import {
  buildIdSchema,
  buildSettingSchema,
  fleetBuildsSchema,
  fleetBuildWholeSchema,
  newBuildAnswerSchema,
  newBuildSchema,
} from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { SEERS } from "../users/roles.ts";
import { builders } from "./archive.ts";
import { askForBuild, isKeptReady, setKeepReady, wantedNow } from "./keep-ready.ts";
import { buildAgain, cancelBuild } from "./queue.ts";
import { buildOf, buildsPage, oneBuild } from "./row.ts";

export const buildParams = v.strictObject({ id: buildIdSchema });
const why = v.strictObject({ why: newBuildSchema.entries.why });

export const buildRoutes = (sql: Sql, knowledge: Knowledge): Route[] => [
  route({
    method: "GET",
    path: "/v1/builds",
    what: "Kernels of the fleet and how they stand to the newest of their series; livepatches that are built; builders",
    who: SEERS,
    query: v.strictObject({ before: v.optional(v.pipe(v.string(), v.maxLength(40))) }),
    answer: fleetBuildsSchema,
    handle: async ({ query }) => {
      const { rows, next } = await buildsPage(sql, query.before);
      return {
        keepReady: await isKeptReady(sql),
        kernels: await wantedNow(sql, knowledge),
        builds: rows.map(buildOf),
        builders: (await builders(sql)).map(({ name, seen_at, kernels }) => ({ name, seen: seen_at.toISOString(), kernels })),
        next,
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/builds/:id",
    what: "A build, and what its builder printed",
    who: SEERS,
    params: buildParams,
    answer: fleetBuildWholeSchema,
    handle: async ({ params }) => {
      const row = await oneBuild(sql, params.id);
      return { build: buildOf(row), log: row.log };
    },
  }),
  route({
    method: "POST",
    path: "/v1/builds",
    what: "A livepatch is to be built that brings a kernel to the level of a newer release",
    who: ["operator"],
    body: newBuildSchema,
    answer: newBuildAnswerSchema,
    handle: async ({ principal, body }) => ({ id: await askForBuild(sql, knowledge, principal.name, body) }),
  }),
  route({
    method: "POST",
    path: "/v1/builds/setting",
    what: "Whether livepatches to the newest of each series are built wherever the fleet has a kernel",
    who: ["operator"],
    body: buildSettingSchema,
    handle: async ({ principal, body }) => setKeepReady(sql, principal.name, body.keepReady),
  }),
  route({
    method: "POST",
    path: "/v1/builds/:id/cancel",
    what: "A build is given up",
    who: ["operator"],
    params: buildParams,
    body: why,
    handle: async ({ principal, params, body }) => cancelBuild(sql, principal.name, params.id, body.why),
  }),
  route({
    method: "POST",
    path: "/v1/builds/:id/again",
    what: "A build that came to nothing is done again",
    who: ["operator"],
    params: buildParams,
    body: why,
    handle: async ({ principal, params, body }) => buildAgain(sql, principal.name, params.id, body.why),
  }),
];
