/** What waits for a webhook is sent, and sent again until it is taken, or for a day. Of several servers each takes what no other has. */
import { createHmac } from "node:crypto";
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import type { Sql } from "../database/sql.ts";
import type { Addresses } from "./address.ts";

const AT_ONCE = 20;
const PATIENCE_MS = 10_000;
/** Longer than sending takes: who dies while sending has not taken it for ever. */
const CLAIM_SECONDS = 60;
const FIRST_SECONDS = 15;
const LONGEST_SECONDS = 4 * 3600;
/** About a day and a half. */
export const MOST_TRIES = 16;
/** Of those that were sent, or given up. */
const KEPT = 10_000;

interface Delivery {
  n: number;
  webhook: string;
  body: string;
  tries: number;
  url: string;
  secret: string;
}

/** As standardwebhooks.com has it. */
export function signatureOf(secret: string, id: string, seconds: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`;
}

/** By whose clock was ahead when it was put off, it would be for as long. */
const isDue = (sql: Sql) =>
  sql`d.state = 'waiting' and (d.due_at <= now() or d.due_at > now() + make_interval(secs => ${2 * LONGEST_SECONDS}))`;

/** Webhooks for which something is due. */
export async function dueWebhooks(sql: Sql): Promise<string[]> {
  const rows = await sql<{
    id: string;
  }>`select w.id from webhook w where exists (select from webhook_delivery d where d.webhook = w.id and ${isDue(sql)})`;
  return rows.map(({ id }) => id);
}

/** @returns how many were sent to it, taken or not */
export async function deliver(sql: Sql, addresses: Addresses, webhook: string): Promise<number> {
  const due = await sql<Delivery>`
    with mine as materialized (
      select d.n from webhook_delivery d where d.webhook = ${webhook} and ${isDue(sql)} order by d.due_at limit ${AT_ONCE} for update skip locked)
    update webhook_delivery d set tries = d.tries + 1, due_at = now() + make_interval(secs => ${CLAIM_SECONDS})
    from mine, webhook w where w.id = d.webhook and d.n = mine.n
    returning d.n, d.webhook, d.body, d.tries, w.url, w.secret`;
  await Promise.all(
    due.map(async (delivery) => {
      const { isTaken, said } = await send(delivery, addresses);
      const { n, tries } = delivery;
      // Not all of those that one receiver has not taken at once.
      const wait = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (tries - 1)) * (0.75 + Math.random() / 2);
      const state = isTaken ? "delivered" : tries >= MOST_TRIES ? "dead" : "waiting";
      await sql`
        update webhook_delivery set state = ${state}, said = ${said}, due_at = now() + make_interval(secs => ${wait}),
          done_at = case when ${state} <> 'waiting' then now() end
        where n = ${n} and state = 'waiting'`;
    }),
  );
  return due.length;
}

/** Of each webhook, for people to look at: by count, so that a clock that is wrong for a while takes nothing away. */
export async function sweepDeliveries(sql: Sql): Promise<void> {
  await sql`
    delete from webhook_delivery d using webhook w
      cross join lateral (select n from webhook_delivery o where o.webhook = w.id and o.state <> 'waiting' order by n desc offset ${KEPT} limit 1) as last
    where d.webhook = w.id and d.state <> 'waiting' and d.n <= last.n`;
}

function send({ n, webhook, body, url, secret }: Delivery, addresses: Addresses): Promise<{ isTaken: boolean; said: string }> {
  return new Promise((done) => {
    const failed = (error: unknown): void =>
      done({ isTaken: false, said: (error instanceof Error ? error.message : String(error)).replaceAll("\0", "").slice(0, 300) });
    try {
      const target = addresses.check(url);
      const id = `${webhook}-${n}`;
      const seconds = Math.floor(Date.now() / 1000);
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "suture-fleet",
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": signatureOf(secret, id, seconds, body),
      };
      const start = target.protocol === "https:" ? secure : plain;
      // Whom it sends us to is not who was named: a redirection is no success.
      const asked = start(target, {
        method: "POST",
        headers,
        lookup: addresses.lookup,
        agent: false,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      asked.on("error", failed);
      asked.on("response", (answer) => {
        const { statusCode = 0 } = answer;
        // What it says is not read.
        answer.destroy();
        done({ isTaken: statusCode >= 200 && statusCode < 300, said: `it answers ${statusCode}` });
      });
      asked.end(body);
    } catch (error) {
      failed(error);
    }
  });
}
