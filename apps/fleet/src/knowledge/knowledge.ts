/** What the server knows at the moment, read from the database no more often than it can bear. */
import type { FleetCve, FleetCveWhole, FleetKernel, HostLevel } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Cover, cvesOf, Judge, type Judged, type LevelGroup } from "./picture.ts";
import type { KnownCve, KnownLivepatch } from "./standing.ts";

/** As many times as it took to count, what was counted is good: a small fleet's page is of now, a large one's no load. */
const REST = 20;
const LONGEST_MS = 30_000;
const LONG_MS = 300;
const OLD_MS = 300_000;

interface Counted {
  at: number;
  took: number;
  judge: Judge;
  levels: Judged[];
  cves: FleetCve[];
}

export class Knowledge {
  readonly #sql: Sql;
  #judge: { stamp: string; judge: Judge } | undefined;
  #counted: Counted | undefined;
  #counting: Promise<Counted> | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async kernels(): Promise<FleetKernel[]> {
    return (await this.#now()).levels.map(({ kernel }) => kernel);
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
      kernels: levels.flatMap(({ kernel, standings }) => {
        const standing = standings.get(id);
        if (standing === undefined) return [];
        const { release, buildId, version, livepatches, machines } = kernel;
        return [{ release, buildId, version, livepatches, machines, ...standing }];
      }),
      livepatches: judge.facts.livepatches.flatMap(({ sha256, name, release, cves: of }) => {
        const state = of.get(id)?.state;
        return state === undefined ? [] : [{ sha256, name, release, state }];
      }),
    };
  }

  /** The levels at which machines stand so to a CVE. @throws FLEET_NONE */
  async levelsWhere(id: string, standing: "open" | "unknown" | "closed"): Promise<string[]> {
    await this.cve(id);
    return (await this.#now()).levels.flatMap(({ group, standings }) => (standings.get(id)?.standing === standing ? [group.id] : []));
  }

  /** @param level as its newest report has it */
  async host(level: string | null, rebootWanted: readonly string[]): Promise<HostLevel | null> {
    if (level === null) return null;
    const judge = await this.#facts();
    const [group] = await this.#sql<Omit<LevelGroup, "machines">>`
      select id, release, build_id as "buildId", version, livepatches from level where id = ${level}`;
    if (group === undefined) return null;
    const { kernel, standings } = judge.judge({ ...group, machines: 1 }, today());
    const { version, level: reached, open, unknown, closed, reboot, coveredUntil } = kernel;
    return {
      version,
      level: reached,
      open,
      unknown,
      closed,
      reboot: [
        ...reboot,
        ...rebootWanted.map((name) => ({ code: "withdrawn" as const, why: `${name} is withdrawn, and cannot be taken out` })),
      ],
      coveredUntil,
      openCves: [...standings].flatMap(([id, { standing, reason, why }]) => (standing === "open" ? [{ id, reason, why }] : [])),
    };
  }

  async #now(): Promise<Counted> {
    const counted = this.#counted;
    const isOfNow = (one: Counted): boolean => Date.now() - one.at < Math.min(LONGEST_MS, REST * one.took);
    const isSame = counted !== undefined && counted.judge === (await this.#facts());
    if (isSame && isOfNow(counted)) return counted;
    // Of many who ask at once one counts.
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined;
    });
    // Of a large fleet nobody waits for it, if what was counted is not old.
    if (isSame && counted.took > LONG_MS && Date.now() - counted.at < OLD_MS) {
      this.#counting.catch(() => {});
      return counted;
    }
    return this.#counting;
  }

  async #count(): Promise<Counted> {
    const began = Date.now();
    const judge = await this.#facts();
    const groups = await this.#sql<LevelGroup>`
      select l.id, l.release, l.build_id as "buildId", l.version, l.livepatches, c.machines
      from (select s.level, count(*)::integer as machines from host_state s join host h on h.id = s.host
        where h.state = 'approved' group by s.level) c
      join level l on l.id = c.level order by c.machines desc, l.release, l.id`;
    const day = today();
    const levels = groups.map((group) => judge.judge(group, day));
    const cves = cvesOf(levels, judge.facts.titles);
    this.#counted = { at: Date.now(), took: Date.now() - began, judge, levels, cves };
    return this.#counted;
  }

  /** What is read anew only where there is something new. */
  async #facts(): Promise<Judge> {
    const [row] = await this.#sql<{ stamp: string }>`
      select concat((select count(*) || '/' || max(learnt_at) from livepatch), ' ', (select count(*) || '/' || max(at) from kernel_cover)) as stamp`;
    const stamp = row?.stamp ?? "";
    if (this.#judge?.stamp === stamp) return this.#judge.judge;
    const livepatches = await this.#sql<Omit<KnownLivepatch, "cves">>`
      select sha256, name, release, build_id as "buildId", counter, base_version as "baseVersion", target_version as "targetVersion",
        target_release as "targetRelease", listed, withdrawn from livepatch order by build_id, counter`;
    const cves = new Map<string, Map<string, KnownCve>>(livepatches.map(({ sha256 }) => [sha256, new Map()]));
    for (const { livepatch, cve, ...known } of await this.#sql<KnownCve & { livepatch: string; cve: string }>`
      select livepatch, cve, state, why, code, mend, fixed_in as "fixedIn" from livepatch_cve`)
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
