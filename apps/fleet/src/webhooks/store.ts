/** Who is told. */
import { randomBytes } from "node:crypto";
import { sha256 } from "@suture/files";
import type { FleetDelivery, FleetWebhook, NewWebhook } from "@suture/protocol";
import { audit, auditAlone } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Addresses } from "./address.ts";

const MOST = 50;
const SHOWN = 200;

/** @returns the secret, which is not shown again. @throws FLEET_REQUEST, FLEET_STATE */
export async function newWebhook(
  sql: Sql,
  addresses: Addresses,
  who: string,
  { name, url, events }: NewWebhook,
): Promise<{ id: string; secret: string }> {
  const { href } = addresses.check(url);
  const id = randomBytes(6).toString("hex");
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  await sql.begin(async (within) => {
    const [row] = await within<{ n: number }>`select count(*)::integer as n from webhook`;
    if ((row?.n ?? 0) >= MOST) throw fail("FLEET_STATE", `there are ${MOST} webhooks already`);
    await within`insert into webhook ${within.columns({ id, name, url: href, events: [...events], secret, made_by: who })}`;
    await audit(within, { who, what: "webhook made", about: id, detail: { name, ...shownOf(href), events } });
  });
  return { id, secret };
}

/** The audit is read by all, and for ever: what stands behind the host may be a secret. */
const shownOf = (href: string): { address: string; sha256: string } => ({
  address: new URL(href).origin,
  sha256: sha256(Buffer.from(href)),
});

export async function webhooks(sql: Sql): Promise<FleetWebhook[]> {
  const rows = await sql<Omit<FleetWebhook, "made"> & { made: Date }>`
    select w.id, w.name, w.url, w.events, w.made_at as made,
      count(d.n) filter (where d.state = 'waiting')::integer as waiting, count(d.n) filter (where d.state = 'dead')::integer as dead,
      count(d.n) filter (where d.state = 'delivered')::integer as delivered
    from webhook w left join webhook_delivery d on d.webhook = w.id group by w.id order by w.made_at`;
  return rows.map((row) => ({ ...row, made: row.made.toISOString() }));
}

/** What waits for it goes with it. @throws FLEET_NONE */
export async function removeWebhook(sql: Sql, who: string, id: string): Promise<void> {
  await sql.begin(async (within) => {
    // What each deed tells is a row that holds the webhook's.
    await auditAlone(within);
    const found = await within`delete from webhook where id = ${id}`;
    if (found.count === 0) throw fail("FLEET_NONE", `there is no webhook ${id}`);
    await audit(within, { who, what: "webhook removed", about: id });
  });
}

/** The newest first. @throws FLEET_NONE */
export async function deliveries(sql: Sql, id: string): Promise<FleetDelivery[]> {
  await known(sql, id);
  const rows = await sql<{ n: number; at: Date; state: FleetDelivery["state"]; tries: number; due_at: Date; said: string; body: string }>`
    select n, at, state, tries, due_at, said, body from webhook_delivery where webhook = ${id} order by n desc limit ${SHOWN}`;
  return rows.map(({ at, due_at, ...row }) => ({
    ...row,
    at: at.toISOString(),
    next: row.state === "waiting" ? due_at.toISOString() : null,
  }));
}

/** Also what was given up is sent again. @throws FLEET_NONE */
export async function retryWebhook(sql: Sql, who: string, id: string): Promise<void> {
  await known(sql, id);
  await sql.begin(async (within) => {
    await within`
      update webhook_delivery set state = 'waiting', tries = 0, due_at = now(), done_at = null where webhook = ${id} and state in ('dead', 'waiting')`;
    await audit(within, { who, what: "webhook sent again", about: id });
  });
}

/** Something that shows that it is reached. @throws FLEET_NONE */
export async function testWebhook(sql: Sql, id: string): Promise<void> {
  await known(sql, id);
  const body = JSON.stringify({ type: "test", timestamp: new Date().toISOString(), data: {} });
  await sql`insert into webhook_delivery (webhook, body) values (${id}, ${body})`;
}

async function known(sql: Sql, id: string): Promise<void> {
  const [row] = await sql`select from webhook where id = ${id}`;
  if (row === undefined) throw fail("FLEET_NONE", `there is no webhook ${id}`);
}
