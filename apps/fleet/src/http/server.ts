/** The routes behind Fastify: each request is checked by the schemas of its route, and by who asks. */
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from "fastify";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { refusedPage } from "../page/refused.ts";
import { mayBe, type Principal } from "../users/roles.ts";
import { limited } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { refusalOf } from "./refusals.ts";
import type { Route } from "./route.ts";

const NOBODY: Principal = { name: "nobody", roles: [], person: "" };
/** A batch of reports of a relay is the longest. */
const LONGEST = 4 * 1024 * 1024;

export interface Serving {
  routes: readonly Route[];
  log: FastifyBaseLogger;
  metrics: Metrics;
  /** Who asks. @throws FLEET_LOGIN */
  principalOf(request: FastifyRequest): Promise<Principal | undefined>;
}

export function makeServer({ routes, log, metrics, principalOf }: Serving): FastifyInstance {
  const server = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: LONGEST,
    routerOptions: { ignoreTrailingSlash: false },
    requestTimeout: 60_000,
    // A web server on the same machine says for whom it asks.
    trustProxy: "loopback",
  });
  // Schemas are held by the handler below.
  server.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error);
    const { status, document, ours } = refusal;
    if (ours) log.error({ err: error, method: request.method, url: request.url.split("?")[0] }, "a request failed");
    if (request.routeOptions.config.page === true) return refusedPage(request, reply, refusal);
    return reply.code(status).send(document);
  });
  server.setNotFoundHandler((_request, reply) => {
    const { document } = refusalOf(fail("FLEET_NONE", "there is no such route"));
    return reply.code(404).send(document);
  });
  server.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer").header("x-frame-options", "DENY");
    if (reply.getHeader("cache-control") === undefined) reply.header("cache-control", "no-store");
  });
  server.addHook("onResponse", async (request, reply) => {
    metrics.request(request.method, request.routeOptions.url ?? "none", reply.statusCode, reply.elapsedTime / 1000);
  });
  server.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))));
  });
  server.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  limited(server);
  server.register(async (scope) => {
    for (const each of routes) add(scope, each, principalOf);
  });
  return server;
}

function add(server: FastifyInstance, each: Route, principalOf: Serving["principalOf"]): void {
  server.route({
    method: each.method,
    url: each.path,
    config: { page: each.page, ...(each.perMinute === undefined ? {} : { rateLimit: { max: each.perMinute } }) },
    handler: async (request, reply) => {
      const principal = await allowed(each, request, principalOf);
      const answer = await each.handle({
        params: held(each.params, request.params ?? {}, "the path"),
        query: held(each.query, request.query ?? {}, "the query"),
        body: held(each.body, bodyOf(each, request), "the body"),
        principal,
        address: request.ip,
        reply,
      });
      // What a handler has sent by itself.
      return reply.sent ? reply : (answer ?? {});
    },
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    page?: boolean;
  }
}

/** A form brings beside its words what shows that the server gave it. */
function bodyOf({ page }: Route, request: FastifyRequest): unknown {
  if (!page || !isObject(request.body)) return request.body ?? {};
  const { csrf: _, ...words } = request.body;
  return words;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** @throws FLEET_LOGIN */
function sameSite({ page }: Route, request: FastifyRequest, csrf: string | undefined): void {
  const wrong = (why: string): Error => fail("FLEET_LOGIN", `${why}: another site may have sent it`);
  const from = request.headers["sec-fetch-site"];
  if (from !== undefined && from !== "same-origin" && from !== "none") throw wrong(`it comes from ${String(from)}`);
  const given = page && isObject(request.body) ? request.body.csrf : request.headers["x-csrf"];
  if (csrf !== undefined && given !== csrf) throw wrong("what came with the session is not what the server gave with it");
}

/** @throws FLEET_LOGIN, FLEET_ROLE */
async function allowed(route: Route, request: FastifyRequest, principalOf: Serving["principalOf"]): Promise<Principal> {
  const { who } = route;
  if (request.method !== "GET") sameSite(route, request, undefined);
  if (who === "anyone" || who === "host") return NOBODY;
  const principal = await principalOf(request);
  if (principal === undefined) throw fail("FLEET_LOGIN", "nobody is logged in");
  if (request.method !== "GET") sameSite(route, request, principal.csrf);
  if (!mayBe(principal, who))
    throw fail("FLEET_ROLE", `it takes one of: ${who.join(", ")}; ${principal.name} has: ${principal.roles.join(", ") || "none"}`);
  return principal;
}

/** @throws FLEET_REQUEST */
function held<S extends v.GenericSchema<unknown, unknown>>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  const checked = v.safeParse(schema, value, { abortEarly: true });
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw fail("FLEET_REQUEST", `${what}: ${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`.slice(0, 500));
}
