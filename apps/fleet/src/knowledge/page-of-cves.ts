/** CVEs page by page. */
import type { FleetCve } from "@suture/protocol";

export interface CveQuery {
  /** The beginning of its id, or a word of its title. */
  id?: string | undefined;
  open?: string | undefined;
  /** How many come before. */
  after?: string | undefined;
}

export function cvePage(
  all: readonly FleetCve[],
  { id = "", open, after = "0" }: CveQuery,
  most: number,
): { cves: FleetCve[]; next: string | null } {
  const word = id.trim().toLowerCase();
  const found = all.filter(
    (cve) =>
      (open !== "1" || cve.open > 0) && (word === "" || cve.id.toLowerCase().startsWith(word) || cve.title.toLowerCase().includes(word)),
  );
  const from = Number(after);
  return { cves: found.slice(from, from + most), next: found.length > from + most ? String(from + most) : null };
}
