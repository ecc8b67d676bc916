/** The fleet as a whole: its levels, with how many machines each has, and how each CVE stands for each. Pure. */
import type { FleetCve, FleetKernel } from "@suture/protocol";
import {
  type Fixes,
  fixesOf,
  type Kernel,
  type KnownLivepatch,
  kernelStandings,
  levelOf,
  type Standing,
  versionOf,
  withLivepatches,
} from "./standing.ts";

/** As the database has it, with the machines that are at it. */
export interface LevelGroup extends Kernel {
  id: string;
  livepatches: readonly string[];
  machines: number;
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

/** What facts come to for each level: made once, as long as the facts are the same. */
export class Judge {
  readonly facts: Facts;
  readonly #bySha: ReadonlyMap<string, KnownLivepatch>;
  readonly #fixes: Fixes;
  readonly #kernels = new Map<string, ReadonlyMap<string, Standing>>();
  readonly #levels = new Map<string, Omit<Judged, "group" | "kernel">>();

  constructor(facts: Facts) {
    this.facts = facts;
    this.#bySha = new Map(facts.livepatches.map((livepatch) => [livepatch.sha256, livepatch]));
    this.#fixes = fixesOf(facts.livepatches);
  }

  judge(group: LevelGroup, today: string): Judged {
    const { release, buildId, livepatches, machines } = group;
    const { standings, inEffect } = this.#standings(group);
    const version = versionOf(group, this.facts.livepatches);
    const count = { open: 0, unknown: 0, closed: 0 };
    let leftOut = 0;
    for (const { standing, reason } of standings.values()) {
      count[standing]++;
      if (standing === "open" && (reason === "left out" || reason === "older")) leftOut++;
    }
    const cover = buildId === null ? undefined : this.facts.covers.get(buildId);
    const reboot: FleetKernel["reboot"] = [];
    if (leftOut > 0)
      reboot.push({
        code: "left out",
        why: `${leftOut} open CVEs are fixed by a newer kernel, and by no livepatch that there is for this one`,
      });
    if (cover !== undefined && cover.until < today)
      reboot.push({ code: "not covered", why: `no livepatches are made for it since ${cover.until}: ${cover.why}` });
    const kernel: FleetKernel = {
      release,
      buildId,
      version,
      livepatches: livepatches.map((sha256) => this.#bySha.get(sha256)?.name ?? sha256),
      machines,
      level: levelOf(version, inEffect),
      ...count,
      reboot,
      coveredUntil: cover?.until ?? null,
    };
    return { group, inEffect, kernel, standings };
  }

  #standings(group: LevelGroup): Omit<Judged, "group" | "kernel"> {
    const known = this.#levels.get(group.id);
    if (known !== undefined) return known;
    const inEffect = group.livepatches
      .flatMap((sha256) => this.#bySha.get(sha256) ?? [])
      .filter(({ buildId }) => buildId === group.buildId);
    const made = { inEffect, standings: withLivepatches(this.#kernel(group), inEffect) };
    this.#levels.set(group.id, made);
    return made;
  }

  #kernel(kernel: Kernel): ReadonlyMap<string, Standing> {
    const { livepatches } = this.facts;
    const version = versionOf(kernel, livepatches);
    const key = `${kernel.buildId} ${version}`;
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const made = kernelStandings(
      version,
      livepatches.filter(({ buildId }) => buildId === kernel.buildId),
      this.#fixes,
    );
    this.#kernels.set(key, made);
    return made;
  }
}

/** Those to which most machines are open come first. */
export function cvesOf(all: readonly Judged[], titles: ReadonlyMap<string, string>): FleetCve[] {
  const found = new Map<string, FleetCve>([...titles].map(([id, title]) => [id, { id, title, open: 0, unknown: 0, closed: 0 }]));
  for (const { group, standings } of all)
    for (const [id, { standing }] of standings) {
      const cve = found.get(id) ?? { id, title: "", open: 0, unknown: 0, closed: 0 };
      found.set(id, cve);
      cve[standing] += group.machines;
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
