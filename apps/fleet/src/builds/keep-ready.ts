/** "Wherever the fleet has a kernel, a livepatch to the newest of its series is kept ready": what that setting has built. */
import { type BuildOptions, compareVersions, type FleetWanted, type NewBuild } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { archiveOf } from "./archive.ts";
import { newBuild } from "./queue.ts";
import { type Bringing, inArchive, type Made, type RunKernel, wantedOf } from "./wanted.ts";

const ITSELF = "the server";
/** Of advisory locks: one server at a time looks. */
const BUILD_LOCK = 7_710_006;
const NO_OPTIONS: BuildOptions = { take: [], leaveOut: [], acceptDoubt: [] };

export async function isKeptReady(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ keep_ready: boolean }>`select keep_ready from building`;
  return row?.keep_ready === true;
}

export async function setKeepReady(sql: Sql, who: string, keepReady: boolean): Promise<void> {
  await sql.begin(async (within) => {
    await within`update building set keep_ready = ${keepReady}`;
    if (!keepReady)
      await within`
        update build set state = 'cancelled', why = 'livepatches are not kept ready any more', ended_at = now() where state = 'waiting' and by_setting`;
    await audit(within, { who, what: keepReady ? "builds kept ready" : "builds not kept ready", about: "" });
  });
}

async function runKernels(knowledge: Knowledge): Promise<RunKernel[]> {
  return (await knowledge.kernels()).flatMap(({ release, buildId, version, machines }) =>
    buildId === null ? [] : [{ release, buildId, version, machines }],
  );
}

export async function wantedNow(sql: Sql, knowledge: Knowledge): Promise<FleetWanted[]> {
  const livepatches = await sql<Bringing>`
    select build_id as "buildId", target_version as "targetVersion", listed, withdrawn from livepatch where target_version is not null and whole`;
  const builds = await sql<Made>`
    select distinct on (build_id, target_release) id, build_id as "buildId", target_release as "targetRelease", target_version as "targetVersion", state, why,
      true as whole
    from build where options = ${JSON.stringify(NO_OPTIONS)}::text::jsonb and state not in ('cancelled', 'superseded')
    order by build_id, target_release, made_at desc`;
  return wantedOf(await runKernels(knowledge), await archiveOf(sql), livepatches, builds);
}

/** A look at the fleet and at the archive. What waits for a release that is not the newest any more, or for a kernel that nobody runs, is not built. */
export async function keepReady(sql: Sql, knowledge: Knowledge): Promise<void> {
  if (!(await isKeptReady(sql))) return;
  const wanted = await wantedNow(sql, knowledge);
  await sql.begin(async (within) => {
    const [lock] = await within<{ mine: boolean }>`select pg_try_advisory_xact_lock(${BUILD_LOCK}) as mine`;
    if (lock?.mine !== true) return;
    const waiting = await within<{ id: string; build_id: string; target_release: string; target_version: string }>`
      select id, build_id, target_release, coalesce(target_version, '') as target_version from build where state = 'waiting' and by_setting order by id for update`;
    for (const { id, build_id: buildId, target_release: release, target_version: version } of waiting) {
      const now = wanted.find((kernel) => kernel.buildId === buildId);
      // Of what the archive has nobody may have told for a while.
      if (now?.state === "cannot") continue;
      const isOlder = now?.newest !== null && now?.newest !== undefined && compareVersions(version, now.newest.version) < 0;
      const why =
        now === undefined ? "no machine runs it any more" : isOlder ? `${now.newest?.release} is newer than ${release}` : undefined;
      if (why === undefined) continue;
      await within`update build set state = 'superseded', why = ${why}, ended_at = now() where id = ${id}`;
      await audit(within, { who: ITSELF, what: "build superseded", about: id, detail: { why } });
    }
    for (const { state, release, buildId, version, machines, newest } of wanted)
      if (state === "wanted" && newest !== null)
        await newBuild(within, ITSELF, {
          ...{ release, buildId, version, machines, options: NO_OPTIONS, bySetting: true },
          targetRelease: newest.release,
          targetVersion: newest.version,
          why: `${machines} machines run it, and ${newest.release} is the newest of its series`,
        });
  });
}

/** By a person. @throws FLEET_NONE, FLEET_BUILD, FLEET_STATE */
export async function askForBuild(sql: Sql, knowledge: Knowledge, who: string, asked: NewBuild): Promise<string> {
  const { buildId, to, why, ...options } = asked;
  const kernel = wantedOf(await runKernels(knowledge), [], [], []).find((one) => one.buildId === buildId);
  if (kernel === undefined) throw fail("FLEET_NONE", `no machine of the fleet runs a kernel with the build-id ${buildId}`);
  const archive = await archiveOf(sql);
  const found = inArchive(kernel, archive);
  if (typeof found === "string") throw fail("FLEET_BUILD", `${kernel.release}: ${found}`);
  const target = to === "newest" ? found.newest : archive.find(({ release }) => release === to);
  if (target === undefined) throw fail("FLEET_BUILD", `the archive has no ${to}, as far as builders know`);
  if (compareVersions(target.version, found.own.version) <= 0)
    throw fail(
      "FLEET_BUILD",
      `${target.release} is of ${target.version}, which is not newer than ${found.own.version} of ${kernel.release}`,
    );
  const id = await sql.begin((within) =>
    newBuild(within, who, {
      ...{ release: kernel.release, buildId, version: found.own.version, machines: kernel.machines, bySetting: false, why },
      targetRelease: target.release,
      targetVersion: target.version,
      options,
    }),
  );
  if (id === undefined) throw fail("FLEET_STATE", "the same is waiting, or being built");
  return id;
}
