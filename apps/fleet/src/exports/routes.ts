/** What the fleet knows, in the forms that other programs take. */
import { Readable } from "node:stream";
import { CVE_STANDINGS, cveIdSchema, HOST_STATES } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { byCve } from "../hosts/routes.ts";
import { type Route, route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import type { Judged } from "../knowledge/picture.ts";
import { countedAt } from "../knowledge/routes.ts";
import { SEERS } from "../users/roles.ts";
import { fleetCsaf } from "./csaf.ts";
import { cvesCsv, hostsCsv } from "./csv.ts";
import { fleetOpenVex } from "./openvex.ts";

const words = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const vexQuery = {
  author: v.optional(words, "the fleet's server"),
  buildId: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16,64}$/))),
};
const CSV = "text/csv; charset=utf-8; header=present";

export const exportRoutes = (sql: Sql, knowledge: Knowledge): Route[] => {
  const levels = async (buildId: string | undefined): Promise<Judged[]> =>
    (await knowledge.levels()).filter(({ kernel }) => buildId === undefined || kernel.buildId === buildId);
  return [
    route({
      method: "GET",
      path: "/v1/exports/openvex.json",
      what: "OpenVEX 0.2.0: how each CVE stands for each kernel with its livepatches",
      who: SEERS,
      query: v.strictObject(vexQuery),
      handle: async ({ query: { author, buildId }, reply }) => {
        await countedAt(reply, knowledge);
        reply.type("application/json; charset=utf-8");
        return fleetOpenVex(await levels(buildId), { author, at: await knowledge.counted() });
      },
    }),
    route({
      method: "GET",
      path: "/v1/exports/csaf-vex.json",
      what: "The same as a VEX of CSAF 2.0",
      who: SEERS,
      query: v.strictObject({
        ...vexQuery,
        namespace: v.optional(
          v.pipe(words, v.regex(/^[a-z][a-z0-9+.-]*:[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/i, "a URI is needed")),
          "urn:suture:fleet",
        ),
      }),
      handle: async ({ query: { author, buildId, namespace }, reply }) => {
        await countedAt(reply, knowledge);
        reply.type("application/json; charset=utf-8");
        return fleetCsaf(await levels(buildId), { author, namespace, at: await knowledge.counted(), titles: await knowledge.titles() });
      },
    }),
    route({
      method: "GET",
      path: "/v1/exports/cves.csv",
      what: "CVEs with how many machines are open to each, as CSV",
      who: SEERS,
      handle: async ({ reply }) => {
        await countedAt(reply, knowledge);
        reply.type(CSV).header("content-disposition", 'attachment; filename="cves.csv"');
        return cvesCsv(knowledge);
      },
    }),
    route({
      method: "GET",
      path: "/v1/exports/hosts.csv",
      what: "Machines with their level, as CSV",
      who: SEERS,
      query: v.strictObject({
        state: v.optional(v.picklist(HOST_STATES)),
        label: v.optional(words),
        buildId: vexQuery.buildId,
        cve: v.optional(cveIdSchema),
        standing: v.optional(v.picklist(CVE_STANDINGS)),
      }),
      handle: async ({ query: { cve, standing, ...query }, reply }) => {
        const filter = { ...query, cve: await byCve(knowledge, cve, standing) };
        await countedAt(reply, knowledge);
        reply.type(CSV).header("content-disposition", 'attachment; filename="hosts.csv"');
        return Readable.from(hostsCsv(sql, knowledge, filter), { objectMode: false });
      },
    }),
  ];
};
