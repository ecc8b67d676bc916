/** What is told to others is written where it is done, with the audit. */
import type { WebhookEvent } from "@suture/protocol";
import type { Sql, Within } from "../database/sql.ts";

/** Of one that nobody takes, no more than these wait, and what comes until it is seen. */
const MOST_WAITING = 10_000;

/** @param what as the audit has it */
export function eventOf(what: string): WebhookEvent {
  if (/^(?:roll-out|stage)\b/.test(what)) return "rollout";
  if (/^host\b/.test(what)) return "host";
  if (/^(?:livepatch|kernel|database|builds?)\b/.test(what)) return "repository";
  return "administration";
}

export async function tellWebhooks(within: Within, what: string, row: object): Promise<void> {
  const event = eventOf(what);
  const body = JSON.stringify({ type: event, timestamp: new Date().toISOString(), data: row });
  await within`
    insert into webhook_delivery (webhook, body) select w.id, ${body} from webhook w where ${event} = any(w.events) and not w."full"`;
}

/** For which webhooks too much waits. */
export async function markFull(sql: Sql): Promise<void> {
  await sql`
    update webhook w set "full" = not w."full"
    where w."full" <> ((select count(*) from (
      select from webhook_delivery d where d.webhook = w.id and d.state = 'waiting' limit ${MOST_WAITING}) as those) >= ${MOST_WAITING})`;
}
