/** The fleet as a whole: its levels, with how many machines each has, and how each CVE stands for each. Pure. */
import { compareVersions, type FleetCve, type FleetKernel } from "@suture/protocol";
import {
  boundsOf,
  type Fixes,
  fixesOf,
  type Kernel,
  type KnownLivepatch,
  kernelStandings,
  levelOf,
  type Standing,
  seriesOf,
  versionOf,
  withLivepatches,
} from "./standing.ts";

/** As the database has it, with the machines that are at it. */
export interface LevelGroup extends Kernel {
  id: string;
  livepatches: readonly string[];
  machines: number;
  /** Of these, not heard of for three beats: what they have is not known. */
  silent: number;
}

export interface Cover {
  until: string;
  why: string;
}

export interface Facts {
  livepatches: readonly KnownLivepatch[];
  /** By build-id. */
  covers: ReadonlyMap<string, Cover>;
  titles: ReadonlyMap<string, string>;
}

/** A level, and what it comes to. */
export interface Judged {
  group: LevelGroup;
  inEffect: readonly KnownLivepatch[];
  kernel: FleetKernel;
  standings: ReadonlyMap<string, Standing>;
}

type Made = Pick<Judged, "inEffect" | "standings"> & { unsaid: number };

/** What facts come to for each level: made once, as long as the facts are the same and machines are at it. */
export class Judge {
  readonly facts: Facts;
  readonly #bySha: ReadonlyMap<string, KnownLivepatch>;
  readonly #fixes: Fixes;
  readonly #bounds = new Map<string, readonly string[]>();
  /** By build, or by place among the releases that fix something: what a machine says of itself makes no more of them. */
  readonly #kernels = new Map<string, ReadonlyMap<string, Standing>>();
  #levels: ReadonlyMap<string, Made> = new Map();

  constructor(facts: Facts) {
    this.facts = facts;
    this.#bySha = new Map(facts.livepatches.map((livepatch) => [livepatch.sha256, livepatch]));
    this.#fixes = fixesOf(facts.livepatches);
  }

  /** Others are forgotten. */
  all(groups: readonly LevelGroup[], today: string): Judged[] {
    this.#levels = new Map(groups.map((group) => [group.id, this.#made(group)]));
    return groups.map((group) => this.judge(group, today));
  }

  judge(group: LevelGroup, today: string): Judged {
    const { release, buildId, livepatches, machines, silent } = group;
    const { standings, inEffect, unsaid } = this.#made(group);
    const version = versionOf(group, this.facts.livepatches);
    const count = { open: 0, unknown: unsaid, closed: 0 };
    let leftOut = 0;
    for (const { standing, reason } of standings.values()) {
      count[standing]++;
      if (standing === "open" && (reason === "left out" || reason === "older")) leftOut++;
    }
    const cover = buildId === null ? undefined : this.facts.covers.get(buildId);
    const reboot: FleetKernel["reboot"] = [];
    for (const { name, withdrawn } of inEffect)
      if (withdrawn) reboot.push({ code: "withdrawn", why: `${name} is withdrawn, and is still in the kernel` });
    if (leftOut > 0)
      reboot.push({
        code: "left out",
        why: `${leftOut === 1 ? "an open CVE is" : `${leftOut} open CVEs are`} fixed by a newer kernel, and by no livepatch that there is for this one`,
      });
    if (cover !== undefined && cover.until < today)
      reboot.push({ code: "not covered", why: `no livepatches are made for it since ${cover.until}: ${cover.why}` });
    const kernel: FleetKernel = {
      release,
      buildId,
      version,
      livepatches: livepatches.map((sha256) => this.#bySha.get(sha256)?.name ?? sha256),
      machines,
      silent,
      level: levelOf(version, inEffect),
      ...count,
      reboot,
      coveredUntil: cover?.until ?? null,
    };
    return { group, inEffect, kernel, standings };
  }

  #made(group: LevelGroup): Made {
    const known = this.#levels.get(group.id);
    if (known !== undefined) return known;
    const inEffect = group.livepatches
      .flatMap((sha256) => this.#bySha.get(sha256) ?? [])
      .filter(({ buildId }) => buildId === group.buildId);
    const standings = withLivepatches(this.#kernel(group), inEffect, this.#fixes);
    let unsaid = 0;
    for (const id of this.facts.titles.keys()) if (!standings.has(id)) unsaid++;
    return { inEffect, standings, unsaid };
  }

  #kernel(kernel: Kernel): ReadonlyMap<string, Standing> {
    const { livepatches } = this.facts;
    const version = versionOf(kernel, livepatches);
    const line = livepatches.filter(({ buildId }) => buildId === kernel.buildId);
    const key = `${line.length === 0 ? "" : kernel.buildId} ${version === null ? "" : this.#placeOf(version)}`;
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const made = kernelStandings(version, line, this.#fixes);
    this.#kernels.set(key, made);
    return made;
  }

  /** Versions of one place have the same fixes. */
  #placeOf(version: string): string {
    const series = seriesOf(version);
    const fixes = this.#fixes.get(series);
    if (fixes === undefined) return "of no series";
    const bounds = this.#bounds.get(series) ?? boundsOf(fixes);
    this.#bounds.set(series, bounds);
    let [low, high] = [0, bounds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareVersions(bounds[middle] ?? "", version) < 0) low = middle + 1;
      else high = middle;
    }
    const at = compareVersions(bounds[low] ?? "", version) === 0 ? "at" : "before";
    return `${series} ${at} ${low} ${version.includes("+really")}`;
  }
}

/**
 * Those to which most machines are open come first. What nothing is said of is unknown: of levels, and of machines that are at none; and so is whether a
 * silent machine still has what closed it.
 * @param unseen machines that are at no level of these
 */
export function cvesOf(all: readonly Judged[], titles: ReadonlyMap<string, string>, unseen: number): FleetCve[] {
  const unknown = all.reduce((sum, { group }) => sum + group.machines, unseen);
  const found = new Map<string, FleetCve>([...titles].map(([id, title]) => [id, { id, title, open: 0, unknown, closed: 0 }]));
  for (const { group, standings } of all)
    for (const [id, { standing }] of standings) {
      const cve = found.get(id) ?? { id, title: "", open: 0, unknown, closed: 0 };
      found.set(id, cve);
      const machines = standing === "closed" ? group.machines - group.silent : group.machines;
      cve.unknown -= machines;
      cve[standing] += machines;
    }
  return [...found.values()].sort((a, b) => b.open - a.open || b.unknown - a.unknown || compareIds(b.id, a.id));
}

/** By year and number. */
export function compareIds(a: string, b: string): number {
  const [year, number] = numbers(a);
  const [otherYear, otherNumber] = numbers(b);
  return year - otherYear || number - otherNumber;
}

function numbers(id: string): [number, number] {
  const [, year = "0", number = "0"] = id.split("-");
  return [Number(year), Number(number)];
}
