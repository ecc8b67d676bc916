/** From a repository to what root believes, without a kernel: nothing is loaded here. */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { change, following } from "../../test/machine.ts";
import { KERNEL } from "../../test/truths.ts";
import { isTruth } from "../decision/facts.ts";
import { fetchNews } from "./fetch.ts";
import { type Trusted, trustedTruth } from "./trusted.ts";

const task = new Task();
const livepatch = (counter: number) => ({ name: `fix_${counter}`, bytes: Buffer.from(`livepatch ${counter}`), counter, replace: true });
const MIRROR = "/var/lib/suture-agent/mirror";

type Following = ReturnType<typeof following>;
const fetched = async (of: Following, more: object = {}) => fetchNews(task, of.machine, await of.configured(more));
const trusted = async (of: Following, now = new Date()): Promise<Trusted> =>
  trustedTruth(task, of.machine, await of.configured(), KERNEL.buildId, now);
const offered = ({ truth }: Trusted): number[] => (isTruth(truth) ? truth.offers.map(({ custom }) => custom.counter) : []);

test("what is new is fetched once, with the livepatch that this machine wants, and root believes it by its own store", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  const first = await fetched(of);
  expect(first).toMatchObject({ good: true, livepatches: [{ path: `patches/${KERNEL.buildId}/fix_1.ko` }] });
  expect(offered(await trusted(of))).toEqual([1]);
  const { received } = await fetched(of);
  // The timestamp, and nothing else.
  expect(received).toBe(readFileSync(join(of.repository.folder, "metadata/timestamp.json")).length);
  // Root has its own: what the other one trusts is not asked for.
  rmSync(of.machine.path("/var/lib/suture-agent/trust"), { recursive: true });
  expect(offered(await trusted(of))).toEqual([1]);
});

test("a livepatch that is loaded, of which only root knows what it is, does not keep its successor from being fetched", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  for (const [file, text] of [
    ["enabled", "1"],
    ["transition", "0"],
  ] as const)
    change(of.machine, `/sys/kernel/livepatch/fix_0/${file}`, `${text}\n`);
  expect((await fetched(of)).livepatches).toHaveLength(1);
});

test("a mirror that is not there, stale or damaged is passed over; of wrong ones the worst is told", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  const stale = `${of.machine.path("/stale")}`;
  cpSync(of.repository.folder, stale, { recursive: true });
  of.repository.publish();
  const places = [`file://${of.machine.path("/nowhere")}`, `file://${stale}`];
  await fetched(of);
  expect(offered(await trusted(of))).toEqual([1]);
  expect(await fetched(of, { repositories: [...places, `file://${of.repository.folder}`] })).toMatchObject({
    good: true,
    warnings: expect.arrayContaining([expect.stringContaining("TRUST_ROLLBACK")]),
  });
  expect(await fetched(of, { repositories: ["http://127.0.0.1:8081/", `file://${stale}`] })).toMatchObject({
    good: false,
    problem: { code: "TRUST_ROLLBACK", why: expect.stringContaining("TRUST_FETCH") },
  });
  // What was known before holds, and nothing new is loaded by it.
  const { truth, problem } = await trusted(of);
  expect(problem).toMatchObject({ code: "TRUST_ROLLBACK" });
  expect(truth).toMatchObject({ offers: [{}], expired: expect.stringContaining("could not be reached") });
});

test("what the one who fetches may have made wrong is not believed, not followed, and not waited for", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  await fetched(of);
  expect(offered(await trusted(of))).toEqual([1]);
  of.repository.add(livepatch(2));
  of.repository.publish();
  await fetched(of);
  const file = of.machine.path(`${MIRROR}/metadata/timestamp.json`);
  const good = readFileSync(file);
  const wrongs: (() => void)[] = [
    () => writeFileSync(file, good.toString("utf8").replace(/"sig":"../, '"sig":"00')),
    () => writeFileSync(file, Buffer.alloc(1024 * 1024)),
    () => symlinkSync(of.machine.path("/etc/machine-id"), file),
    () => writeFileSync(file, "{"),
    () => undefined,
  ];
  for (const wrong of wrongs) {
    rmSync(file);
    wrong();
    const found = await trusted(of);
    expect(found.problem?.code).toMatch(/^(TRUST|AGENT)_/);
    expect(JSON.stringify(found)).not.toContain("0123456789abcdef0123456789abcdef");
    expect(offered(found)).toEqual([1]);
    writeFileSync(file, good);
  }
  expect(offered(await trusted(of))).toEqual([1, 2]);
});

test("what was never fetched, was fetched long ago, or has expired", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  const never = await trusted(of);
  expect(never.truth).toMatchObject({ missing: expect.stringContaining("TRUST_MISSING") });
  await fetched(of);
  expect((await trusted(of)).truth).toMatchObject({ expired: undefined });
  expect((await trusted(of, new Date(Date.now() + 601_000))).truth).toMatchObject({
    expired: expect.stringMatching(/reached 6\d\d s ago/),
  });
  const later = await trusted(of, new Date(Date.now() + 40 * 86_400_000));
  expect(later.truth).toMatchObject({ offers: [{}], expired: expect.stringContaining("was good until") });
  // A clock that is behind is not believed.
  expect((await trusted(of, new Date("2020-01-01T00:00:00Z"))).warnings.join()).toContain("clock");
});

test("the mirror does not grow: old metadata and livepatches go, roots stay, and one that was emptied is filled again", async () => {
  const of = following();
  const names = (path: string): string[] => readdirSync(of.machine.path(`${MIRROR}/${path}`)).sort();
  for (let counter = 1; counter <= 5; counter++) {
    of.repository.add(livepatch(counter));
    of.repository.publish();
    await fetched(of);
  }
  expect(names("metadata").filter((name) => name.includes("policy"))).toEqual(["5.policy.json"]);
  expect(names(`targets/patches/${KERNEL.buildId}`).filter((name) => name.endsWith(".ko"))).toEqual([expect.stringContaining("fix_5.ko")]);
  expect(names("targets/policy")).toHaveLength(3);
  rmSync(of.machine.path(MIRROR), { recursive: true });
  expect(await fetched(of)).toMatchObject({ good: true });
  expect(offered(await trusted(of))).toEqual([1, 2, 3, 4, 5]);
});

test("where nothing can be kept that is said, and what was there stays", async () => {
  const of = following();
  of.repository.add(livepatch(1));
  of.repository.publish();
  change(of.machine, "/var/lib/suture-agent/mirror", "no folder");
  await expect(fetched(of)).rejects.toMatchObject({ code: "AGENT_FETCHED" });
  renameSync(of.machine.path("/var/lib/suture-agent/mirror"), of.machine.path("/var/lib/suture-agent/other"));
  expect(await fetched(of)).toMatchObject({ good: true });
});
