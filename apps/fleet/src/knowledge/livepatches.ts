/** Livepatches as the database knows them, with what each says of CVEs. */
import type { FleetLivepatch, FleetLivepatchWhole } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Steering } from "../steering/steering.ts";
import type { Knowledge } from "./knowledge.ts";
import { compareIds } from "./picture.ts";

type Row = Omit<FleetLivepatch, "machines">;

/** The newest of each kernel first. */
export async function fleetLivepatches(sql: Sql, knowledge: Knowledge): Promise<FleetLivepatch[]> {
  const machines = new Map<string, number>();
  for (const { group, inEffect } of await knowledge.levels())
    for (const { sha256 } of inEffect) machines.set(sha256, (machines.get(sha256) ?? 0) + group.machines);
  const rows = await sql<Row>`
    select sha256, name, release, build_id as "buildId", counter, proven, base_version as "baseVersion", target_version as "targetVersion",
      listed, withdrawn, account is not null as account, review is not null as review
    from livepatch order by release, build_id, counter desc`;
  return rows.map((row) => ({ ...row, machines: machines.get(row.sha256) ?? 0 }));
}

/** @throws FLEET_NONE */
export async function fleetLivepatch(sql: Sql, knowledge: Knowledge, sha256: string): Promise<FleetLivepatchWhole> {
  const found = (await fleetLivepatches(sql, knowledge)).find((one) => one.sha256 === sha256);
  if (found === undefined) throw fail("FLEET_NONE", `there is no livepatch ${sha256}`);
  const cves = await sql<{ id: string; title: string; state: string; why: string; code: string | null; mend: string | null }>`
    select c.cve as id, t.title, c.state, c.why, c.code, c.mend from livepatch_cve c join cve t on t.id = c.cve where c.livepatch = ${sha256}`;
  return {
    ...found,
    cves: cves
      .sort((a, b) => compareIds(b.id, a.id))
      .map(({ code, mend, ...more }) => ({ ...more, ...(code === null ? {} : { code }), ...(mend === null ? {} : { mend }) })),
  };
}

/** What people read before they signed it. @throws FLEET_NONE, TRUST_MISSING, TRUST_MISMATCH */
export async function besideLivepatch(
  sql: Sql,
  steering: Steering | undefined,
  sha256: string,
  what: "account" | "review",
): Promise<Buffer> {
  const [row] = await sql<{
    account: string | null;
    review: string | null;
  }>`select account, review from livepatch where sha256 = ${sha256}`;
  const file = row?.[what];
  if (file == null || steering === undefined) throw fail("FLEET_NONE", `no ${what} of ${sha256} is here`);
  return steering.beside(JSON.parse(file) as { path: string; sha256: string });
}

/** Until when livepatches are made for a kernel: a person's word. */
export async function coverKernel(
  sql: Sql,
  who: string,
  buildId: string,
  { until, why }: { until: string | null; why: string },
): Promise<void> {
  await sql.begin(async (within) => {
    if (until === null) await within`delete from kernel_cover where build_id = ${buildId}`;
    else
      await within`
        insert into kernel_cover (build_id, until, why, who) values (${buildId}, ${until}, ${why}, ${who})
        on conflict (build_id) do update set until = excluded.until, why = excluded.why, who = excluded.who, at = clock_timestamp()`;
    await audit(within, { who, what: "kernel covered", about: buildId, detail: { until, why } });
  });
}
