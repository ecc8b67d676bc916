import type { FixState } from "@suture/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cvesOf, Judge, type LevelGroup } from "./picture.ts";
import { fixesOf, type KnownCve, type KnownLivepatch, kernelStandings, levelOf, withLivepatches } from "./standing.ts";

const BUILD = "ab".repeat(20);
const known = (state: FixState, more: Partial<KnownCve> = {}): KnownCve => ({
  state,
  why: "",
  code: null,
  mend: null,
  firstIn: null,
  fixedIn: null,
  own: false,
  ...more,
});

function livepatch(counter: number, cves: Record<string, KnownCve>, more: Partial<KnownLivepatch> = {}): KnownLivepatch {
  return {
    sha256: `sha-${counter}`,
    name: `fix_${counter}`,
    release: "6.1.0-56-amd64",
    buildId: BUILD,
    counter,
    baseVersion: "6.1.190-1",
    targetVersion: "6.1.192-2",
    targetRelease: "6.1.0-58-amd64",
    whole: true,
    listed: true,
    withdrawn: false,
    ...more,
    cves: new Map(Object.entries(cves)),
  };
}

const first = livepatch(1, {
  carried: known("carried"),
  later: known("left out", { code: "BUILD_LAYOUT", why: "a member is new" }),
  not: known("not built", { why: "it is made of none of its files" }),
  none: known("no need"),
  had: known("in the kernel"),
  out: known("left out", { mend: "Write it by hand." }),
  what: known("unknown"),
  exact: known("carried", { fixedIn: "6.1.191-1" }),
});

test("a kernel without livepatches is open to all that an account does not close, and says what would help", () => {
  const found = kernelStandings("6.1.190-1", [first], fixesOf([first]));
  expect(Object.fromEntries([...found].map(([cve, { standing, reason }]) => [cve, `${standing}: ${reason}`]))).toEqual({
    carried: "open: not loaded",
    later: "open: left out",
    not: "closed: not built",
    none: "closed: no need",
    had: "closed: in the kernel",
    out: "open: left out",
    what: "unknown: unknown",
    exact: "open: not loaded",
  });
  expect(found.get("out")?.mend).toBe("Boot 6.1.0-58-amd64. Without that: Write it by hand.");
  expect(found.get("later")?.why).toBe("BUILD_LAYOUT: a member is new");
});

test("what a livepatch in effect carries is closed; the newest that speaks of it says what could be had", () => {
  const second = livepatch(2, { later: known("carried"), what: known("no need") });
  const kernel = kernelStandings("6.1.190-1", [first, second], fixesOf([first, second]));
  const found = withLivepatches(kernel, [first], fixesOf([first, second]));
  expect(found.get("carried")).toMatchObject({
    standing: "closed",
    reason: "carried",
    why: "fix_1 (number 1) carries it, and is in effect",
  });
  expect(found.get("later")).toMatchObject({
    standing: "open",
    reason: "not loaded",
    why: "fix_2 (number 2) carries it, and is not in effect",
  });
  expect(found.get("what")).toMatchObject({ standing: "closed", reason: "no need" });
  expect(levelOf("6.1.190-1", [first])).toBe("6.1.192-2");
  expect(levelOf("6.1.190-1", [])).toBe("6.1.190-1");
  expect(levelOf("6.1.190-1", [{ ...first, whole: false }])).toBe("6.1.190-1");
  expect(levelOf("6.1.190-1", [{ ...first, targetVersion: `9${"ab".repeat(19)}0` }])).toBe("6.1.190-1");
  // One that was withdrawn, or is out of the list, is nothing that could be had.
  const gone = [first, { ...second, withdrawn: true }];
  expect(kernelStandings("6.1.190-1", gone, fixesOf(gone)).get("later")).toMatchObject({ reason: "left out" });
});

test("another build is judged by its version and its series alone, and is closed only from the release on that has the fix", () => {
  const fixes = fixesOf([first]);
  const at = (version: string | null, cve: string) => kernelStandings(version, [], fixes).get(cve);
  expect(at("6.1.192-2", "carried")).toMatchObject({ standing: "closed", reason: "in the kernel" });
  expect(at("6.1.195-1", "out")).toMatchObject({ standing: "closed" });
  expect(at("6.1.191-1", "carried")).toMatchObject({ standing: "unknown" });
  expect(at("6.1.191-1", "exact")).toMatchObject({ standing: "closed" });
  expect(at("6.1.190-1", "exact")).toMatchObject({ standing: "open", reason: "older" });
  expect(at("6.1.180-1", "carried")).toMatchObject({ standing: "open", reason: "older" });
  expect(at("6.12.1-1", "carried")).toBeUndefined();
  expect(at(null, "carried")).toBeUndefined();
});

test("no CVE is closed by a livepatch that is not in effect, of another build, or that leaves it out", () => {
  const states = fc.constantFrom<FixState>("carried", "left out", "unknown", "not built");
  const one = fc.record({ a: states, b: states, effect: fc.boolean(), other: fc.boolean() });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 5 }), (all) => {
      const line = all.map(({ a, b, other }, i) =>
        livepatch(i + 1, { a: known(a), b: known(b) }, other ? { buildId: "cd".repeat(20), targetVersion: null } : {}),
      );
      const judge = new Judge({ livepatches: line, covers: new Map(), titles: new Map() });
      const group: LevelGroup = {
        id: "x",
        release: "6.1.0-56-amd64",
        buildId: BUILD,
        version: "6.1.190-1",
        livepatches: line.filter((_, i) => all[i]?.effect).map(({ sha256 }) => sha256),
        machines: 3,
        silent: 0,
      };
      const { standings } = judge.judge(group, "2026-01-01");
      for (const cve of ["a", "b"] as const) {
        const own = all.filter(({ other }) => !other);
        const carries = own.some((each) => each.effect && each[cve] === "carried");
        const last = own.at(-1)?.[cve];
        expect(standings.get(cve)?.standing === "closed").toBe(carries || last === "not built");
      }
    }),
  );
});

test("the fleet's count is the sum of its levels, the most open first, with the reason for a reboot", () => {
  const judge = new Judge({
    livepatches: [first],
    covers: new Map([[BUILD, { until: "2026-06-30", why: "end of support" }]]),
    titles: new Map([["nobody", "of no machine"]]),
  });
  const group = (id: string, livepatches: string[], machines: number, silent = 0): LevelGroup => ({
    id,
    release: "6.1.0-56-amd64",
    buildId: BUILD,
    version: null,
    livepatches,
    machines,
    silent,
  });
  const levels = [group("bare", [], 7), group("patched", ["sha-1"], 5)].map((one) => judge.judge(one, "2026-07-01"));
  const cves = cvesOf(levels, judge.facts.titles, 0);
  expect(cves.find(({ id }) => id === "carried")).toMatchObject({ open: 7, unknown: 0, closed: 5 });
  expect(cves.find(({ id }) => id === "out")).toMatchObject({ open: 12 });
  expect(cves.find(({ id }) => id === "nobody")).toMatchObject({ open: 0, unknown: 12, closed: 0 });
  expect(cves.map(({ open }) => open)).toEqual([12, 12, 7, 7, 0, 0, 0, 0, 0]);
  expect(levels[1]?.kernel).toMatchObject({
    version: "6.1.190-1",
    level: "6.1.192-2",
    open: 2,
    unknown: 2,
    closed: 5,
    coveredUntil: "2026-06-30",
  });
  expect(levels[1]?.kernel.reboot.map(({ code }) => code)).toEqual(["left out", "not covered"]);
});

test("what no livepatch says of a kernel is unknown, and so is what was closed on a machine that is silent or has said nothing", () => {
  const judge = new Judge({ livepatches: [first], covers: new Map(), titles: new Map([...first.cves.keys()].map((id) => [id, ""])) });
  const patched: LevelGroup = { id: "p", release: "", buildId: BUILD, version: null, livepatches: ["sha-1"], machines: 5, silent: 2 };
  const other: LevelGroup = {
    id: "o",
    release: "",
    buildId: "cd".repeat(20),
    version: "6.12.9-1",
    livepatches: [],
    machines: 4,
    silent: 4,
  };
  const levels = judge.all([patched, other], "2026-07-01");
  const cves = cvesOf(levels, judge.facts.titles, 3);
  expect(cves.find(({ id }) => id === "carried")).toMatchObject({ open: 0, unknown: 2 + 4 + 3, closed: 3 });
  expect(cves.find(({ id }) => id === "out")).toMatchObject({ open: 5, unknown: 7, closed: 0 });
  expect(levels.map(({ kernel: { unknown } }) => unknown)).toEqual([1, first.cves.size]);
});

test("what a patch of one's own fixes is said of no release", () => {
  const upon = livepatch(2, { own: known("carried", { own: true }), carried: known("carried") });
  const fixes = fixesOf([upon]);
  expect(kernelStandings("6.1.195-1", [], fixes).get("own")).toBeUndefined();
  expect(kernelStandings("6.1.195-1", [], fixes).get("carried")).toMatchObject({ standing: "closed" });
  expect(withLivepatches(kernelStandings("6.1.190-1", [upon], fixes), [upon], fixes).get("own")).toMatchObject({ standing: "closed" });
});

test("a CVE that was fixed twice is closed by the last fix alone, and unknown between them", () => {
  const at = (livepatches: KnownLivepatch[], version: string) => kernelStandings(version, [], fixesOf(livepatches)).get("x")?.standing;
  const of = (base: string, target: string, more: Partial<KnownCve> = {}) =>
    livepatch(1, { x: known("carried", more) }, { baseVersion: base, targetVersion: target });
  const lines = ["6.1.190-1", "6.1.191-1", "6.1.193-1", "6.1.195-1", "6.1.196-1"];
  const twice = ["open", "unknown", "unknown", "closed", "closed"];
  const one = of("6.1.190-1", "6.1.196-1", { firstIn: "6.1.191-1", fixedIn: "6.1.195-1" });
  expect(lines.map((version) => at([one], version))).toEqual(twice);
  const early = of("6.1.190-1", "6.1.192-2", { firstIn: "6.1.191-1", fixedIn: "6.1.191-1" });
  const late = of("6.1.194-1", "6.1.196-1", { firstIn: "6.1.195-1", fixedIn: "6.1.195-1" });
  expect(lines.map((version) => at([early, late], version))).toEqual(twice);
  // Of the second nothing is known but between which releases it came.
  expect(lines.map((version) => at([early, of("6.1.194-1", "6.1.196-1")], version))).toEqual([
    "open",
    "unknown",
    "unknown",
    "unknown",
    "closed",
  ]);
  expect(lines.map((version) => at([of("6.1.190-1", "6.1.192-1"), of("6.1.194-1", "6.1.196-1")], version))).toEqual([
    "open",
    "unknown",
    "unknown",
    "unknown",
    "closed",
  ]);
  // That can all be of one fix.
  expect(lines.map((version) => at([early, of("6.1.190-1", "6.1.196-1")], version))).toEqual([
    "open",
    "closed",
    "closed",
    "closed",
    "closed",
  ]);
  expect(at([of("6.1.190-1", "6.1.196-1"), of("6.1.191-1", "6.1.193-1")], "6.1.193-1")).toBe("closed");
  expect(at([early], "6.1.195+really6.1.180-1")).toBe("unknown");
  // What is in effect carries the first of them.
  const own = { ...early, buildId: BUILD };
  const fixes = fixesOf([own, late]);
  const line = [own];
  expect(withLivepatches(kernelStandings("6.1.190-1", line, fixes), line, fixes).get("x")?.standing).toBe("unknown");
});

test("what a withdrawn livepatch said closes nothing", () => {
  const gone = { ...first, withdrawn: true };
  const fixes = fixesOf([gone]);
  const kernel = kernelStandings("6.1.190-1", [gone], fixes);
  const closed = (of: ReadonlyMap<string, { standing: string }>) => [...of].filter(([, { standing }]) => standing === "closed");
  expect(closed(kernel)).toEqual([]);
  expect(closed(withLivepatches(kernel, [gone], fixes))).toEqual([]);
  expect(withLivepatches(kernel, [gone], fixes).get("carried")).toMatchObject({ standing: "unknown" });
  expect(closed(kernelStandings("6.1.195-1", [], fixes))).toEqual([]);
  // Another one says it as well.
  const again = livepatch(2, { not: known("not built"), carried: known("carried") });
  const both = fixesOf([gone, again]);
  expect(kernelStandings("6.1.190-1", [gone, again], both).get("not")).toMatchObject({ standing: "closed" });
  expect(kernelStandings("6.1.195-1", [], both).get("carried")).toMatchObject({ standing: "closed" });
  expect(withLivepatches(kernelStandings("6.1.190-1", [gone, again], both), [gone, again], both).get("carried")).toMatchObject({
    standing: "closed",
  });
});

test("a version that machines make up makes no more lists", () => {
  const judge = new Judge({ livepatches: [first], covers: new Map(), titles: new Map() });
  const groups = Array.from(
    { length: 300 },
    (_, i): LevelGroup => ({
      id: String(i),
      release: "",
      buildId: i % 2 === 0 ? BUILD : "cd".repeat(20),
      version: `6.1.195-1.${i}`,
      livepatches: [],
      machines: 1,
      silent: 0,
    }),
  );
  expect(new Set(judge.all(groups, "2026-01-01").map(({ standings }) => standings)).size).toBe(2);
});
