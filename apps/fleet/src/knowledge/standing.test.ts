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
  fixedIn: null,
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
  const found = withLivepatches(kernel, [first]);
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
  const group = (id: string, livepatches: string[], machines: number): LevelGroup => ({
    id,
    release: "6.1.0-56-amd64",
    buildId: BUILD,
    version: null,
    livepatches,
    machines,
  });
  const levels = [group("bare", [], 7), group("patched", ["sha-1"], 5)].map((one) => judge.judge(one, "2026-07-01"));
  const cves = cvesOf(levels, judge.facts.titles);
  expect(cves.find(({ id }) => id === "carried")).toMatchObject({ open: 7, unknown: 0, closed: 5 });
  expect(cves.find(({ id }) => id === "out")).toMatchObject({ open: 12 });
  expect(cves.map(({ open }) => open)).toEqual([12, 12, 7, 7, 0, 0, 0, 0, 0]);
  expect(levels[1]?.kernel).toMatchObject({
    version: "6.1.190-1",
    level: "6.1.192-2",
    open: 2,
    unknown: 1,
    closed: 5,
    coveredUntil: "2026-06-30",
  });
  expect(levels[1]?.kernel.reboot.map(({ code }) => code)).toEqual(["left out", "not covered"]);
});
