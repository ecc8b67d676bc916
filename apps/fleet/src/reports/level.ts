/** What a machine is to CVEs: its kernel, and the livepatches that are in effect in it. */
import { createHash } from "node:crypto";
import type { HostReportState } from "@suture/protocol";
import type { Within } from "../database/sql.ts";

export interface LevelRow {
  id: string;
  release: string;
  build_id: string | null;
  version: string | null;
  /** SHA-256; `name:NAME` of one that Suture has not loaded. */
  livepatches: string[];
}

/** A row is short: no machine has more in effect; what is left out closes nothing. */
const MOST = 20;
/** A module's name has 55 at most. */
const LONGEST_NAME = 64;
/** As dpkg has it. */
const VERSION = /^\d[\w.+~:-]*$/;

/** The migration has the same in SQL, of what a machine may say. */
export function levelOf({ release, buildId, version = "", livepatches }: HostReportState): LevelRow {
  const all = livepatches.flatMap(({ name, sha256, inEffect }) => (inEffect ? [sha256 ?? `name:${name.slice(0, LONGEST_NAME)}`] : []));
  const known = VERSION.test(version) ? version : "";
  // What Suture has loaded comes first.
  const inEffect = all.sort().slice(0, MOST);
  const text = [release, buildId ?? "", known, inEffect.join(",")].join("\n");
  const id = createHash("md5").update(text).digest("hex");
  return { id, release, build_id: buildId, version: known || null, livepatches: inEffect };
}

/** Of what a machine is at, and how often it came to another one within an hour. */
export interface Place {
  level: string | null;
  moves: number;
  /** The first of them was within the last hour. */
  recent: boolean;
}

/** A livepatch in and out, a kernel booted and the one before: more in an hour is none's need, and makes rows. */
export const MOST_MOVES = 20;

export interface Placed extends Pick<Place, "level" | "moves"> {
  /** Its hour begins with this move. */
  begins: boolean;
}

/** @returns with `level` null where it moves too often: then nothing is known of it for the rest of the hour */
export function placeAt(id: string, { level, moves, recent }: Place): Placed {
  if (level === id) return { level, moves, begins: false };
  if (!recent) return { level: id, moves: 1, begins: true };
  return { level: moves < MOST_MOVES ? id : null, moves: Math.min(moves + 1, MOST_MOVES), begins: false };
}

export async function putLevels(within: Within, levels: readonly LevelRow[]): Promise<void> {
  const rows = [...new Map(levels.map((level) => [level.id, level])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (rows.length === 0) return;
  // Not each batch writes, or waits for, a row that all have. What is not held here is younger than what the sweep takes.
  await within`
    update level set seen_at = now()
    where id = any(${rows.map(({ id }) => id)}) and seen_at not between now() - interval '1 hour' and now() + interval '1 hour'`;
  await within`
    insert into level (id, release, build_id, version, livepatches)
    select id, release, build_id, version, livepatches
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (id text, release text, build_id text, version text, livepatches text[])
    on conflict do nothing`;
}
