/** What the server tells of itself. */
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { type Route, route } from "./route.ts";

export const ownRoutes = (sql: Sql, metrics: Metrics, version: string, all: () => readonly Route[]): Route[] => [
  route({
    method: "GET",
    path: "/healthz",
    what: "Whether the server and its database answer",
    who: "anyone",
    answer: v.strictObject({ ok: v.boolean() }),
    handle: async () => {
      await sql`select 1`;
      return { ok: true };
    },
  }),
  route({
    method: "GET",
    path: "/openapi.json",
    what: "All routes, as OpenAPI 3.0",
    who: "anyone",
    handle: async () => openApi(all(), version),
  }),
  route({
    method: "GET",
    path: "/metrics",
    what: "Metrics of the fleet and of the server, for Prometheus",
    who: ["viewer", "operator", "releaser", "key officer", "admin"],
    handle: async ({ reply }) => {
      reply.header("content-type", metrics.registry.contentType).send(await metrics.registry.metrics());
      return {};
    },
  }),
];
