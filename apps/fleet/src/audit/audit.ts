/** The audit: who did what, hash-chained, so that a row that is changed, taken out or put in is seen. */
import { sha256 } from "@suture/files";
import type { Sql, Within } from "../database/sql.ts";
import { tellWebhooks } from "../webhooks/outbox.ts";

const AUDIT_LOCK = 7_710_002;
const CHECKED_AT_ONCE = 1000;
const FIRST = "0".repeat(64);

export interface AuditRow {
  n: number;
  at: string;
  who: string;
  what: string;
  about: string;
  detail: string;
  previous: string;
  hash: string;
}

export interface Deed {
  who: string;
  what: string;
  /** The id of what it was done to. */
  about: string;
  detail?: object;
}

const hashOf = ({ n, at, who, what, about, detail, previous }: Omit<AuditRow, "hash">): string =>
  sha256(Buffer.from(JSON.stringify([n, at, who, what, about, detail, previous])));

/** By who deletes what others' deeds write beside the audit: before it holds what they wait for. */
export async function auditAlone(within: Within): Promise<void> {
  await within`select pg_advisory_xact_lock(${AUDIT_LOCK})`;
}

/** In the transaction that does it: neither is there without the other. The lock is held until its end, so it comes last in it. */
export async function audit(within: Within, { who, what, about, detail = {} }: Deed): Promise<void> {
  await auditAlone(within);
  const [last] = await within<AuditRow>`select n, hash from audit order by n desc limit 1`;
  const row = {
    n: (last?.n ?? 0) + 1,
    at: new Date().toISOString(),
    who,
    what,
    about,
    detail: JSON.stringify(detail),
    previous: last?.hash ?? FIRST,
  };
  const whole = { ...row, hash: hashOf(row) };
  await within`insert into audit ${within.columns(whole)}`;
  await tellWebhooks(within, what, { n: row.n, at: row.at, who, what, about, detail });
}

/** @returns the first row that is not as it was written, or follows none; undefined if all are good */
export async function brokenAudit(sql: Sql): Promise<number | undefined> {
  let previous = FIRST;
  let n = 0;
  for (;;) {
    const rows = await sql<AuditRow>`select * from audit where n > ${n} order by n limit ${CHECKED_AT_ONCE}`;
    for (const row of rows) {
      n += 1;
      if (row.n !== n || row.previous !== previous || row.hash !== hashOf(row)) return row.n;
      previous = row.hash;
    }
    if (rows.length < CHECKED_AT_ONCE) return undefined;
  }
}

/** The newest first; `before`: those older than that one. */
export async function auditPage(sql: Sql, { before, limit }: { before: number | undefined; limit: number }): Promise<AuditRow[]> {
  return sql<AuditRow>`select * from audit where ${before === undefined ? sql`true` : sql`n < ${before}`} order by n desc limit ${limit}`;
}
