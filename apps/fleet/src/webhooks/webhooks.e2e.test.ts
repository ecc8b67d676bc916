/** Others are told what happens. */
import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { tokenOf } from "../../test/machine.ts";
import { Served } from "../../test/served.ts";
import { audit, auditAlone } from "../audit/audit.ts";
import { refusalOf } from "../http/refusals.ts";
import { Addresses } from "./address.ts";
import { deliver, dueWebhooks, MOST_TRIES, sweepDeliveries } from "./deliver.ts";
import { markFull } from "./outbox.ts";
import { Sender } from "./sender.ts";
import { removeWebhook } from "./store.ts";

interface Told {
  headers: Record<string, unknown>;
  body: string;
}

let served: Served;
let receiver: Server;
let url: string;
let answer = 200;
const told: Told[] = [];
const here = new Addresses(["127.0.0.1/32"]);

beforeAll(async () => {
  served = await Served.open();
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      told.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(answer, answer === 302 ? { location: "http://127.0.0.1:1/" } : {}).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
afterAll(async () => {
  receiver.close();
  await served.fleet.close();
});

const sql = () => served.fleet.database.sql;
const all = async (addresses = here): Promise<void> => {
  for (const id of await dueWebhooks(sql())) while ((await deliver(sql(), addresses, id)) > 0);
};
/** What waits is due. */
const later = () => sql()`update webhook_delivery set due_at = now()`;

async function made(events: string[], to = url): Promise<{ id: string; secret: string }> {
  const { status, body } = await served.ask("admin", "POST", "/v1/webhooks", { name: "chat", url: to, events });
  expect(status).toBe(200);
  return body as { id: string; secret: string };
}
const states = async (id: string) =>
  (
    (await served.ask("admin", "GET", `/v1/webhooks/${id}/deliveries`)).body.deliveries as { state: string; said: string; tries: number }[]
  ).map(({ state, tries, said }) => ({ state, tries, said }));
const gone = async (id: string): Promise<void> => {
  expect((await served.ask("admin", "DELETE", `/v1/webhooks/${id}`)).status).toBe(200);
};

test("what happens is told, signed with a secret that is shown once, and of the kinds that were asked for", async () => {
  const { id, secret } = await made(["administration"]);
  const other = await made(["rollout"]);
  await tokenOf(served);
  await all();
  // That the second one was made it is told as well.
  expect(told.map(({ body }) => (JSON.parse(body) as { data: { what: string } }).data.what).sort()).toEqual([
    "enrolment token made",
    "webhook made",
    "webhook made",
  ]);
  const [{ headers, body }] = told as [Told];
  const mac = createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"));
  expect(headers["webhook-signature"]).toBe(
    `v1,${mac.update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64")}`,
  );
  expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
  expect(new Set(told.map((one) => one.headers["webhook-id"])).size).toBe(told.length);
  const { body: list } = await served.ask("admin", "GET", "/v1/webhooks");
  expect(JSON.stringify(list)).not.toContain(secret);
  expect(list.webhooks).toMatchObject([
    { id, delivered: 3, waiting: 0 },
    { id: other.id, delivered: 0 },
  ]);
  await gone(id);
  await gone(other.id);
});

test("what is not taken is told again, later each time, and is given up in the end; a person sends it again", async () => {
  told.length = 0;
  answer = 500;
  const { id } = await made(["host"]);
  expect((await served.ask("admin", "POST", `/v1/webhooks/${id}/test`)).status).toBe(200);
  await all();
  expect(await states(id)).toEqual([{ state: "waiting", tries: 1, said: "it answers 500" }]);
  const [first] = await sql()<{ wait: number }>`select extract(epoch from due_at - now())::real as wait from webhook_delivery`;
  expect(first?.wait).toBeGreaterThan(5);
  // It is not due yet.
  await all();
  expect(told).toHaveLength(1);
  // Elsewhere is not whom it was for.
  answer = 302;
  await later();
  await all();
  expect(await states(id)).toEqual([{ state: "waiting", tries: 2, said: "it answers 302" }]);
  for (let i = 2; i < MOST_TRIES; i++) {
    await later();
    await all();
  }
  expect(await states(id)).toEqual([{ state: "dead", tries: MOST_TRIES, said: "it answers 302" }]);
  expect(new Set(told.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  await later();
  await all();
  expect(told).toHaveLength(MOST_TRIES);
  answer = 204;
  expect((await served.ask("admin", "POST", `/v1/webhooks/${id}/retry`)).status).toBe(200);
  await all();
  expect(await states(id)).toEqual([{ state: "delivered", tries: 1, said: "it answers 204" }]);
  // By count: not by a clock, which may have been a year ahead.
  await sql()`update webhook_delivery set done_at = now() - interval '1 year'`;
  await sweepDeliveries(sql());
  expect(await states(id)).toHaveLength(1);
  await sql()`insert into webhook_delivery (webhook, body, state, done_at) select ${id}, '{}', 'delivered', now() from generate_series(1, 10000)`;
  await sweepDeliveries(sql());
  const [left] = await sql()<{
    n: number;
    tried: number;
  }>`select count(*)::integer as n, max(tries) as tried from webhook_delivery where webhook = ${id}`;
  expect(left).toEqual({ n: 10_000, tried: 0 });
  await gone(id);
});

test("one that does not answer keeps no other waiting; and what was put off by a clock that was ahead is sent", async () => {
  told.length = 0;
  answer = 200;
  let asked = 0;
  const silent = createServer(() => {
    asked++;
  });
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  const hangs = await made(["host"], `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`);
  const { id } = await made(["host"]);
  for (let i = 0; i < 30; i++) await served.ask("admin", "POST", `/v1/webhooks/${hangs.id}/test`);
  await served.ask("admin", "POST", `/v1/webhooks/${id}/test`);
  await sql()`update webhook_delivery set due_at = now() + interval '1 year' where webhook = ${id}`;
  const failed = vi.fn();
  const sender = new Sender(sql(), here, failed);
  await sender.look();
  await expect.poll(() => told.length).toBe(1);
  expect(asked).toBeLessThanOrEqual(20);
  silent.closeAllConnections();
  silent.close();
  await sender.end();
  expect(failed).not.toHaveBeenCalled();
  await gone(id);
  await gone(hangs.id);
});

test("of one that nobody takes ten thousand wait, and it is told again when they are gone", async () => {
  const { id } = await made(["administration"]);
  const waiting = async () =>
    (await sql()<{ n: number }>`select count(*)::integer as n from webhook_delivery where webhook = ${id} and state = 'waiting'`)[0]?.n;
  await sql()`insert into webhook_delivery (webhook, body) select ${id}, '{}' from generate_series(1, 10000)`;
  await markFull(sql());
  const before = await waiting();
  await tokenOf(served);
  expect(await waiting()).toBe(before);
  await sql()`delete from webhook_delivery where webhook = ${id}`;
  await markFull(sql());
  await tokenOf(served);
  expect(await waiting()).toBe(1);
  await gone(id);
});

test("removing one ends no other deed that is told to it", async () => {
  const { id } = await made(["administration"]);
  let removed: Promise<void> | undefined;
  await sql().begin(async (within) => {
    await auditAlone(within);
    removed = removeWebhook(sql(), "test", id);
    removed.catch(() => {});
    // It waits for the audit.
    await expect.poll(async () => (await sql()`select from pg_locks where locktype = 'advisory' and not granted`).length).toBe(1);
    await audit(within, { who: "test", what: "something", about: "" });
  });
  await removed;
});

test("what stands behind an address is not for all who read the audit", async () => {
  const { id } = await made(["host"], `${url}/services/T000/a-secret`);
  const { body } = await served.ask("viewer", "GET", "/v1/audit");
  expect(JSON.stringify(body)).toContain(new URL(url).origin);
  expect(JSON.stringify(body)).not.toContain("a-secret");
  await gone(id);
});

test("two servers tell it once, and what one had taken when it died the other tells", async () => {
  told.length = 0;
  answer = 200;
  const { id } = await made(["host"]);
  for (let i = 0; i < 30; i++) await served.ask("admin", "POST", `/v1/webhooks/${id}/test`);
  await Promise.all([all(), all(), all()]);
  expect(told).toHaveLength(30);
  await served.ask("admin", "POST", `/v1/webhooks/${id}/test`);
  await sql()`update webhook_delivery set tries = 1, due_at = now() + interval '60 seconds' where state = 'waiting'`;
  await all();
  expect(told).toHaveLength(30);
  await later();
  await all();
  expect(told).toHaveLength(31);
  await gone(id);
});

test("nothing is sent where the server was not told that it may, also if that was allowed when it was made", async () => {
  told.length = 0;
  for (const wrong of [
    "https://169.254.169.254/latest/meta-data/",
    "http://example.org/",
    "https://[::1]/",
    "https://10.0.0.1/",
    "gopher://x/",
  ])
    expect(await served.ask("admin", "POST", "/v1/webhooks", { name: "x", url: wrong, events: ["host"] }), wrong).toMatchObject({
      status: 400,
    });
  const { id } = await made(["host"]);
  const named = await made(["host"], "https://localhost:1/");
  for (const one of [id, named.id]) await served.ask("admin", "POST", `/v1/webhooks/${one}/test`);
  await all(new Addresses([]));
  expect(told).toEqual([]);
  expect((await states(id))[0]).toMatchObject({ state: "waiting", said: expect.stringContaining("--webhook-network") });
  expect((await states(named.id))[0]).toMatchObject({ state: "waiting", said: expect.stringContaining("localhost") });
  await gone(id);
  await gone(named.id);
});

test("a statement that takes too long is given up, and refused as such", async () => {
  expect(await sql()`show statement_timeout`).toMatchObject([{ statement_timeout: "1min" }]);
  const late = await sql()
    .begin(async (within) => {
      await within`set local statement_timeout = 50`;
      await within`select pg_sleep(5)`;
    })
    .catch((error: unknown) => error);
  expect(refusalOf(late)).toMatchObject({ status: 503, code: "FLEET_DATABASE", why: "it takes too long" });
});

test("metrics tell of the fleet", async () => {
  const { body } = await served.raw("viewer", "/metrics");
  for (const name of ["hosts_waiting 0", "hosts_open 0", 'cves{standing="open"} 0', 'hosts_reboot_wanted{why="left out"} 0'])
    expect(body).toContain(`suture_fleet_${name}\n`);
});
