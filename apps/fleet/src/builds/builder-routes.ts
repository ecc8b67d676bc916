/** What builders ask: programs with a key of their role. They can put up what nobody has signed, and nothing else. */
import {
  archiveSchema,
  buildBeatSchema,
  buildClaimSchema,
  buildEndSchema,
  buildFileSchema,
  buildGoesOnSchema,
  buildIdSchema,
} from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import { putArchive } from "./archive.ts";
import type { BuildFolder } from "./files.ts";
import { finish } from "./finish.ts";
import { beat, claim, held } from "./queue.ts";

const WHO = ["builder"] as const;
const number = v.pipe(v.string(), v.regex(/^\d{1,12}$/), v.transform(Number));
const params = v.strictObject({ id: buildIdSchema });

/** @param folder undefined: there is no repository into whose folder it could go */
export const builderRoutes = (sql: Sql, folder: BuildFolder | undefined): Route[] => {
  const needed = (): BuildFolder => {
    if (folder === undefined) throw fail("FLEET_STEERING", "there is no repository, in whose folder what is built could be put");
    return folder;
  };
  return [
    route({
      method: "POST",
      path: "/v1/builder/archive",
      what: "Which kernels the builder can build for",
      who: WHO,
      body: archiveSchema,
      handle: async ({ principal, body }) => putArchive(sql, principal.name, body.kernels),
    }),
    route({
      method: "POST",
      path: "/v1/builder/claim",
      what: "What the builder is to build; null: nothing at the moment",
      who: WHO,
      answer: buildClaimSchema,
      handle: async ({ principal }) => {
        needed();
        return { build: await claim(sql, principal.name) };
      },
    }),
    route({
      method: "POST",
      path: "/v1/builder/builds/:id/beat",
      what: "The builder goes on with it",
      who: WHO,
      params,
      body: buildBeatSchema,
      answer: buildGoesOnSchema,
      handle: async ({ principal, params: { id }, body: { attempt, stage, log } }) => ({
        goesOn: await beat(sql, { id, attempt, builder: principal.name }, { stage, log }),
      }),
    }),
    route({
      method: "POST",
      path: "/v1/builder/builds/:id/files/:file",
      what: "A piece of what was built, where the file ends; answered with how long it is",
      who: WHO,
      params: v.strictObject({ id: buildIdSchema, file: buildFileSchema }),
      query: v.strictObject({ attempt: number, offset: number }),
      body: v.instance(Uint8Array, "bytes (application/octet-stream) are needed"),
      answer: v.strictObject({ size: v.number() }),
      handle: async ({ principal, params: { id, file }, query: { attempt, offset }, body }) => {
        await held(sql, { id, attempt, builder: principal.name });
        return { size: await needed().put({ id, attempt }, file, offset, body) };
      },
    }),
    route({
      method: "POST",
      path: "/v1/builder/builds/:id/end",
      what: "What came of it",
      who: WHO,
      params,
      body: buildEndSchema,
      handle: async ({ principal, params: { id }, body }) =>
        finish(sql, needed(), { id, attempt: body.attempt, builder: principal.name }, body),
    }),
  ];
};
