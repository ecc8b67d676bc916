import type { ArchivedKernel } from "@suture/protocol";
import { expect, test } from "vitest";
import { inArchive, type Made, type RunKernel, wantedOf } from "./wanted.ts";

const kernel = (release: string, version: string, more: Partial<ArchivedKernel> = {}): ArchivedKernel => ({
  release,
  version,
  suite: "one",
  can: true,
  why: "",
  ...more,
});
const ARCHIVE = [
  kernel("6.1.0-1-amd64", "6.1.10-1"),
  kernel("6.1.0-2-amd64", "6.1.20-1"),
  kernel("6.1.0-3-amd64", "6.1.30-1", { can: false, why: "its source is not there yet" }),
  kernel("6.1.0-9-cloud-amd64", "6.1.90-1"),
  kernel("6.12.9-amd64", "6.12.9-1"),
  kernel("6.1.0-8-amd64", "6.1.80-1", { suite: "two" }),
];
const run = (release: string, version: string | null, more: Partial<RunKernel> = {}): RunKernel => ({
  release,
  version,
  buildId: `id of ${release}`,
  machines: 10,
  ...more,
});
const OLD = run("6.1.0-1-amd64", "6.1.10-1");

test("the newest is of the same series, flavour and suite, and can be built for", () => {
  expect(inArchive(OLD, ARCHIVE)).toMatchObject({ newest: { release: "6.1.0-2-amd64" } });
  expect(inArchive(run("6.1.0-9-cloud-amd64", "6.1.90-1"), ARCHIVE)).toMatchObject({ newest: { release: "6.1.0-9-cloud-amd64" } });
  expect(inArchive(run("6.1.0-1-amd64", null), ARCHIVE)).toMatchObject({ own: { version: "6.1.10-1" } });
});

test("what the archive has dropped is built for where a builder has it in its cache", () => {
  const dropped = [...ARCHIVE.slice(1), kernel("6.1.0-1-amd64", "6.1.10-1", { suite: "" })];
  expect(inArchive(OLD, dropped)).toMatchObject({ newest: { release: expect.stringContaining("6.1.0-") } });
  // A backport is another kind.
  const backport = kernel("6.1.0-7-amd64", "6.1.70-1~bpo11+1", { suite: "" });
  expect(inArchive(OLD, [dropped[0] ?? backport, kernel("6.1.0-1-amd64", "6.1.10-1", { suite: "" }), backport])).toMatchObject({
    newest: { version: "6.1.20-1" },
  });
});

test("why one cannot be built for is said", () => {
  expect(inArchive(OLD, [])).toContain("no builder");
  expect(inArchive(run("5.10.0-1-amd64", "5.10.1-1"), ARCHIVE)).toContain("does not have it any more");
  expect(inArchive(run("6.1.0-1-amd64", "6.1.9-1"), ARCHIVE)).toContain("6.1.10-1 of it, and machines run 6.1.9-1");
  expect(inArchive(run("6.1.0-3-amd64", "6.1.30-1"), ARCHIVE)).toBe("its source is not there yet");
});

test("a kernel is wanted until a livepatch to the newest is published, or there is a build of the whole release", () => {
  const stateOf = (livepatches: Parameters<typeof wantedOf>[2], builds: readonly Made[]) =>
    wantedOf([OLD], ARCHIVE, livepatches, builds)[0]?.state;
  const brings = { buildId: OLD.buildId, targetVersion: "6.1.20-1", listed: true, withdrawn: false };
  const build: Made = {
    id: "1",
    buildId: OLD.buildId,
    targetRelease: "6.1.0-2-amd64",
    targetVersion: "6.1.20-1",
    state: "failed",
    why: "",
    whole: true,
  };
  expect(stateOf([], [])).toBe("wanted");
  expect(stateOf([brings], [])).toBe("published");
  for (const one of [
    { targetVersion: "6.1.15-1" },
    { listed: false },
    { withdrawn: true },
    { buildId: "another" },
    { targetVersion: null },
  ])
    expect(stateOf([{ ...brings, ...one }], [])).toBe("wanted");
  expect(stateOf([], [build])).toBe("build");
  for (const one of [{ state: "cancelled" }, { state: "superseded" }, { whole: false }, { targetRelease: "6.1.0-1-amd64" }])
    expect(stateOf([], [{ ...build, ...one }])).toBe("wanted");
  expect(wantedOf([run("6.1.0-2-amd64", "6.1.20-1")], ARCHIVE, [], [])[0]?.state).toBe("newest");
});

test("machines of one build are one kernel, with what most of them say", () => {
  const found = wantedOf(
    [{ ...OLD, version: null, machines: 5 }, { ...OLD, machines: 1 }, run("6.12.9-amd64", "6.12.9-1")],
    ARCHIVE,
    [],
    [],
  );
  expect(found).toMatchObject([
    { release: "6.12.9-amd64", machines: 10 },
    { release: "6.1.0-1-amd64", version: "6.1.10-1", machines: 6 },
  ]);
});
