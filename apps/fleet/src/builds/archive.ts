/** What builders say that the archive has. The server asks no archive itself; who lies has something built that is not to be had. */
import type { ArchivedKernel } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";

/** A builder tells it each hour. */
const DAYS = 2;

export async function putArchive(sql: Sql, builder: string, kernels: readonly ArchivedKernel[]): Promise<void> {
  const unique = [...new Map(kernels.map((kernel) => [`${kernel.release} ${kernel.version} ${kernel.suite}`, kernel])).values()];
  await sql.begin(async (within) => {
    await within`
      insert into builder (name, kernels) values (${builder}, ${unique.length})
      on conflict (name) do update set seen_at = now(), kernels = excluded.kernels`;
    await within`delete from archive_kernel where builder = ${builder}`;
    await within`
      insert into archive_kernel (builder, release, version, suite, can, why)
      select ${builder}, release, version, suite, can, why
      from jsonb_to_recordset(${JSON.stringify(unique)}::text::jsonb) as r (release text, version text, suite text, can boolean, why text)`;
  });
}

/** Of all builders: it can be built for where one of them can. */
export async function archiveOf(sql: Sql): Promise<ArchivedKernel[]> {
  return sql<ArchivedKernel>`
    select distinct on (k.release, k.version) k.release, k.version, k.suite, k.can, k.why from archive_kernel k join builder b on b.name = k.builder
    where b.seen_at between now() - make_interval(days => ${DAYS}) and now() + interval '1 hour'
    order by k.release, k.version, k.can desc, k.suite desc`;
}

export interface Builder {
  name: string;
  seen_at: Date;
  kernels: number;
}

export async function builders(sql: Sql): Promise<Builder[]> {
  return sql<Builder>`select name, seen_at, kernels from builder where seen_at > now() - interval '1 day' order by name`;
}
