/** The server as a whole: its database, its routes. */
import { join } from "node:path";
import type { Task } from "@suture/task";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { Database } from "./database/database.ts";
import { hostRoutes } from "./hosts/routes.ts";
import { Metrics } from "./http/metrics.ts";
import { ownRoutes } from "./http/own-routes.ts";
import type { Route } from "./http/route.ts";
import { makeServer } from "./http/server.ts";
import { Knowledge } from "./knowledge/knowledge.ts";
import { Learner } from "./knowledge/learn.ts";
import { knowledgeRoutes } from "./knowledge/routes.ts";
import { cvePages } from "./page/cves.ts";
import { entryRoutes } from "./page/entry.ts";
import { glanceRoutes } from "./page/glance.ts";
import { hostPages } from "./page/hosts.ts";
import { livepatchPages } from "./page/livepatches.ts";
import { otherPages } from "./page/others.ts";
import { rolloutPages } from "./page/rollouts.ts";
import { Ingest } from "./reports/ingest.ts";
import { note } from "./rollouts/observed.ts";
import { rolloutRoutes } from "./rollouts/routes.ts";
import { tick } from "./rollouts/tick.ts";
import { type Repository, Steering } from "./steering/steering.ts";
import { accountRoutes } from "./users/account-routes.ts";
import { principalOfKey } from "./users/api-keys.ts";
import { sessionIn } from "./users/cookie.ts";
import type { Principal } from "./users/roles.ts";
import { userRoutes } from "./users/routes.ts";
import { principalOfSession } from "./users/sessions.ts";

export const VERSION = "0.1.0";

const TICK_MS = 5000;
/** Of a large fleet a look takes long: as many times that it rests. */
const TICK_REST = 10;

export interface FleetOptions {
  /** Of all that the server keeps. */
  data: string;
  /** postgres://...; undefined: one of its own in `data`. */
  databaseUrl: string | undefined;
  /** By which machines are steered; undefined: they are only looked at. */
  repository: Repository | undefined;
  /** What rolls out in them is no production: one person approves it, and it need not be proven. */
  trialChannels: readonly string[];
}

export class Fleet {
  readonly database: Database;
  readonly routes: readonly Route[];
  readonly server: FastifyInstance;
  /** Undefined: there is no repository to learn of. */
  readonly learner: Learner | undefined;

  readonly #log: Logger;
  readonly #steering: Steering | undefined;
  #ticking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  private constructor(database: Database, steering: Steering | undefined, trialChannels: readonly string[], log: Logger) {
    this.#log = log;
    this.#steering = steering;
    this.database = database;
    const { sql } = database;
    const metrics = new Metrics();
    const knowledge = new Knowledge(sql);
    this.learner = steering === undefined ? undefined : new Learner(sql, steering);
    const rolling = { steering, trialChannels, log };
    this.routes = [
      ...ownRoutes(sql, metrics, VERSION, () => this.routes),
      ...userRoutes(sql),
      ...accountRoutes(sql),
      ...hostRoutes(sql, new Ingest(sql, note), knowledge),
      ...knowledgeRoutes(sql, knowledge, steering),
      ...rolloutRoutes(sql, rolling),
      ...entryRoutes(sql),
      ...glanceRoutes(sql, knowledge),
      ...rolloutPages(sql, rolling),
      ...hostPages(sql, knowledge),
      ...cvePages(knowledge),
      ...livepatchPages(sql, knowledge, steering),
      ...otherPages(sql, steering),
    ];
    this.server = makeServer({ routes: this.routes, log, metrics, principalOf: (request) => this.#principalOf(request) });
  }

  /** @throws FLEET_POSTGRES, FLEET_DATABASE, FLEET_NEWER, FLEET_STEERING, TRUST_REPOSITORY */
  static async open(task: Task, { data, databaseUrl, repository, trialChannels }: FleetOptions, log: Logger): Promise<Fleet> {
    const steering = repository === undefined ? undefined : new Steering(task, repository);
    await steering?.check();
    const database = await Database.open(task, { url: databaseUrl, folder: join(data, "postgres") }, log);
    const fleet = new Fleet(database, steering, trialChannels, log);
    await fleet.#learn();
    return fleet;
  }

  /** From now on roll-outs go on by themselves, and the policy is kept good. */
  steer(): void {
    const steering = this.#steering;
    if (steering === undefined) return;
    const round = async (): Promise<void> => {
      const began = Date.now();
      try {
        await tick(this.database.sql, steering);
      } catch (error) {
        this.#log.error({ err: error }, "roll-outs cannot be looked at, or the policy cannot be published");
      }
      await this.#learn();
      next(Math.max(TICK_MS, TICK_REST * (Date.now() - began)));
    };
    const next = (after: number): void => {
      if (this.#closing) return;
      this.#timer = setTimeout(() => {
        this.#ticking = round();
      }, after);
    };
    next(TICK_MS);
  }

  /** What it cannot learn keeps it from nothing else. */
  async #learn(): Promise<void> {
    try {
      await this.learner?.learn();
    } catch (error) {
      this.#log.error({ err: error }, "what the repository's livepatches say cannot be read");
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    await this.#ticking;
    await this.server.close();
    await this.database.close();
  }

  /** @throws FLEET_LOGIN */
  async #principalOf(request: FastifyRequest): Promise<Principal | undefined> {
    const { sql } = this.database;
    const { authorization } = request.headers;
    const session = sessionIn(request);
    if (authorization === undefined) return session === undefined ? undefined : principalOfSession(sql, session);
    const [, key] = /^Bearer (\S{1,200})$/.exec(authorization) ?? [];
    return key === undefined ? undefined : principalOfKey(sql, key);
  }
}
