/** Comma-separated values (RFC 4180), which programs for tables open: no cell is a formula to them. */
import type { Sql } from "../database/sql.ts";
import { conditionsOf, type HostFilter } from "../hosts/list.ts";
import { SILENT_SECONDS } from "../hosts/silent.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";

type Cell = string | number | null | undefined;

/** At the beginning of a cell; and behind what other programs for tables take for the end of one. */
const FORMULA = /(?<=^|[;\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/g;

export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(cellText).join(",")}\r\n`;
}

function cellText(cell: Cell): string {
  if (typeof cell === "number") return String(cell);
  const text = (cell ?? "").replaceAll("\0", "");
  const plain = text.replace(FORMULA, "'");
  return /[",;\t\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export async function cvesCsv(knowledge: Knowledge): Promise<string> {
  const lines = (await knowledge.cves()).map(({ id, title, open, unknown, closed }) => csvLine([id, title, open, unknown, closed]));
  return [csvLine(["cve", "title", "open", "unknown", "closed"]), ...lines].join("");
}

const BATCH = 2000;
const HEAD = [
  "name",
  "id",
  "enrolment",
  "status",
  "release",
  "build_id",
  "version",
  "level",
  "open_cves",
  "unknown_cves",
  "reboot_wanted",
  "covered_until",
  "livepatch_number",
  "channel",
  "labels",
  "last_heard_of",
];

interface Row {
  id: string;
  name: string;
  state: string;
  labels: string[];
  seen_at: Date | null;
  release: string | null;
  build_id: string | null;
  channel: string | null;
  accepted: number | null;
  status: string | null;
  level: string | null;
}

/** A million rows are read as they are sent. */
export async function* hostsCsv(sql: Sql, knowledge: Knowledge, filter: Omit<HostFilter, "limit" | "after">): AsyncGenerator<string> {
  const known = new Map((await knowledge.levels()).map(({ group, kernel }) => [group.id, kernel]));
  const silent = new Date(Date.now() - SILENT_SECONDS * 1000);
  yield csvLine(HEAD);
  let after: { name: string; id: string } | undefined;
  for (;;) {
    const rows: Row[] = await sql<Row>`
      select h.id, h.name, h.state, h.labels, s.seen_at, s.release, s.build_id, s.channel, s.accepted, s.status, s.level
      from host h left join host_state s on s.host = h.id
      where ${conditionsOf(sql, filter, silent)} and ${after === undefined ? sql`true` : sql`(h.name, h.id) > (${after.name}, ${after.id})`}
      order by h.name, h.id limit ${BATCH}`;
    yield rows.map((row) => line(row, known.get(row.level ?? ""), silent)).join("");
    after = rows.at(-1);
    if (rows.length < BATCH) return;
  }
}

function line(row: Row, kernel: Awaited<ReturnType<Knowledge["kernels"]>>[number] | undefined, silent: Date): string {
  const { name, id, state, status, seen_at, release, build_id, accepted, channel, labels } = row;
  return csvLine([
    name,
    id,
    state,
    seen_at === null ? "never seen" : seen_at < silent ? "silent" : status,
    release,
    build_id,
    kernel?.version,
    kernel?.level,
    kernel?.open,
    kernel?.unknown,
    kernel === undefined ? "" : kernel.reboot.map(({ code }) => code).join(" "),
    kernel?.coveredUntil,
    accepted,
    channel,
    labels.join(" "),
    seen_at?.toISOString(),
  ]);
}
