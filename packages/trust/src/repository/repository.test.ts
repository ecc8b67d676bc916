import { once } from "node:events";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Account, accountDocument } from "@suture/protocol";
import { Task } from "@suture/task";
import { folderInMemory } from "@suture/testkit/folders";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Ceremony, later, NOW } from "../../test/ceremony.ts";
import { livepatchFile } from "../../test/livepatch.ts";
import { holder } from "../../test/signers.ts";
import { fetchTarget, sourceOf } from "../index.ts";
import { addLivepatch } from "./add.ts";
import { archiveSource, exportRepository, importRepository, mirror } from "./mirror.ts";
import { publish } from "./publish.ts";
import { renew, rotateKeys } from "./roles.ts";
import { signStaged, takeSignatures } from "./sign.ts";
import { repositoryStatus } from "./status.ts";
import { changePolicy, withdraw } from "./steer.ts";
import { Work } from "./work.ts";

const task = new Task();
let folder: string;
let all: Ceremony;

beforeEach(async () => {
  folder = folderInMemory({});
  all = new Ceremony(folder);
  await all.begin();
});

async function release(name: string): Promise<{ sha256: string; path: string }> {
  const added = await addLivepatch(task, all.work, livepatchFile(folder, name), { now: NOW });
  await all.sign(...all.holders.patches);
  return added;
}

test("from nothing to a machine that has the livepatch, its policy, and its withdrawal", async () => {
  const machine = await all.machine();
  expect((await machine.refresh()).patches).toEqual([]);
  const { sha256, path } = await release("first");
  await changePolicy(task, all.work, { id: "one", livepatch: "first", rings: [{ label: "all", share: 100 }] }, NOW);
  await all.sign(...all.holders.policy);
  await all.publish();
  const found = await machine.refresh();
  expect(found.patches.map((patch) => [patch.path, patch.sha256, patch.custom.counter])).toEqual([[path, sha256, 1]]);
  expect(found.policy.rollouts).toMatchObject([{ id: "one", target: { sha256, counter: 1 }, rings: [{ label: "all", share: 100 }] }]);
  const [patch] = found.patches;
  if (patch === undefined) throw new Error("none");
  expect(await fetchTarget(task, patch, [sourceOf(all.out)])).toEqual(readFileSync(join(folder, "first.ko")));
  await withdraw(task, all.work, "first", { action: "disable", reason: "it hangs", now: NOW });
  await all.sign(...all.holders.withdrawal);
  await all.publish();
  expect((await machine.refresh()).withdrawals).toMatchObject({ counter: 2, entries: [{ sha256, action: "disable", reason: "it hangs" }] });
});

describe("add", () => {
  test("refuses a livepatch that is not proven, unless it is said", async () => {
    const file = livepatchFile(folder, "guess", { proof: { proven: false, functions: 0, reason: "no image" } });
    await expect(addLivepatch(task, all.work, file, { now: NOW })).rejects.toMatchObject({ code: "TRUST_UNPROVEN" });
    expect((await addLivepatch(task, all.work, file, { now: NOW, unproven: true })).custom.proof.proven).toBe(false);
  });

  test("refuses what is no livepatch, what is there already, and papers of another one", async () => {
    const file = livepatchFile(folder, "first");
    writeFileSync(join(folder, "page.html"), "<p>of another</p>");
    writeFileSync(join(folder, "account.json"), "{}");
    await expect(addLivepatch(task, all.work, file, { now: NOW, review: join(folder, "page.html") })).rejects.toMatchObject({
      code: "TRUST_ADD",
    });
    await expect(addLivepatch(task, all.work, file, { now: NOW, account: join(folder, "account.json") })).rejects.toMatchObject({
      code: "TRUST_ADD",
    });
    await addLivepatch(task, all.work, file, { now: NOW });
    await expect(addLivepatch(task, all.work, file, { now: NOW })).rejects.toMatchObject({ code: "TRUST_ADD" });
  });

  test("takes the account of this very livepatch, and of no other", async () => {
    const base = { release: "6.1.0-test", version: "6.1.190-1", buildId: "ab" };
    const target = { version: "6.1.192-2" };
    const none = { carried: 0, notBuilt: 0, noNeed: 0, leftOut: 0, inKernel: 0, unknown: 0 };
    const counts = { cves: none, fixes: none, units: none };
    const own = { suture: 1 as const, from: "packages" as const, base, target, report: "01", counts, cves: [], fixes: [] };
    const catchUp = { from: "packages" as const, base, target, report: "01", units: [] };
    const file = livepatchFile(folder, "level", { catchUp });
    const account = join(folder, "account.json");
    const add = (of: string, said: Account) => {
      writeFileSync(account, JSON.stringify(accountDocument.of({ account: said })));
      return addLivepatch(task, all.work, of, { now: NOW, account });
    };
    const refused = { code: "TRUST_ADD", message: expect.stringContaining("another") };
    for (const other of [{ report: "02" }, { base: { ...base, buildId: "cd" } }, { target: { version: "6.1.193-1" } }])
      await expect(add(file, { ...own, ...other })).rejects.toMatchObject(refused);
    await expect(add(livepatchFile(folder, "by_hand"), own)).rejects.toMatchObject(refused);
    expect((await add(file, own)).custom.beside.account).not.toBeNull();
  });

  test("counts releases up, and knows the one before by its inputs", async () => {
    const { sha256 } = await release("first");
    const next = livepatchFile(folder, "next", { inputs: [{ kind: "livepatch", name: "first.ko", sha256 }] });
    expect((await addLivepatch(task, all.work, next, { now: NOW })).custom).toMatchObject({ counter: 2, predecessor: sha256 });
    const third = await addLivepatch(task, all.work, livepatchFile(folder, "third"), { now: NOW, retire: 1 });
    expect(third.custom).toMatchObject({ counter: 3, predecessor: null });
  });
});

describe("sign", () => {
  test("signs what was read and nothing else", async () => {
    await addLivepatch(task, all.work, livepatchFile(folder, "first"), { now: NOW });
    const [dan] = all.holders.patches;
    if (dan === undefined) throw new Error("none");
    const shown = await signStaged(task, all.work, dan, {});
    expect(shown.signed).toBe(false);
    expect(shown.roles.flatMap(({ says }) => says).join("\n")).toContain("release 1 for 6.1.0-test");
    await addLivepatch(task, all.work, livepatchFile(folder, "other"), { now: NOW });
    await expect(signStaged(task, all.work, dan, { read: shown.digest })).rejects.toMatchObject({ code: "TRUST_CHANGED" });
    await expect(signStaged(task, all.work, holder("stranger"), {})).rejects.toMatchObject({ code: "TRUST_KEY" });
  });

  test("shows keys by their ids, and which are new: a stranger's can have any name", async () => {
    await all.publish();
    const { root, patches } = all.holders;
    const [ada] = root;
    const [dan, eva] = patches;
    if (ada === undefined || dan === undefined || eva === undefined) throw new Error("none");
    const stranger = { ...holder("stranger").named, name: "dan" };
    await rotateKeys(task, all.work, { patches: { threshold: 2, keys: [stranger, eva.named] } }, NOW);
    const { says = [] } = (await signStaged(task, all.work, ada, {})).roles.find(({ role }) => role === "targets") ?? {};
    const at = says.findIndex((line) => line.endsWith("to patches: 2 of"));
    expect(says.slice(at + 1, at + 3)).toEqual([`  ${stranger.id} dan, NEW`, `  ${eva.named.id} eva`]);
    expect(says.join("\n")).not.toContain(dan.named.id);
  });

  test("refuses if the file is not the one that is listed", async () => {
    const { path, sha256 } = await addLivepatch(task, all.work, livepatchFile(folder, "first"), { now: NOW });
    const at = path.lastIndexOf("/") + 1;
    writeFileSync(join(all.work, "targets", `${path.slice(0, at)}${sha256}.${path.slice(at)}`), "another");
    const [dan] = all.holders.patches;
    if (dan === undefined) throw new Error("none");
    await expect(signStaged(task, all.work, dan, {})).rejects.toMatchObject({ code: "TRUST_CHANGED" });
  });

  test("each on a copy of its own; the signatures come together", async () => {
    await addLivepatch(task, all.work, livepatchFile(folder, "first"), { now: NOW });
    const copy = join(folder, "copy");
    cpSync(all.work, copy, { recursive: true });
    const [dan, eva] = all.holders.patches;
    if (dan === undefined || eva === undefined) throw new Error("none");
    await all.sign(dan);
    const { digest } = await signStaged(task, copy, eva, {});
    await signStaged(task, copy, eva, { read: digest });
    const line = (await repositoryStatus(all.work, NOW)).roles.find(({ role }) => role.startsWith("linux-"));
    expect(line?.staged).toMatchObject({ signed: ["dan"], lacking: 1, mayStillSign: ["eva"] });
    expect((await takeSignatures(task, all.work, copy)).taken.map(({ key }) => key)).toEqual(["eva", "eva"]);
    expect((await all.publish()).promoted).toContain("patches");
  });
});

describe("publish", () => {
  test("leaves out what is not signed by enough, and says so", async () => {
    await addLivepatch(task, all.work, livepatchFile(folder, "first"), { now: NOW });
    const [dan] = all.holders.patches;
    if (dan === undefined) throw new Error("none");
    await all.sign(dan);
    await withdraw(task, all.work, "0".repeat(64), { action: "do-not-load", reason: "urgent", now: NOW });
    await all.sign(...all.holders.withdrawal);
    const found = await all.publish();
    expect(found.promoted).toEqual(["withdrawal"]);
    expect(found.waiting.map((role) => role.replace(/-.*/, ""))).toEqual(["patches", "linux"]);
    expect((await (await all.machine()).refresh()).withdrawals.entries).toHaveLength(1);
  });

  test("takes the keys of snapshot and timestamp; a check writes nothing", async () => {
    await expect(all.publish(NOW, all.holders.snapshot)).rejects.toMatchObject({ code: "TRUST_UNSIGNED" });
    const before = readFileSync(join(all.out, "metadata/timestamp.json"), "utf8");
    expect((await all.publish(NOW, all.online, true)).written).toBe(0);
    expect(readFileSync(join(all.out, "metadata/timestamp.json"), "utf8")).toBe(before);
  });

  test("refuses an older truth, a smaller one, and another one of the same version", async () => {
    const backup = join(folder, "backup");
    cpSync(all.work, backup, { recursive: true });
    await release("first");
    await all.publish();
    await all.publish();
    rmSync(all.work, { recursive: true });
    cpSync(backup, all.work, { recursive: true });
    await expect(all.publish()).rejects.toMatchObject({ code: "TRUST_OLDER" });
    for (let i = 0; i < 3; i++) await expect(all.publish(NOW, all.online, true)).rejects.toMatchObject({ code: "TRUST_OLDER" });
  });

  test("a check takes the address of what is out there, too", async () => {
    const asked = (out: string): ReturnType<typeof publish> => publish(task, all.work, out, { signers: all.online, now: NOW, check: true });
    const old = join(folder, "old");
    cpSync(all.work, old, { recursive: true });
    await all.publish();
    await all.publish();
    const server = createServer((question, answer) => {
      const file = join(all.out, question.url ?? "");
      answer.writeHead(existsSync(file) ? 200 : 404).end(existsSync(file) ? readFileSync(file) : "");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect(await asked(address)).toMatchObject({ written: 0, versions: { timestamp: 4 } });
    rmSync(all.work, { recursive: true });
    cpSync(old, all.work, { recursive: true });
    await expect(asked(address)).rejects.toMatchObject({ code: "TRUST_OLDER" });
    await expect(publish(task, all.work, address, { signers: all.online, now: NOW })).rejects.toMatchObject({ code: "TRUST_REPOSITORY" });
  });

  test("refuses what would be another repository", async () => {
    const other = new Ceremony(folderInMemory({}));
    await other.init();
    const { root, patches, policy, withdrawal } = other.holders;
    await other.sign(...root.slice(0, 2), ...patches, ...policy, ...withdrawal);
    cpSync(all.out, other.out, { recursive: true });
    await expect(other.publish()).rejects.toMatchObject({ code: /^TRUST_/ });
  });
});

describe("rotation", () => {
  test.each(["root", "patches", "policy", "withdrawal", "snapshot", "timestamp"] as const)(
    "of %s: old machines and new ones follow",
    async (role) => {
      await release("first");
      await all.publish();
      const machine = await all.machine();
      await machine.refresh();
      const old = all.holders;
      const keys = [holder(`new-${role}-1`), holder(`new-${role}-2`), holder(`new-${role}-3`)].slice(0, old[role].length);
      const threshold = role === "root" || role === "patches" ? 2 : 1;
      all.holders = { ...old, [role]: keys };
      await rotateKeys(task, all.work, { [role]: { threshold, keys: keys.map(({ named }) => named) } }, NOW);
      await all.sign(...old.root.slice(0, 2));
      if (["root", "patches", "policy", "withdrawal"].includes(role)) await all.sign(...keys);
      await all.publish(NOW, [...old.snapshot, ...old.timestamp, ...all.online]);
      expect((await repositoryStatus(all.work, NOW)).roles.every(({ staged }) => staged === undefined)).toBe(true);
      for (const each of [machine, await all.machine()]) expect((await each.refresh()).patches).toHaveLength(1);
      await all.publish();
      for (const each of [machine, await all.machine()]) expect((await each.refresh()).refused).toEqual([]);
    },
  );

  test("of withdrawal gives back what its thief withdrew, and nothing else; the same keys cannot", async () => {
    const digests = ["0", "1", "2"].map((digit) => digit.repeat(64));
    for (const digest of digests) {
      await withdraw(task, all.work, digest, { action: "disable", reason: "a thief", now: NOW });
      await all.sign(...all.holders.withdrawal);
      await all.publish();
    }
    const machine = await all.machine();
    await machine.refresh();
    const rotated = (key: ReturnType<typeof holder> | undefined, words: string[]): Promise<string[]> =>
      rotateKeys(task, all.work, key === undefined ? {} : { withdrawal: { threshold: 1, keys: [key.named] } }, NOW, words);
    const wanda = holder("wanda");
    const [one = "", two = "", three = ""] = digests;
    for (const key of [undefined, all.holders.withdrawal[0]])
      await expect(rotated(key, [one])).rejects.toMatchObject({ code: "TRUST_REPOSITORY" });
    for (const word of ["0000", "3".repeat(64)]) await expect(rotated(wanda, [word])).rejects.toMatchObject({ code: "TRUST_REPOSITORY" });
    expect((await repositoryStatus(all.work, NOW)).roles.every(({ staged }) => staged === undefined)).toBe(true);
    expect(await rotated(wanda, [one.slice(0, 8), three])).toEqual(["targets", "withdrawal"]);
    await all.sign(...all.holders.root.slice(0, 2), wanda);
    expect((await all.publish()).promoted).toEqual(["targets", "withdrawal"]);
    for (const each of [machine, await all.machine()])
      expect((await each.refresh()).withdrawals).toMatchObject({ counter: 1, entries: [{ sha256: two }] });
    all.holders = { ...all.holders, withdrawal: [wanda] };
    await withdraw(task, all.work, three, { action: "disable", reason: "it hangs", now: NOW });
    await all.sign(wanda);
    await all.publish();
    expect((await machine.refresh()).withdrawals).toMatchObject({ counter: 2, entries: [{ sha256: two }, { sha256: three }] });
  });

  test("by two at once: neither forgets the names of the other's keys", async () => {
    await all.publish();
    const [pia, wanda] = [holder("pia"), holder("wanda")];
    await Promise.all([
      rotateKeys(task, all.work, { policy: { threshold: 1, keys: [pia.named] } }, NOW),
      rotateKeys(task, all.work, { withdrawal: { threshold: 1, keys: [wanda.named] } }, NOW),
    ]);
    const work = await Work.open(all.work);
    expect([pia, wanda].map(({ named }) => work.nameOf(named.id))).toEqual(["pia", "wanda"]);
  });

  test("of root by holders of whom one has lost the key: the others suffice", async () => {
    const [, bob, cyd] = all.holders.root;
    if (bob === undefined || cyd === undefined) throw new Error("none");
    const dora = holder("dora");
    await rotateKeys(task, all.work, { root: { threshold: 2, keys: [bob.named, cyd.named, dora.named] } }, NOW);
    await all.sign(bob, cyd);
    await all.publish();
    expect((await (await all.machine()).refresh()).expiries.find(({ role }) => role === "root")?.version).toBe(2);
  });
});

describe("a rotation that is half signed", () => {
  const rotated = async (role: "root" | "patches" | "policy" | "withdrawal" | "timestamp"): Promise<ReturnType<typeof holder>[]> => {
    const keys = [holder("new-1"), holder("new-2")];
    const threshold = role === "root" || role === "patches" ? 2 : 1;
    await rotateKeys(task, all.work, { [role]: { threshold, keys: keys.map(({ named }) => named) } }, NOW);
    return keys;
  };
  const withdrawn = async (): Promise<number> => {
    await withdraw(task, all.work, "0".repeat(64), { action: "do-not-load", reason: "urgent", now: NOW });
    await all.sign(...all.holders.withdrawal);
    expect((await all.publish()).promoted).toContain("withdrawal");
    return (await (await all.machine()).refresh()).withdrawals.entries.length;
  };

  test.each(["root", "patches", "policy", "withdrawal", "timestamp"] as const)("of %s does not hold up a withdrawal", async (role) => {
    await release("first");
    await all.publish();
    const keys = await rotated(role);
    // Those that it is to have have signed, and one of the two that root takes.
    if (role !== "timestamp") await all.sign(...keys);
    await all.sign(...all.holders.root.slice(0, 1));
    expect(await withdrawn()).toBe(1);
    expect((await repositoryStatus(all.work, NOW)).roles.filter(({ staged }) => staged !== undefined)).not.toEqual([]);
  });

  test("of withdrawal goes on behind it: what the old key signed meanwhile is signed by the new one", async () => {
    const [wanda] = await rotated("withdrawal");
    if (wanda === undefined) throw new Error("none");
    await all.sign(wanda);
    expect(await withdrawn()).toBe(1);
    await all.sign(...all.holders.root.slice(0, 2));
    const waiting = await all.publish();
    expect(waiting.waiting).toEqual(["targets", "withdrawal"]);
    expect(waiting.notes.join()).toContain("targets is signed by enough, and waits for withdrawal");
    await all.sign(wanda);
    expect((await all.publish()).promoted).toEqual(["targets", "withdrawal"]);
    expect((await (await all.machine()).refresh()).withdrawals.entries).toHaveLength(1);
    all.holders = { ...all.holders, withdrawal: [wanda] };
    await withdraw(task, all.work, "1".repeat(64), { action: "do-not-load", reason: "urgent", now: NOW });
    await all.sign(wanda);
    expect((await all.publish()).promoted).toEqual(["withdrawal"]);
  });

  test("keeps what was signed before it began", async () => {
    await withdraw(task, all.work, "0".repeat(64), { action: "do-not-load", reason: "urgent", now: NOW });
    await all.sign(...all.holders.withdrawal);
    await rotated("withdrawal");
    expect((await all.publish()).promoted).toEqual(["withdrawal"]);
  });

  test("of nothing yet says whose signatures the first publication lacks", async () => {
    const other = new Ceremony(folderInMemory({}));
    await other.init();
    await other.sign(...other.holders.root.slice(0, 1));
    await expect(other.publish()).rejects.toMatchObject({ code: "TRUST_UNSIGNED", message: expect.stringContaining("root lacks 1") });
  });
});

test("what has expired is renewed; status warns before", async () => {
  const machine = await all.machine();
  await machine.refresh();
  const states = async (now: Date): Promise<string[]> =>
    (await repositoryStatus(all.work, now)).roles.filter(({ state }) => state !== "good").map(({ role, state }) => `${role} ${state}`);
  expect(await states(NOW)).toEqual([]);
  expect(await states(later(6))).toEqual(["policy soon", "withdrawal soon", "snapshot soon", "timestamp expired"]);
  const due = later(8);
  await expect(machine.refresh(due)).rejects.toMatchObject({ code: "TRUST_EXPIRED" });
  expect((await all.publish(due)).notes.join()).toContain("policy, withdrawal");
  expect((await machine.refresh(due)).refused.map(({ where }) => where.file)).toEqual(["policy.json", "withdrawal.json"]);
  await renew(task, all.work, ["policy", "withdrawal"], due);
  await all.sign(...all.holders.policy, ...all.holders.withdrawal);
  await all.publish(due);
  expect((await machine.refresh(due)).refused).toEqual([]);
});

describe("elsewhere", () => {
  test("a mirror takes what is newer, verified, and refuses what is older", async () => {
    const there = join(folder, "mirror");
    const root = join(all.out, "metadata/1.root.json");
    await expect(mirror(task, sourceOf(all.out), there, undefined, NOW)).rejects.toMatchObject({ code: "TRUST_MISSING" });
    await mirror(task, sourceOf(all.out), there, root, NOW);
    const old = join(folder, "old");
    cpSync(all.out, old, { recursive: true });
    await release("first");
    await all.publish();
    expect((await mirror(task, sourceOf(all.out), there, undefined, NOW)).written).toBeGreaterThan(3);
    await expect(mirror(task, sourceOf(old), there, undefined, NOW)).rejects.toMatchObject({ code: "TRUST_OLDER" });
    expect((await mirror(task, sourceOf(all.out), there, undefined, NOW)).written).toBe(0);
  });

  test("one file goes over an air gap; damage is refused", async () => {
    await release("first");
    await all.publish();
    const file = join(folder, "carried");
    await exportRepository(task, all.out, file, NOW);
    const there = join(folder, "inside");
    await importRepository(task, file, there, join(all.out, "metadata/1.root.json"), NOW);
    const machine = await all.machine();
    expect((await machine.refresh()).patches).toHaveLength(1);
    const bytes = readFileSync(file);
    for (const damaged of [bytes.subarray(0, 100), Buffer.from("no archive"), Buffer.concat([bytes.subarray(0, -20), Buffer.alloc(20)])]) {
      writeFileSync(file, damaged);
      await expect(archiveSource(file)).rejects.toMatchObject({ code: "TRUST_ARCHIVE" });
    }
  });
});
