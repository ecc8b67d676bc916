import { accountSchema, type CatchUpReport, type ReleaseUnit } from "@suture/protocol";
import * as v from "valibot";
import { expect, test } from "vitest";
import { type AccountSources, accountOf, summaryOf, unitsOfCves } from "./account.ts";
import type { Change } from "./changelog/parse.ts";
import type { CveRecord } from "./records/read.ts";

function unit(id: string, state: ReleaseUnit["state"], paths: string[], more: Partial<ReleaseUnit> = {}): ReleaseUnit {
  const built = state !== "not built";
  return {
    id,
    title: id,
    files: paths.map((path) => ({ path, built, hunks: [] })),
    diff: "",
    functions: [{ object: "fs/x.o", owner: `of_${id}`, name: id }],
    state,
    reasons: state === "left out" ? [{ code: "BUILD_LAYOUT", why: `${id} has a new member`, symbol: id, mend: "Boot the newer one." }] : [],
    dependsOn: [],
    leftWith: [],
    ...more,
  };
}

function report(units: ReleaseUnit[], from: CatchUpReport["from"] = "packages"): CatchUpReport {
  return { suture: 1, from, base: { version: "6.1.10-1" }, target: { version: "6.1.12-2" }, ranges: [], only: "all", units };
}

let number = 1000;
function record(files: string[], more: Partial<CveRecord> = {}): CveRecord {
  number += 1;
  return {
    id: `CVE-2026-${number}`,
    title: `${files.join(" ")} ${number}`,
    files,
    fixed: [{ release: "6.1.11", commit: undefined }],
    ...more,
  };
}

function line(subject: string, cves: string[] = []): Change {
  return { subject, prefixes: [], cves, closes: [], version: "6.1.12-1", upstream: "6.1.11" };
}

function sources(records: CveRecord[], changes: Change[] = []): AccountSources {
  return {
    records: { records, refused: [] },
    changelog: { file: "changelog", sha256: "", versions: [], changes: [...changes, ...records.map(({ title, id }) => line(title, [id]))] },
  };
}

test("a CVE that two lines of the changelog fix is carried if the changes of both are", () => {
  const cve = "CVE-2026-0007";
  const lines = [line("x: complete the fix", [cve]), line("x: fix it", [cve])];
  const stands = (first: ReleaseUnit["state"]) => {
    const units = [unit("x: fix it", first, ["x.c"]), unit("x: complete the fix", "carried", ["x.c"])];
    return accountOf(report(units, "git"), sources([], lines)).cves.map(({ state, partly }) => [state, partly]);
  };
  expect(stands("carried")).toEqual([["carried", false]]);
  expect(stands("left out")).toEqual([["left out", true]]);
});

test("pieces of a difference are tied by the files that records name; each built file has to be carried whole", () => {
  const units = [
    unit("a", "carried", ["a.c"]),
    unit("b", "left out", ["b.c"]),
    unit("n", "not built", ["n.c"]),
    unit("i", "no need", ["i.c"], { reasons: [{ code: "X", why: "it runs at boot only", mend: "" }] }),
    unit("m1", "carried", ["m.c"]),
    unit("m2", "left out", ["m.c"]),
    unit("h", "carried", ["h.c"], {
      files: [
        { path: "h.c", built: true, hunks: [] },
        { path: "h-test.c", built: false, hunks: [] },
      ],
    }),
  ];
  const records = [["a.c", "n.c", "gone.c"], ["a.c", "b.c"], ["n.c"], ["i.c"], ["m.c"], ["h-test.c"], ["gone.c"], []].map((files) =>
    record(files),
  );
  const account = accountOf(report(units), sources(records));
  expect(v.is(accountSchema, account)).toBe(true);
  expect(account.cves.map(({ state, partly, units }) => [state, partly, units.join()])).toEqual([
    ["carried", false, "a,n"],
    ["left out", true, "a,b"],
    ["not built", false, "n"],
    ["no need", false, "i"],
    ["left out", true, "m1,m2"],
    ["not built", false, "h"],
    ["unknown", false, ""],
    ["unknown", false, ""],
  ]);
  expect(account.cves[0]?.files).toEqual([
    { path: "a.c", state: "carried" },
    { path: "gone.c", state: "same" },
    { path: "n.c", state: "not built" },
  ]);
  expect(account.cves[1]).toMatchObject({ code: "BUILD_LAYOUT", symbol: "b", mend: "Boot the newer one.", owners: ["of_a", "of_b"] });
  expect(account.cves[1]?.why).toBe("b has a new member; carried of it: a.c; not: b.c");
  expect(account.cves[4]?.why).toContain("nothing says which of them are its own");
  expect(account.cves[3]?.why).toBe("it runs at boot only");
  expect(account.counts.cves).toEqual({ carried: 1, notBuilt: 2, noNeed: 1, leftOut: 2, inKernel: 0, unknown: 2 });
  const short = summaryOf(account);
  expect(short.leftOut.map(({ id, partly }) => [id, partly])).toEqual([1, 4].map((i) => [records[i]?.id, true]));
  expect(short.carried).toEqual([records[0]?.id]);
});

test("commits are tied by their ids, then by their subjects, and the files of a record do not matter then", () => {
  const commit = "c".repeat(40);
  const units = [
    unit("one", "carried", ["a.c"], { commit, title: "x86/a: Fix it" }),
    unit("two", "left out", ["a.c"], { commit: "d".repeat(40), title: "[PATCH] b: don't, ever" }),
  ];
  const byCommit = record(["a.c"], { fixed: [{ release: "6.1.11", commit }] });
  const bySubject = record(["a.c"], { title: "b: Dont ever", fixed: [{ release: "6.6.1", commit: "e".repeat(40) }] });
  const other = record(["a.c"], { title: "something else", fixed: [{ release: "6.6.1", commit: "f".repeat(40) }] });
  const told = accountOf(report(units, "git"), { records: { records: [byCommit, bySubject, other], refused: [] } });
  expect(told.cves.map(({ id, tied, state, named }) => [id, tied, state, named])).toEqual([
    [byCommit.id, "commit", "carried", "record"],
    [bySubject.id, "subject", "left out", "record"],
  ]);
  // A changelog's tag is a part of the subject.
  const changelog = { file: "", sha256: "", versions: [], changes: [{ ...line("a: Fix it"), prefixes: ["x86"] }, line("nobody's")] };
  expect(accountOf(report(units, "git"), { changelog }).fixes.map(({ tied, state }) => [tied, state])).toEqual([
    ["subject", "carried"],
    ["none", "unknown"],
  ]);
});

test("CVEs that were published after the changelog was written are those that the series fixes in between", () => {
  const units = [unit("a", "carried", ["a.c"])];
  const within = record(["a.c"], {
    fixed: [
      { release: "6.1.12", commit: undefined },
      { release: "6.6.1", commit: undefined },
    ],
  });
  const outside = ["6.1.10", "6.1.13", "6.6.11", "6.11"].map((release) => record(["a.c"], { fixed: [{ release, commit: undefined }] }));
  const told = accountOf(report(units), { records: { records: [within, ...outside], refused: [] } });
  expect(told.cves.map(({ id, named }) => [id, named])).toEqual([[within.id, "record"]]);
  // Its line, which names no CVE, is tied by its subject.
  const changelog = { file: "", sha256: "", versions: [], changes: [line(within.title.toUpperCase())] };
  expect(accountOf(report(units), { changelog, records: { records: [within], refused: [] } }).fixes[0]).toMatchObject({
    state: "carried",
    cves: [],
  });
});

test("what the changelog names, and the running release's record says it has, is in the kernel", () => {
  const had = record(["gone.c"], { fixed: [{ release: "6.1.9", commit: undefined }] });
  expect(accountOf(report([]), sources([had])).cves[0]).toMatchObject({ state: "in the kernel" });
});

test("a CVE without a record is unknown, and a fix without one, too", () => {
  const told = accountOf(report([unit("a", "carried", ["a.c"])]), {
    changelog: { file: "", sha256: "", versions: [], changes: [line("a", ["CVE-2026-1"])] },
  });
  expect(told.cves).toMatchObject([
    { id: "CVE-2026-1", state: "unknown", record: false, tied: "none", why: "no record says which files it touches" },
  ]);
  expect(told.fixes).toMatchObject([{ state: "unknown" }]);
});

test("the units that CVEs need are known before anything is decided of them", () => {
  const units = [unit("a", "left out", ["a.c"]), unit("b", "carried", ["b.c"])];
  expect([...unitsOfCves("packages", "6.1.10-1", "6.1.12-1", units, sources([record(["a.c"])]))]).toEqual(["a"]);
});

test("a file that lies in other folders here is known by its name, where one changed file alone can be meant", () => {
  const units = [
    unit("moved", "carried", ["drivers/gpu/dc/dcn32/optc.c"]),
    unit("a", "carried", ["drivers/a/x/main.c"]),
    unit("b", "carried", ["drivers/a/y/main.c"]),
  ];
  const records = ["drivers/gpu/dc/optc/dcn32/optc.c", "drivers/a/main.c", "drivers/b/main.c", "optc.c"].map((file) => record([file]));
  const { cves } = accountOf(report(units), sources(records));
  expect(cves.map(({ state, files }) => [state, files[0]?.path])).toEqual([
    ["carried", "drivers/gpu/dc/dcn32/optc.c"],
    ["unknown", "drivers/a/main.c"],
    ["unknown", "drivers/b/main.c"],
    ["unknown", "optc.c"],
  ]);
});
