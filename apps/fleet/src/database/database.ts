/** The one store: PostgreSQL, with plain SQL. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Task } from "@suture/task";
import type { Logger } from "pino";
import { fail } from "../errors.ts";
import { migrate } from "./migrate.ts";
import { PrivateCluster } from "./private-cluster.ts";
import { connect, type Sql } from "./sql.ts";

const ANSWER_MS = 120_000;

export class Database {
  readonly sql: Sql;
  /** Connections that pages and metrics cannot take: for reports, roll-outs, and who asks. */
  readonly first: Sql;
  readonly #cluster: PrivateCluster | undefined;

  private constructor(sql: Sql, first: Sql, cluster: PrivateCluster | undefined) {
    this.sql = sql;
    this.first = first;
    this.#cluster = cluster;
  }

  /**
   * With all migrations run.
   * @param url postgres://...; undefined: a private one in `folder`
   * @throws FLEET_POSTGRES, FLEET_DATABASE, FLEET_NEWER
   */
  static async open(task: Task, { url, folder }: { url: string | undefined; folder: string }, log: Logger): Promise<Database> {
    const cluster = url === undefined ? await PrivateCluster.open(task, folder, log) : undefined;
    const reached = url === undefined ? (cluster?.reached ?? {}) : { connectionString: url };
    const sql = connect(reached);
    const database = new Database(sql, connect(reached), cluster);
    try {
      await answers(sql, url === undefined ? ANSWER_MS : 15_000);
      await migrate(sql);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.sql.end();
    await this.first.end();
    await this.#cluster?.close();
  }
}

async function answers(sql: Sql, patience: number): Promise<void> {
  const until = Date.now() + patience;
  for (;;) {
    try {
      await sql`select 1`;
      return;
    } catch (cause) {
      if (Date.now() > until) throw fail("FLEET_DATABASE", cause instanceof Error ? cause.message : String(cause), {}, { cause });
      await sleep(200);
    }
  }
}

/** Whether it says that the database is not there, or went away, and not that what was asked of it is wrong. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Of the library, which gives these no code.
  if (/^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/.test(error.message))
    return true;
  // 57P01 to 57P03: it is shutting down, or starting; 08: the connection; 53: it has no room or memory.
  return "code" in error && /^(?:ECONN|ENOENT|EPIPE|57P0[1-3]|08...|53...)/.test(String(error.code));
}
