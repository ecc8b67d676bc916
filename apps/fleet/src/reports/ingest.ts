/**
 * Reports into the database, many in one transaction: what comes from everywhere at the same time waits for a moment and goes in together. An answer is given
 * when they are in. The newest of a host is what its counter says; an older one, or the same again, changes nothing.
 */
import type { KeyObject } from "node:crypto";
import {
  type HostReportState,
  type HostState,
  type ReportBody,
  type ReportOutcome,
  reportBodySchema,
  reportText,
  type SignedReport,
} from "@suture/protocol";
import * as v from "valibot";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { isSignedBy, publicKeyOf } from "../hosts/enrol.ts";
import { eventsBetween, statusOf } from "./judge.ts";
import { levelOf, placeAt, putLevels } from "./level.ts";

/** More than these in one transaction gain nothing. */
const BATCH = 1000;
/** How long the first waits for others. */
const GATHER_MS = 20;
/** Beyond these the server says that it has too much to do. */
const MOST_WAITING = 20_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** Of each machine the newest are kept. */
const EVENTS = 500;
const KEYS = 50_000;

interface Waiting {
  report: SignedReport;
  done(outcome: ReportOutcome): void;
  failed(error: unknown): void;
}

interface Known {
  id: string;
  machine_id: string;
  labels: string[];
  state: HostState;
  public_key: string;
  counter: number | null;
  boot_id: string | null;
  digest: string | null;
  report: HostReportState | null;
  level: string | null;
  level_moves: number | null;
  level_recent: boolean | null;
}

/** What else is to be done with what machines now say, in the same transaction. */
export type Told = (within: Within, news: readonly News[]) => Promise<void>;

/** The newest of a host in a batch. */
interface Change {
  body: ReportBody;
  state: HostReportState;
  /** It is another state than the one that is kept. */
  whole: boolean;
}

export interface News {
  host: string;
  machineId: string;
  /** Of its enrolment. */
  labels: readonly string[];
  bootId: string;
  before: { bootId: string; state: HostReportState } | undefined;
  now: HostReportState;
  /** All that it said in the meantime, and now last. */
  told: readonly HostReportState[];
  /** In which boot it said each. */
  boots: readonly string[];
}

export class Ingest {
  readonly #sql: Sql;
  readonly #told: Told;
  readonly #keys = new Map<string, KeyObject>();
  #waiting: Waiting[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(sql: Sql, told: Told) {
    this.#sql = sql;
    this.#told = told;
  }

  /** @throws FLEET_BUSY, and what the database says: then none of them is known to be in */
  async take(reports: readonly SignedReport[]): Promise<ReportOutcome[]> {
    const bytes = reports.reduce((sum, { body }) => sum + body.length, 0);
    if (this.#waiting.length + reports.length > MOST_WAITING || this.#bytes + bytes > MOST_BYTES)
      throw fail("FLEET_BUSY", `${this.#waiting.length} reports of ${this.#bytes} bytes wait`);
    this.#bytes += bytes;
    const all = reports.map(
      (report) =>
        new Promise<ReportOutcome>((done, failed) => {
          this.#waiting.push({ report, done, failed });
        }),
    );
    this.#soon();
    return Promise.all(all);
  }

  #soon(): void {
    if (this.#busy) return;
    if (this.#waiting.length >= BATCH) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#round();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#round();
    }, GATHER_MS);
  }

  async #round(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const batch = this.#waiting.splice(0, BATCH);
    this.#bytes -= batch.reduce((sum, { report }) => sum + report.body.length, 0);
    try {
      const outcomes = await this.#store(batch.map(({ report }) => report));
      batch.forEach(({ done }, i) => {
        done(outcomes[i] ?? "wrong");
      });
    } catch (error) {
      for (const { failed } of batch) failed(error);
    } finally {
      this.#busy = false;
      if (this.#waiting.length > 0) this.#soon();
    }
  }

  async #store(reports: readonly SignedReport[]): Promise<ReportOutcome[]> {
    return this.#sql.begin(async (within) => {
      // In one order everywhere, so that two servers do not wait for each other.
      const ids = [...new Set(reports.map(({ host }) => host))].sort();
      await within`select host from host_state where host = any(${ids}) order by host for update`;
      const rows = await within<Known>`
        select h.id, h.machine_id, h.labels, h.state, h.public_key, s.counter, s.boot_id, s.digest, s.report, s.level, s.level_moves,
          s.level_since between now() - interval '1 hour' and now() + interval '1 minute' as level_recent
        from host h left join host_state s on s.host = h.id where h.id = any(${ids})`;
      const known = new Map(rows.map((row) => [row.id, row]));
      const news = new Map<string, News>();
      const changed = new Map<string, Change>();
      const outcomes: ReportOutcome[] = [];
      for (const report of reports) outcomes.push(this.#judge(report, known, changed, news));
      if (changed.size > 0) {
        await put(within, changed, known);
        await events(within, news);
      }
      const held = await heldOf(within, changed);
      // What it is told not to load it is not about to load.
      const told = [...news.values()].map((one) => (held.has(one.host) ? withoutIntent(one) : one));
      if (told.length > 0) await this.#told(within, told);
      return outcomes.map((outcome, i) => (outcome === "taken" && held.has(reports[i]?.host ?? "") ? "held" : outcome));
    }) as Promise<ReportOutcome[]>;
  }

  #judge(
    { host, body: text, signature }: SignedReport,
    known: Map<string, Known>,
    changed: Map<string, Change>,
    news: Map<string, News>,
  ): ReportOutcome {
    const row = known.get(host);
    if (row === undefined) return "no such host";
    const key = this.#keyOf(row.public_key);
    if (key === undefined || !isSignedBy(key, reportText(text), signature)) return "wrong";
    const body = bodyOf(text);
    if (body === undefined || body.host !== host) return "wrong";
    if (row.state !== "approved") return "not approved";
    if (row.counter !== null && body.counter <= row.counter) return "known";
    const state = body.state ?? (body.digest === row.digest ? row.report : null);
    if (state === null) return "whole wanted";
    const before = row.report === null || row.boot_id === null ? undefined : { bootId: row.boot_id, state: row.report };
    if (body.state !== undefined || before?.bootId !== body.bootId) {
      const first = news.get(host);
      const { machine_id: machineId, labels } = row;
      const told = [...(first?.told ?? []), state];
      const boots = [...(first?.boots ?? []), body.bootId];
      news.set(host, {
        host,
        machineId,
        labels,
        bootId: body.bootId,
        before: first === undefined ? before : first.before,
        now: state,
        told,
        boots,
      });
    }
    changed.set(host, { body, state, whole: body.state !== undefined || changed.get(host)?.whole === true });
    // For one that comes later in the same batch.
    known.set(host, { ...row, counter: body.counter, boot_id: body.bootId, digest: body.digest, report: state });
    return "taken";
  }

  #keyOf(hex: string): KeyObject | undefined {
    const found = this.#keys.get(hex) ?? publicKeyOf(hex);
    if (found === undefined) return undefined;
    // The oldest goes: a fleet's reports come round.
    if (this.#keys.size >= KEYS) for (const first of this.#keys.keys()) if (this.#keys.delete(first)) break;
    this.#keys.set(hex, found);
    return found;
  }
}

function bodyOf(text: string): ReportBody | undefined {
  try {
    const checked = v.safeParse(reportBodySchema, JSON.parse(text, wellFormed), { abortEarly: true });
    return checked.success && !text.includes("\\u0000") ? checked.output : undefined;
  } catch {
    return undefined;
  }
}

/** Half of a character is no text for the database. */
function wellFormed(_key: string, value: unknown): unknown {
  if (typeof value === "string" && Buffer.from(value).toString() !== value) throw new SyntaxError("half of a character");
  return value;
}

function withoutIntent({ now, told, ...news }: News): News {
  return { ...news, now: { ...now, intent: null }, told: told.map((state) => ({ ...state, intent: null })) };
}

async function put(within: Within, changed: ReadonlyMap<string, Change>, known: ReadonlyMap<string, Known>): Promise<void> {
  const now = new Date();
  const rows = [...changed].sort(([a], [b]) => (a < b ? -1 : 1));
  const levels = rows.map(([host, { state }]) => {
    const { level = null, level_moves: moves, level_recent: recent } = known.get(host) ?? {};
    const row = levelOf(state);
    return { host, row, before: level, place: placeAt(row.id, { level, moves: moves ?? 0, recent: recent === true }) };
  });
  const places = new Map(levels.map(({ host, place }) => [host, place]));
  await putLevels(
    within,
    levels.flatMap(({ row, before, place }) => (place.level === null || place.level === before ? [] : [row])),
  );
  const columns = rows.map(([host, { body, state, whole }]) => ({
    host,
    counter: body.counter,
    boot_id: body.bootId,
    // Seconds by which its clock is ahead.
    clock_offset: Math.max(-1e9, Math.min(1e9, (new Date(body.at).getTime() - now.getTime()) / 1000)),
    digest: body.digest,
    release: state.release,
    build_id: state.buildId,
    channel: state.channel,
    beat_seconds: state.beatSeconds,
    accepted: state.counter,
    status: statusOf(state),
    level: places.get(host)?.level ?? null,
    moves: places.get(host)?.moves ?? 0,
    begins: places.get(host)?.begins === true,
    report: whole ? state : null,
  }));
  // One value for all of them: as many parameters as columns, however many rows there are.
  await within`
    insert into host_state (host, counter, seen_at, boot_id, clock_offset, digest, release, build_id, channel, beat_seconds, accepted, status, level, level_moves,
      level_since, report)
    select r.host, r.counter, now(), r.boot_id, r.clock_offset, r.digest, r.release, r.build_id, r.channel, r.beat_seconds, r.accepted, r.status,
      r.level, r.moves, case when r.begins then now() else old.level_since end, coalesce(r.report, old.report)
    from jsonb_to_recordset(${JSON.stringify(columns)}::text::jsonb) as r (host text, counter bigint, boot_id text, clock_offset real, digest text,
      release text, build_id text, channel text, beat_seconds integer, accepted bigint, status text, level text, moves integer, begins boolean,
      report jsonb)
    left join host_state old on old.host = r.host
    on conflict (host) do update set counter = excluded.counter, seen_at = excluded.seen_at, boot_id = excluded.boot_id, clock_offset = excluded.clock_offset,
      digest = excluded.digest, release = excluded.release, build_id = excluded.build_id, channel = excluded.channel, beat_seconds = excluded.beat_seconds, accepted = excluded.accepted,
      status = excluded.status, level = excluded.level, level_moves = excluded.level_moves, level_since = excluded.level_since, report = excluded.report,
      quiet = false
    where host_state.counter < excluded.counter`;
}

/** A machine that asked a mirror which is behind does not know that a roll-out is held. Of others' roll-outs the policy alone tells. */
async function heldOf(within: Within, changed: ReadonlyMap<string, Change>): Promise<Set<string>> {
  const intents = [...changed].flatMap(([host, { state }]) => (state.intent === null ? [] : [{ host, ...state.intent }]));
  if (intents.length === 0) return new Set();
  const rows = await within<{ id: string; livepatch: string; goes: boolean }>`
    select id, livepatch, phase in ('rolling', 'done') as goes from rollout where id = any(${[...new Set(intents.map(({ rollOut }) => rollOut))]})`;
  const known = new Map(rows.map((row) => [row.id, row]));
  const isHeld = ({ rollOut, sha256 }: (typeof intents)[number]): boolean => {
    const of = known.get(rollOut);
    // By this roll-out another livepatch comes.
    return of !== undefined && (!of.goes || of.livepatch !== sha256);
  };
  return new Set(intents.flatMap((intent) => (isHeld(intent) ? [intent.host] : [])));
}

async function events(within: Within, news: ReadonlyMap<string, News>): Promise<void> {
  const rows = [...news.values()].flatMap(({ host, before, told, boots }) => {
    let last = before;
    return told.flatMap((state, i) => {
      const bootId = boots[i] ?? "";
      const found = eventsBetween(last, bootId, state).map((event) => ({ host, ...event }));
      last = { bootId, state };
      return found;
    });
  });
  if (rows.length === 0) return;
  await within`
    insert into host_event (host, what, detail)
    select host, what, detail from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (host text, what text, detail text)`;
  await within`
    delete from host_event e using unnest(${[...new Set(rows.map(({ host }) => host))]}::text[]) as mine (host)
      cross join lateral (select n from host_event where host = mine.host order by n desc offset ${EVENTS} limit 1) as last
    where e.host = mine.host and e.n <= last.n`;
}
