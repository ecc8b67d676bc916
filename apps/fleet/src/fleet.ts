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
import { Ingest } from "./reports/ingest.ts";
import { principalOfKey } from "./users/api-keys.ts";
import type { Principal } from "./users/roles.ts";
import { userRoutes } from "./users/routes.ts";

export const VERSION = "0.1.0";

export interface FleetOptions {
  /** Of all that the server keeps. */
  data: string;
  /** postgres://...; undefined: one of its own in `data`. */
  databaseUrl: string | undefined;
}

export class Fleet {
  readonly database: Database;
  readonly routes: readonly Route[];
  readonly server: FastifyInstance;

  private constructor(database: Database, log: Logger) {
    this.database = database;
    const { sql } = database;
    const metrics = new Metrics();
    this.routes = [
      ...ownRoutes(sql, metrics, VERSION, () => this.routes),
      ...userRoutes(sql),
      ...hostRoutes(sql, new Ingest(sql, async () => {})),
    ];
    this.server = makeServer({ routes: this.routes, log, metrics, principalOf: (request) => this.#principalOf(request) });
  }

  /** @throws FLEET_POSTGRES, FLEET_DATABASE, FLEET_NEWER */
  static async open(task: Task, { data, databaseUrl }: FleetOptions, log: Logger): Promise<Fleet> {
    const database = await Database.open(task, { url: databaseUrl, folder: join(data, "postgres") }, log);
    return new Fleet(database, log);
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.database.close();
  }

  /** @throws FLEET_LOGIN */
  async #principalOf({ headers: { authorization } }: FastifyRequest): Promise<Principal | undefined> {
    const [, key] = /^Bearer (\S{1,200})$/.exec(authorization ?? "") ?? [];
    return key === undefined ? undefined : principalOfKey(this.database.sql, key);
  }
}
