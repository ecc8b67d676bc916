/** What the server knows at the moment, read from the database no more often than it can bear. */
import type { CveStanding, FleetCve, FleetCveWhole, FleetKernel, HostLevel } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { isApproved } from "../hosts/counts.ts";
import { type ByCve, silentBefore } from "../hosts/silent.ts";
import { type Cover, cvesOf, Judge, type Judged, type LevelGroup } from "./picture.ts";
import type { KnownCve, KnownLivepatch, Standing } from "./standing.ts";

/** As many times as it took to count, what was counted is good: a small fleet's page is of now, a large one's no load. */
const REST = 20;
const LONGEST_MS = 30_000;
const LONG_MS = 300;
const OLD_MS = 300_000;
/** Those with most machines: each is a list of all CVEs. Of machines at the others nothing is known. */
const MOST_LEVELS = 2000;

const NOTHING_SAID: Standing = {
  standing: "unknown",
  reason: "unknown",
  why: "no livepatch of the repository says anything of it for this kernel",
  mend: null,
};

interface Counted {
  /** By a clock that is not set. */
  at: number;
  /** For people. */
  time: Date;
  took: number;
  judge: Judge;
  levels: Judged[];
  cves: FleetCve[];
}

export class Knowledge {
  readonly #sql: Sql;
  #judge: { stamp: number; judge: Judge } | undefined;
  #counted: Counted | undefined;
  #counting: Promise<Counted> | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async kernels(): Promise<FleetKernel[]> {
    return (await this.#now()).levels.map(({ kernel }) => kernel);
  }

  /** Of when what is said here is. */
  async counted(): Promise<Date> {
    return (await this.#now()).time;
  }

  async levels(): Promise<readonly Judged[]> {
    return (await this.#now()).levels;
  }

  async cves(): Promise<readonly FleetCve[]> {
    return (await this.#now()).cves;
  }

  async titles(): Promise<ReadonlyMap<string, string>> {
    return (await this.#now()).judge.facts.titles;
  }

  /** @throws FLEET_NONE */
  async cve(id: string): Promise<FleetCveWhole> {
    const { levels, cves, judge } = await this.#now();
    const found = cves.find((cve) => cve.id === id);
    if (found === undefined) throw fail("FLEET_NONE", `no livepatch of the repository speaks of ${id}`);
    return {
      ...found,
      kernels: levels.map(({ kernel: { release, buildId, version, livepatches, machines, silent }, standings }) => ({
        release,
        buildId,
        version,
        livepatches,
        machines,
        silent,
        ...(standings.get(id) ?? NOTHING_SAID),
      })),
      livepatches: judge.facts.livepatches.flatMap(({ sha256, name, release, cves: of }) => {
        const state = of.get(id)?.state;
        return state === undefined ? [] : [{ sha256, name, release, state }];
      }),
    };
  }

  /** The machines that stand so to a CVE: as they are counted. @throws FLEET_NONE */
  async hostsWhere(id: string, standing: CveStanding): Promise<ByCve> {
    await this.cve(id);
    const { levels } = await this.#now();
    const at = (which: CveStanding): string[] =>
      levels.flatMap(({ group, standings }) => (standings.get(id)?.standing === which ? [group.id] : []));
    return { standing, open: at("open"), closed: at("closed") };
  }

  /** @param level as its newest report has it */
  async host(level: string | null, rebootWanted: readonly string[]): Promise<HostLevel | null> {
    if (level === null) return null;
    const judge = await this.#facts();
    const [group] = await this.#sql<Omit<LevelGroup, "machines" | "silent">>`
      select id, release, build_id as "buildId", version, livepatches from level where id = ${level}`;
    if (group === undefined) return null;
    const { kernel, standings, inEffect } = judge.judge({ ...group, machines: 1, silent: 0 }, today());
    const { version, level: reached, open, unknown, closed, reboot, coveredUntil } = kernel;
    return {
      version,
      level: reached,
      open,
      unknown,
      closed,
      reboot: [
        ...reboot,
        ...rebootWanted
          .filter((name) => !inEffect.some((one) => one.withdrawn && one.name === name))
          .map((name) => ({ code: "withdrawn" as const, why: `${name} is withdrawn, and cannot be taken out` })),
      ],
      coveredUntil,
      openCves: [...standings].flatMap(([id, { standing, reason, why }]) => (standing === "open" ? [{ id, reason, why }] : [])),
    };
  }

  async #now(): Promise<Counted> {
    const counted = this.#counted;
    const isOfNow = (one: Counted): boolean => performance.now() - one.at < Math.min(LONGEST_MS, REST * one.took);
    const isSame = counted !== undefined && counted.judge === (await this.#facts());
    if (isSame && isOfNow(counted)) return counted;
    // Of many who ask at once one counts.
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined;
    });
    // Of a large fleet nobody waits for it, if what was counted is not old.
    if (isSame && counted.took > LONG_MS && performance.now() - counted.at < OLD_MS) {
      this.#counting.catch(() => {});
      return counted;
    }
    return this.#counting;
  }

  async #count(): Promise<Counted> {
    const began = performance.now();
    const time = new Date();
    const judge = await this.#facts();
    const rows = await this.#sql<Omit<LevelGroup, "id"> & { id: string | null }>`
      select l.id, l.release, l.build_id as "buildId", l.version, coalesce(l.livepatches, '{}') as livepatches, c.machines, c.silent
      from (select s.level, count(*)::integer as machines, (count(*) filter (where ${silentBefore(this.#sql)}))::integer as silent
        from host_state s where ${isApproved(this.#sql)} group by s.level
        union all select null, count(*)::integer, 0 from host where not heard and state = 'approved' having count(*) > 0) c
      left join level l on l.id = c.level order by c.machines desc, l.release, l.id`;
    const groups = rows.filter((row): row is LevelGroup => row.id !== null);
    const shown = groups.slice(0, MOST_LEVELS);
    const unseen = [...rows.filter(({ id }) => id === null), ...groups.slice(MOST_LEVELS)].reduce((sum, { machines }) => sum + machines, 0);
    const levels = judge.all(shown, today());
    const cves = cvesOf(levels, judge.facts.titles, unseen);
    this.#counted = { at: performance.now(), time, took: performance.now() - began, judge, levels, cves };
    return this.#counted;
  }

  /** What is read anew only where there is something new. */
  async #facts(): Promise<Judge> {
    const [row] = await this.#sql<{ version: number }>`select version from knowledge`;
    const stamp = row?.version ?? 0;
    if (this.#judge?.stamp === stamp) return this.#judge.judge;
    const livepatches = await this.#sql<Omit<KnownLivepatch, "cves">>`
      select sha256, name, release, build_id as "buildId", counter, base_version as "baseVersion", target_version as "targetVersion",
        target_release as "targetRelease", whole, listed, withdrawn from livepatch order by build_id, counter`;
    const cves = new Map<string, Map<string, KnownCve>>(livepatches.map(({ sha256 }) => [sha256, new Map()]));
    for (const { livepatch, cve, ...known } of await this.#sql<KnownCve & { livepatch: string; cve: string }>`
      select livepatch, cve, state, why, code, mend, first_in as "firstIn", fixed_in as "fixedIn", own from livepatch_cve`)
      cves.get(livepatch)?.set(cve, known);
    const covers = await this.#sql<
      Cover & { build_id: string }
    >`select build_id, to_char(until, 'YYYY-MM-DD') as until, why from kernel_cover`;
    const titles = await this.#sql<{ id: string; title: string }>`select id, title from cve`;
    const judge = new Judge({
      livepatches: livepatches.map((livepatch) => ({ ...livepatch, cves: cves.get(livepatch.sha256) ?? new Map<string, KnownCve>() })),
      covers: new Map(covers.map(({ build_id, until, why }) => [build_id, { until, why }])),
      titles: new Map(titles.map(({ id, title }) => [id, title])),
    });
    this.#judge = { stamp, judge };
    return judge;
  }
}

const today = (): string => new Date().toISOString().slice(0, 10);
