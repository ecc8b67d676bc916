/** The account of a catch-up: its report, told by the newer release's changelog and by the records of the kernel's CVE numbering authority. */
import { sha256 } from "@suture/files";
import type { Account, AccountSummary, CatchUpReport, CveAccount, FixAccount, FixState, ReleaseUnit, StateCounts } from "@suture/protocol";
import type { Change } from "./changelog/parse.ts";
import type { Changelog } from "./changelog/read.ts";
import { judge } from "./judge.ts";
import type { CveRecord, Records } from "./records/read.ts";
import { has, isBetween, upstreamOf } from "./releases.ts";
import { Lists, normalised, spellings, Units } from "./tie.ts";

export interface AccountSources {
  changelog?: Changelog | undefined;
  records?: Records | undefined;
}

/** The same report and sources give the same account. */
export function accountOf(report: CatchUpReport, { changelog, records }: AccountSources): Account {
  const told = new Teller(report, changelog?.changes ?? [], records?.records ?? []);
  const { cves, fixes } = told;
  return {
    suture: 1,
    from: report.from,
    base: report.base,
    target: report.target,
    report: reportSha256(report),
    ...(changelog === undefined
      ? {}
      : { changelog: { file: changelog.file, sha256: changelog.sha256, versions: changelog.versions, fixes: changelog.changes.length } }),
    ...(records === undefined ? {} : { records: { read: records.records.length, refused: records.refused } }),
    counts: { cves: countsOf(cves), fixes: countsOf(fixes), units: countsOf(report.units) },
    cves,
    fixes,
  };
}

/** Of its file. */
export function reportSha256(report: CatchUpReport): string {
  return sha256(Buffer.from(`${JSON.stringify(report, undefined, 1)}\n`));
}

/** What `--only cve` keeps: the units that fixes of CVEs are made of, or that touch their files. Their states are not looked at. */
export function unitsOfCves(
  from: CatchUpReport["from"],
  base: string | undefined,
  target: string | undefined,
  units: readonly ReleaseUnit[],
  sources: AccountSources,
): Set<string> {
  const report: CatchUpReport = {
    suture: 1,
    from,
    base: base === undefined ? {} : { version: base },
    target: target === undefined ? {} : { version: target },
    ranges: [],
    only: "cve",
    units: [...units],
  };
  const { cves } = new Teller(report, sources.changelog?.changes ?? [], sources.records?.records ?? []);
  return new Set(cves.flatMap((cve) => cve.units));
}

export function summaryOf(account: Account): AccountSummary {
  const ids = (state: FixState): string[] => account.cves.filter((cve) => cve.state === state).map(({ id }) => id);
  return {
    account: sha256(Buffer.from(JSON.stringify(account))),
    carried: ids("carried"),
    notBuilt: ids("not built"),
    noNeed: ids("no need"),
    inKernel: ids("in the kernel"),
    unknown: ids("unknown"),
    leftOut: account.cves
      .filter(({ state }) => state === "left out")
      .map(({ id, partly, code, symbol, owners }) => ({
        id,
        partly,
        ...(code === undefined ? {} : { code }),
        ...(symbol === undefined ? {} : { symbol }),
        owners,
      })),
  };
}

function countsOf(all: readonly { state: FixState }[]): StateCounts {
  const count = (state: FixState): number => all.filter((one) => one.state === state).length;
  return {
    carried: count("carried"),
    notBuilt: count("not built"),
    noNeed: count("no need"),
    leftOut: count("left out"),
    inKernel: count("in the kernel"),
    unknown: count("unknown"),
  };
}

class Teller {
  readonly cves: CveAccount[];
  readonly fixes: FixAccount[];
  readonly #report: CatchUpReport;
  readonly #units: Units;
  readonly #byId: ReadonlyMap<string, CveRecord>;
  readonly #base: string | undefined;
  readonly #target: string | undefined;

  constructor(report: CatchUpReport, changes: readonly Change[], records: readonly CveRecord[]) {
    this.#report = report;
    this.#units = new Units(report.units, report.from);
    this.#byId = new Map(records.map((record) => [record.id, record]));
    this.#base = upstreamOf(report.base.version);
    this.#target = upstreamOf(report.target.version);
    const concerned = records.filter((record) => this.#concerns(record));
    const byTitle = new Lists<CveRecord>();
    for (const record of concerned) byTitle.add(normalised(record.title), record);
    const named = new Map<string, { cve: string; subjects: string[]; title: string }>();
    this.fixes = changes.map((change) => {
      const subjects = spellings(change.subject, change.prefixes);
      // Fixed twice, it is made of the changes of both lines; it is called by the newest.
      for (const cve of change.cves) {
        const newer = named.get(cve);
        named.set(cve, { cve, subjects: [...(newer?.subjects ?? []), ...subjects], title: newer?.title ?? change.subject });
      }
      return this.#fix(change, subjects, byTitle);
    });
    this.cves = [
      ...[...named.values()].map(({ cve, subjects, title }) => this.#cve(cve, subjects, title, "changelog")),
      // Published after the changelog was written, or of a tree that has none.
      ...concerned.filter(({ id }) => !named.has(id)).map(({ id, title }) => this.#cve(id, spellings(title), title, "record")),
    ].sort((a, b) => order(a.id, b.id));
  }

  /** Whether the newer release fixes it and the one that runs does not, by the record. */
  #concerns({ fixed, title }: CveRecord): boolean {
    const [base, target] = [this.#base, this.#target];
    if (base !== undefined && target !== undefined && fixed.some(({ release }) => isBetween(release, base, target))) return true;
    if (this.#report.from !== "git") return false;
    const { tied } = this.#units.tie(title === "" ? [] : [normalised(title)], [{ id: "", title: "", files: [], fixed }]);
    return tied === "commit" || (tied === "subject" && !this.#inBase([{ fixed }]));
  }

  #inBase(records: readonly Pick<CveRecord, "fixed">[]): boolean {
    const base = this.#base;
    return base !== undefined && records.length > 0 && records.every(({ fixed }) => fixed.some(({ release }) => has(base, release)));
  }

  #judged(subjects: readonly string[], records: readonly CveRecord[]) {
    const tie = this.#units.tie(subjects, records);
    return {
      tied: tie.tied,
      units: tie.units.map(({ id }) => id),
      ...judge(tie, this.#units, this.#report.from, this.#inBase(records)),
    };
  }

  #cve(id: string, subjects: readonly string[], title: string, named: CveAccount["named"]): CveAccount {
    const record = this.#byId.get(id);
    return { id, title, named, record: record !== undefined, ...this.#judged(subjects, record === undefined ? [] : [record]) };
  }

  #fix({ subject, version, upstream, cves, closes }: Change, subjects: readonly string[], byTitle: Lists<CveRecord>): FixAccount {
    const own = cves.flatMap((id) => this.#byId.get(id) ?? []);
    const records = own.length > 0 ? own : subjects.flatMap((text) => byTitle.of(text)).slice(0, 1);
    const { files: _, ...judged } = this.#judged(subjects, records);
    return { subject, version, ...(upstream === undefined ? {} : { upstream }), cves, closes, ...judged };
  }
}

/** CVE-2026-9999 comes before CVE-2026-10000. */
function order(a: string, b: string): number {
  const [, year = 0, number = 0] = a.split("-").map(Number);
  const [, otherYear = 0, otherNumber = 0] = b.split("-").map(Number);
  return year - otherYear || number - otherNumber;
}
