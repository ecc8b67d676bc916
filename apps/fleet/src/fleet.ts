/** The server as a whole: its database, its routes. */
import { join } from "node:path";
import type { Task } from "@suture/task";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { builderRoutes } from "./builds/builder-routes.ts";
import { BuildFolder } from "./builds/files.ts";
import { keepReady } from "./builds/keep-ready.ts";
import { giveBack } from "./builds/queue.ts";
import { buildRoutes } from "./builds/routes.ts";
import { sweepBuilds } from "./builds/sweep.ts";
import { Chore } from "./chore.ts";
import { Database } from "./database/database.ts";
import { exportRoutes } from "./exports/routes.ts";
import { countsOf } from "./hosts/counts.ts";
import { sweepQuiet } from "./hosts/quiet.ts";
import { hostRoutes } from "./hosts/routes.ts";
import { Metrics } from "./http/metrics.ts";
import { ownRoutes } from "./http/own-routes.ts";
import type { Route } from "./http/route.ts";
import { makeServer } from "./http/server.ts";
import { Knowledge } from "./knowledge/knowledge.ts";
import { Learner } from "./knowledge/learn.ts";
import { knowledgeRoutes } from "./knowledge/routes.ts";
import { buildPages } from "./page/builds.ts";
import { cvePages } from "./page/cves.ts";
import { entryRoutes } from "./page/entry.ts";
import { glanceRoutes } from "./page/glance.ts";
import { hostPages } from "./page/hosts.ts";
import { livepatchPages } from "./page/livepatches.ts";
import { otherPages } from "./page/others.ts";
import { peoplePages } from "./page/people.ts";
import { rolloutPages } from "./page/rollouts.ts";
import { tokenPages } from "./page/tokens.ts";
import { Ingest } from "./reports/ingest.ts";
import { sweepLevels } from "./reports/sweep.ts";
import { Rested } from "./rested.ts";
import { note } from "./rollouts/observed.ts";
import { rolloutRoutes } from "./rollouts/routes.ts";
import { tick } from "./rollouts/tick.ts";
import { sampleLevels, sampleRollouts } from "./samples/samples.ts";
import { type Repository, Steering } from "./steering/steering.ts";
import { accountRoutes } from "./users/account-routes.ts";
import { principalOfKey } from "./users/api-keys.ts";
import { sessionIn } from "./users/cookie.ts";
import type { OidcConfiguration } from "./users/oidc/configuration.ts";
import { Provider } from "./users/oidc/provider.ts";
import type { Principal } from "./users/roles.ts";
import { userRoutes } from "./users/routes.ts";
import { principalOfSession } from "./users/sessions.ts";
import { Addresses } from "./webhooks/address.ts";
import { sweepDeliveries } from "./webhooks/deliver.ts";
import { markFull } from "./webhooks/outbox.ts";
import { webhookRoutes } from "./webhooks/routes.ts";
import { Sender } from "./webhooks/sender.ts";

export const VERSION = "0.1.0";

const TICK_MS = 5000;
/** Of a large fleet a look takes long: as many times that it rests. */
const TICK_REST = 10;
const SAMPLE_MS = 60_000;
const BUILDS_MS = 30_000;
/** Those that are done are counted once in so many times. */
const DONE_SAMPLES = 60;
const TELL_MS = 2000;
const SWEEP_MS = 3600_000;
/** Well within the time that {@link sweepQuiet} holds. */
const QUIET_MS = 300_000;

export interface FleetOptions {
  /** Of all that the server keeps. */
  data: string;
  /** postgres://...; undefined: one of its own in `data`. */
  databaseUrl: string | undefined;
  /** By which machines are steered; undefined: they are only looked at. */
  repository: Repository | undefined;
  /** What rolls out in them is no production: one person approves it, and it need not be proven. */
  trialChannels: readonly string[];
  /** Networks of the operator's own to which webhooks may go, as ADDRESS/BITS. */
  webhookNetworks?: readonly string[];
  /** By whom people may log in besides. */
  oidc?: OidcConfiguration | undefined;
}

export class Fleet {
  readonly database: Database;
  readonly routes: readonly Route[];
  readonly server: FastifyInstance;
  /** Undefined: there is no repository to learn of. */
  readonly learner: Learner | undefined;

  readonly #log: Logger;
  readonly #steering: Steering | undefined;
  readonly #addresses: Addresses;
  readonly #knowledge: Knowledge;
  readonly #builds: BuildFolder | undefined;
  readonly #chores: Chore[] = [];
  #sender: Sender | undefined;

  private constructor(
    database: Database,
    steering: Steering | undefined,
    { trialChannels, webhookNetworks = [], oidc }: FleetOptions,
    log: Logger,
  ) {
    this.#log = log;
    this.#steering = steering;
    this.database = database;
    const { sql, first } = database;
    const knowledge = new Knowledge(sql);
    this.#knowledge = knowledge;
    this.#addresses = new Addresses(webhookNetworks);
    const counts = new Rested(() => countsOf(sql));
    const metrics = new Metrics(sql, knowledge, counts, steering);
    this.learner = steering === undefined ? undefined : new Learner(sql, steering);
    this.#builds = steering === undefined ? undefined : new BuildFolder(steering.folder);
    const rolling = { steering, trialChannels, log };
    this.routes = [
      ...ownRoutes(sql, metrics, VERSION, () => this.routes),
      ...userRoutes(sql),
      ...accountRoutes(sql),
      ...hostRoutes(sql, new Ingest(first, note), knowledge),
      ...knowledgeRoutes(sql, knowledge, steering),
      ...exportRoutes(sql, knowledge),
      ...buildRoutes(sql, knowledge),
      ...builderRoutes(sql, this.#builds),
      ...webhookRoutes(sql, this.#addresses),
      ...rolloutRoutes(first, rolling),
      ...entryRoutes(sql, oidc === undefined ? undefined : new Provider(oidc)),
      ...glanceRoutes(sql, knowledge, counts),
      ...rolloutPages(first, rolling),
      ...hostPages(sql, knowledge),
      ...cvePages(knowledge),
      ...livepatchPages(sql, knowledge, steering),
      ...tokenPages(sql),
      ...peoplePages(sql, this.#addresses),
      ...buildPages(sql, knowledge, this.#builds),
      ...otherPages(sql, steering),
    ];
    this.server = makeServer({ routes: this.routes, log, metrics, principalOf: (request) => this.#principalOf(request) });
  }

  /** @throws FLEET_POSTGRES, FLEET_DATABASE, FLEET_NEWER, FLEET_STEERING, TRUST_REPOSITORY */
  static async open(task: Task, options: FleetOptions, log: Logger): Promise<Fleet> {
    const { data, databaseUrl, repository } = options;
    const steering = repository === undefined ? undefined : new Steering(task, repository);
    await steering?.check();
    const database = await Database.open(task, { url: databaseUrl, folder: join(data, "postgres") }, log);
    const fleet = new Fleet(database, steering, options, log);
    await fleet.#learn();
    return fleet;
  }

  /** From now on roll-outs go on by themselves, the policy is kept good, and others are told what happens. */
  steer(): void {
    const { sql, first } = this.database;
    const steering = this.#steering;
    if (steering !== undefined)
      this.#chores.push(
        new Chore(
          async () => {
            await this.#trying("roll-outs cannot be looked at, or the policy cannot be published", () => tick(first, steering));
            await this.#learn();
          },
          (took) => Math.max(TICK_MS, TICK_REST * took),
        ),
      );
    this.#sender = new Sender(sql, this.#addresses, (error) => this.#log.error({ err: error }, "a webhook cannot be told"));
    const sender = this.#sender;
    let looks = 0;
    const sweep = async (): Promise<void> => {
      await sweepDeliveries(sql);
      await sweepLevels(sql);
      await sweepBuilds(sql, this.#builds);
      await sampleLevels(sql, this.#knowledge);
    };
    this.#chores.push(
      new Chore(
        () => this.#trying("roll-outs cannot be noted", () => sampleRollouts(sql, looks++ % DONE_SAMPLES === 0)),
        () => SAMPLE_MS,
      ),
      new Chore(
        () => this.#trying("what is to be built cannot be looked at", () => this.lookAtBuilds()),
        () => BUILDS_MS,
      ),
      new Chore(
        () => this.#trying("webhooks cannot be looked at", () => markFull(sql)),
        () => SAMPLE_MS,
      ),
      new Chore(
        () => this.#trying("webhooks cannot be told", () => sender.look()),
        () => TELL_MS,
      ),
      new Chore(
        () => this.#trying("what is old cannot be removed", sweep),
        () => SWEEP_MS,
      ),
      new Chore(
        () => this.#trying("silent machines cannot be noted", () => sweepQuiet(sql)),
        () => QUIET_MS,
      ),
    );
    for (const chore of this.#chores) chore.start();
  }

  async lookAtBuilds(): Promise<void> {
    const { sql } = this.database;
    await giveBack(sql);
    await keepReady(sql, this.#knowledge);
  }

  async #trying(wrong: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error({ err: error }, wrong);
    }
  }

  /** What it cannot learn keeps it from nothing else. */
  #learn(): Promise<void> {
    return this.#trying("what the repository's livepatches say cannot be read", async () => this.learner?.learn());
  }

  async close(): Promise<void> {
    for (const chore of this.#chores) await chore.end();
    await this.#sender?.end();
    await this.server.close();
    await this.database.close();
  }

  /** @throws FLEET_LOGIN */
  async #principalOf(request: FastifyRequest): Promise<Principal | undefined> {
    const { first: sql } = this.database;
    const { authorization } = request.headers;
    const session = sessionIn(request);
    if (authorization === undefined) return session === undefined ? undefined : principalOfSession(sql, session);
    const [, key] = /^Bearer (\S{1,200})$/.exec(authorization) ?? [];
    return key === undefined ? undefined : principalOfKey(sql, key);
  }
}
