/** What the server answers, as data: from the same table come the routes, their documentation, and the test of who may use which. */
import type { FleetRole as Role } from "@suture/protocol";
import type { FastifyReply } from "fastify";
import * as v from "valibot";
import type { Principal } from "../users/roles.ts";

/** anyone: no login is needed; host: what is sent is signed by a machine; else one of these roles is. */
export type Who = "anyone" | "host" | readonly Role[];

type Schema = v.GenericSchema<unknown, unknown>;

export interface Asked<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  /** Who asks; nobody where anyone may. */
  principal: Principal;
  /** Of the one who asks, for limits. */
  address: string;
  /** For answers that are no JSON. */
  reply: FastifyReply;
}

export interface Route {
  method: "GET" | "POST" | "DELETE";
  /** With `:name` for a member of `params`. */
  path: string;
  what: string;
  who: Who;
  params: Schema;
  query: Schema;
  body: Schema;
  /** Of a JSON answer; undefined: it is something else. */
  answer: Schema | undefined;
  /** That one address may ask; undefined: as any. */
  perMinute: number | undefined;
  /** It is for people: HTML, and forms. */
  page: boolean;
  handle(asked: Asked<unknown, unknown, unknown>): Promise<unknown>;
}

const nothing = v.strictObject({});

interface Given<P extends Schema, Q extends Schema, B extends Schema, A extends Schema> {
  method: Route["method"];
  path: string;
  what: string;
  who: Who;
  params?: P;
  query?: Q;
  body?: B;
  answer?: A;
  perMinute?: number;
  page?: boolean;
  handle(asked: Asked<v.InferOutput<P>, v.InferOutput<Q>, v.InferOutput<B>>): Promise<v.InferInput<A>>;
}

export function route<
  P extends Schema = typeof nothing,
  Q extends Schema = typeof nothing,
  B extends Schema = typeof nothing,
  A extends Schema = v.UnknownSchema,
>(given: Given<P, Q, B, A>): Route {
  const { method, path, what, who, params, query, body, answer, perMinute, page = false } = given;
  return {
    method,
    path,
    what,
    who,
    params: params ?? nothing,
    query: query ?? nothing,
    body: body ?? nothing,
    answer,
    perMinute,
    page,
    handle: (asked) => given.handle(asked as Asked<v.InferOutput<P>, v.InferOutput<Q>, v.InferOutput<B>>),
  };
}
