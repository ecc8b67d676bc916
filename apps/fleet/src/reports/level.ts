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

/** The migration has the same in SQL. */
export function levelOf({ release, buildId, version, livepatches }: HostReportState): LevelRow {
  const inEffect = livepatches.flatMap(({ name, sha256, inEffect: is }) => (is ? [sha256 ?? `name:${name}`] : [])).sort();
  const text = [release, buildId ?? "", version ?? "", inEffect.join(",")].join("\n");
  const id = createHash("md5").update(text).digest("hex");
  return { id, release, build_id: buildId, version: version || null, livepatches: inEffect };
}

export async function putLevels(within: Within, levels: readonly LevelRow[]): Promise<void> {
  const rows = [...new Map(levels.map((level) => [level.id, level])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (rows.length === 0) return;
  await within`
    insert into level (id, release, build_id, version, livepatches)
    select id, release, build_id, version, livepatches
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (id text, release text, build_id text, version text, livepatches text[])
    on conflict (id) do update set seen_at = now() where level.seen_at < now() - interval '1 hour'`;
}
