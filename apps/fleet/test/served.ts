/** A server with a PostgreSQL of its own, for the tests of one file. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Task } from "@suture/task";
import { afterAll } from "vitest";
import { Fleet } from "../src/fleet.ts";
import type { Repository } from "../src/steering/steering.ts";
import { newApiKey } from "../src/users/api-keys.ts";
import { ROLES, type Role } from "../src/users/roles.ts";
import { silent } from "./silent.ts";

const folders: string[] = [];
// Here, not where one is made: that may be in a hook, in which no other is taken.
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** That PostgreSQL's own user can enter. */
export function dataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "suture-fleet-"));
  chmodSync(folder, 0o711);
  folders.push(folder);
  return folder;
}

export interface Answered {
  status: number;
  body: Record<string, unknown>;
}

export class Served {
  readonly fleet: Fleet;
  readonly #keys: ReadonlyMap<Role, string>;

  private constructor(fleet: Fleet, keys: ReadonlyMap<Role, string>) {
    this.fleet = fleet;
    this.#keys = keys;
  }

  static async open(data = dataFolder(), repository?: Repository): Promise<Served> {
    const fleet = await Fleet.open(
      new Task(),
      { data, databaseUrl: undefined, repository, trialChannels: ["trial"], webhookNetworks: ["127.0.0.1/32"] },
      silent,
    );
    const keys = new Map<Role, string>();
    for (const role of ROLES) keys.set(role, (await newApiKey(fleet.database.sql, "test", { name: role, roles: [role] })).key);
    return new Served(fleet, keys);
  }

  /** Until it and its database answer. */
  async well(): Promise<void> {
    for (let i = 0; i < 1200; i++) {
      if ((await this.ask(undefined, "GET", "/healthz")).status === 200) return;
      await sleep(100);
    }
    throw new Error("it does not answer any more");
  }

  /** The answer as it is. */
  raw(as: Role, url: string) {
    return this.fleet.server.inject({ url, headers: { authorization: `Bearer ${this.#keys.get(as)}` } });
  }

  /** @param as whose key is sent; none */
  async ask(as: Role | undefined, method: "GET" | "POST" | "DELETE", url: string, body?: object): Promise<Answered> {
    const key = as === undefined ? undefined : this.#keys.get(as);
    const answer = await this.fleet.server.inject({
      method,
      url,
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { payload: body }),
    });
    const isJson = String(answer.headers["content-type"]).startsWith("application/json");
    return { status: answer.statusCode, body: isJson ? (answer.json() as Record<string, unknown>) : { text: answer.body } };
  }
}
