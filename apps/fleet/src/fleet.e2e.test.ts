/** The server and its own PostgreSQL. */
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Task } from "@suture/task";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder, Served } from "../test/served.ts";
import { silent } from "../test/silent.ts";
import { audit, brokenAudit } from "./audit/audit.ts";
import { Database } from "./database/database.ts";
import { ROLES } from "./users/roles.ts";

const data = dataFolder();
let served: Served;

beforeAll(async () => {
  served = await Served.open(data);
});
afterAll(() => served.fleet.close());

const postmaster = (): number => Number(readFileSync(join(data, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]);

describe("its own PostgreSQL", () => {
  test("is reached by a socket alone, which nobody else can enter", async () => {
    expect(await served.fleet.database.sql`show listen_addresses`).toMatchObject([{ listen_addresses: "" }]);
    expect(await served.fleet.database.sql`show fsync`).toMatchObject([{ fsync: "on" }]);
  });

  test("killed, it is started again, with all that was acknowledged; meanwhile requests are refused as such", async () => {
    const { sql } = served.fleet.database;
    await sql`create table counted (n int primary key)`;
    for (let round = 0; round < 2; round++) {
      let acknowledged = 0;
      const base = round * 100_000;
      let going = true;
      const writing = (async () => {
        while (going) {
          try {
            await sql`insert into counted values (${base + acknowledged})`;
            acknowledged++;
          } catch {
            break;
          }
        }
      })();
      await sleep(300);
      process.kill(postmaster(), "SIGKILL");
      await writing;
      going = false;
      const during = await served.ask(undefined, "GET", "/healthz");
      expect([200, 503]).toContain(during.status);
      await served.well();
      const [row] = await sql<{ n: number }>`select count(*)::int as n from counted where n >= ${base}`;
      expect(acknowledged).toBeGreaterThan(0);
      // One more may have been written and not told.
      expect(row?.n).toBeGreaterThanOrEqual(acknowledged);
    }
  });

  test("is of the release that made its data, or is not started; a link in its place is not followed", async () => {
    const folder = join(dataFolder(), "postgres");
    mkdirSync(join(folder, "data"), { recursive: true });
    writeFileSync(join(folder, "data/PG_VERSION"), "9\n");
    await expect(Database.open(new Task(), { url: undefined, folder }, silent)).rejects.toMatchObject({
      code: "FLEET_POSTGRES",
      message: expect.stringContaining("install postgresql-9"),
    });
    const other = join(dataFolder(), "postgres");
    mkdirSync(other);
    symlinkSync("/tmp", join(other, "socket"));
    const before = statSync("/tmp");
    await expect(Database.open(new Task(), { url: undefined, folder: other }, silent)).rejects.toMatchObject({ code: "FLEET_POSTGRES" });
    expect(statSync("/tmp")).toMatchObject({ mode: before.mode, uid: before.uid });
  });

  test("a second process on the same folder uses it; when the first goes, the second one keeps it", async () => {
    const folder = join(dataFolder(), "postgres");
    const first = await Database.open(new Task(), { url: undefined, folder }, silent);
    const second = await Database.open(new Task(), { url: undefined, folder }, silent);
    await first.sql`create table shared (n int)`;
    await second.sql`insert into shared values (1)`;
    await first.close();
    let rows: readonly object[] | undefined;
    for (let i = 0; i < 1200 && rows === undefined; i++) {
      rows = await second.sql<{ n: number }>`select n from shared`.catch(() => undefined);
      await sleep(100);
    }
    expect(rows).toEqual([{ n: 1 }]);
    await second.close();
  });
});

describe("migrations", () => {
  test("one that is not known here, or is another one, is refused", async () => {
    const { sql } = served.fleet.database;
    const url = { url: undefined, folder: join(data, "postgres") };
    await sql`insert into migration (name, sha256) values ('9999-later.sql', '')`;
    await expect(Database.open(new Task(), url, silent)).rejects.toMatchObject({ code: "FLEET_NEWER" });
    await sql`delete from migration where name = '9999-later.sql'`;
    const [first] = await sql<{ name: string; sha256: string }>`select * from migration order by name limit 1`;
    await sql`update migration set sha256 = 'other' where name = ${first?.name ?? ""}`;
    await expect(Database.open(new Task(), url, silent)).rejects.toMatchObject({ code: "FLEET_NEWER" });
    await sql`update migration set sha256 = ${first?.sha256 ?? ""} where name = ${first?.name ?? ""}`;
    await (await Database.open(new Task(), url, silent)).close();
  });
});

describe("the audit", () => {
  test("cannot be changed, and what somebody changes all the same is seen", async () => {
    const { sql } = served.fleet.database;
    for (let i = 0; i < 20; i++) await sql.begin((within) => audit(within, { who: "ada", what: "looked", about: String(i) }));
    expect(await brokenAudit(sql)).toBeUndefined();
    await expect(sql`update audit set who = 'bob' where n = 7`).rejects.toThrow("only added to");
    await expect(sql`delete from audit where n = 7`).rejects.toThrow("only added to");
    const changed = async (change: () => PromiseLike<unknown>, back: () => PromiseLike<unknown>): Promise<number | undefined> => {
      await sql`alter table audit disable trigger audit_is_kept`;
      await change();
      const broken = await brokenAudit(sql);
      await back();
      await sql`alter table audit enable trigger audit_is_kept`;
      return broken;
    };
    const [row] = await sql`select * from audit where n = 7`;
    expect(
      await changed(
        () => sql`update audit set who = 'bob' where n = 7`,
        () => sql`update audit set who = ${row?.who} where n = 7`,
      ),
    ).toBe(7);
    expect(
      await changed(
        () => sql`delete from audit where n = 7`,
        () => sql`insert into audit ${sql.columns(row ?? {})}`,
      ),
    ).toBe(8);
    expect((await served.ask("viewer", "GET", "/v1/audit/check")).body).toEqual({ broken: null });
  });

  test("many at once are one chain", async () => {
    const { sql } = served.fleet.database;
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => sql.begin((within) => audit(within, { who: "many", what: "at once", about: String(i) }))),
    );
    expect(await brokenAudit(sql)).toBeUndefined();
  });
});

describe("routes", () => {
  test("each is refused without a login, and to each role that it does not name", async () => {
    for (const { method, path, who, page } of served.fleet.routes) {
      if (who === "anyone" || who === "host") continue;
      const url = path.replace(/:\w+/g, "000000000000");
      expect((await served.ask(undefined, method, url, method === "POST" ? {} : undefined)).status, `${method} ${path}`).toBe(
        page && method === "GET" ? 303 : 401,
      );
      for (const role of ROLES) {
        const { status } = await served.ask(role, method, url, method === "POST" ? {} : undefined);
        if (who.includes(role)) expect([401, 403], `${role}: ${method} ${path}`).not.toContain(status);
        else expect(status, `${role}: ${method} ${path}`).toBe(403);
      }
    }
  });

  test("are all in the OpenAPI document", async () => {
    const { body } = await served.ask(undefined, "GET", "/openapi.json");
    const paths = body.paths as Record<string, Record<string, { summary: string }>>;
    for (const { method, path, what } of served.fleet.routes.filter(({ page }) => !page))
      expect(paths[path.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()]?.summary).toBe(what);
  });

  test("refuse what is not of their form, by name", async () => {
    for (const body of [{}, { name: "x", roles: [] }, { name: "x", roles: ["king"] }, { name: "x", roles: ["viewer"], more: 1 }])
      expect(await served.ask("admin", "POST", "/v1/keys", body)).toMatchObject({
        status: 400,
        body: { error: { code: "FLEET_REQUEST" } },
      });
    expect(await served.ask("viewer", "GET", "/v1/nothing")).toMatchObject({ status: 404 });
  });

  test("one address asks so often in a minute, and is refused until that is over; a text that is none is a fault of who asks", async () => {
    const from = (remoteAddress: string) => served.fleet.server.inject({ url: "/healthz", remoteAddress });
    for (let i = 0; i < 1200; i++) expect((await from("192.0.2.1")).statusCode).toBe(200);
    const refused = await from("192.0.2.1");
    expect([refused.statusCode, refused.json()]).toMatchObject([429, { error: { code: "FLEET_BUSY" } }]);
    expect((await from("192.0.2.2")).statusCode).toBe(200);
    expect((await served.ask("viewer", "GET", "/v1/hosts?name=%00")).status).toBe(400);
  });

  test("a key works until it is revoked or has expired", async () => {
    const made = (await served.ask("admin", "POST", "/v1/keys", { name: "ci", roles: ["viewer"], days: 1 })).body as {
      id: string;
      key: string;
    };
    const use = async (): Promise<number> =>
      (await served.fleet.server.inject({ url: "/v1/audit", headers: { authorization: `Bearer ${made.key}` } })).statusCode;
    expect(await use()).toBe(200);
    const { sql } = served.fleet.database;
    await sql`update api_key set expires_at = now() - interval '1 second' where id = ${made.id}`;
    expect(await use()).toBe(401);
    await sql`update api_key set expires_at = null where id = ${made.id}`;
    expect(await use()).toBe(200);
    expect((await served.ask("admin", "DELETE", `/v1/keys/${made.id}`)).status).toBe(200);
    expect(await use()).toBe(401);
    expect((await served.ask("admin", "DELETE", `/v1/keys/${made.id}`)).status).toBe(404);
  });
});
