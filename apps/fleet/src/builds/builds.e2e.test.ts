/** Builds, with a real database: asked for by the setting, given out, given back, put up; and what a builder that lies can do. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "@suture/files";
import { accountDocument, type BuildOrder, type FleetBuild, type FleetWanted } from "@suture/protocol";
import { Task } from "@suture/task";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { accountFor, BASE, manifestFor, TARGET } from "../../test/catch-up.ts";
import { BUILD_ID, STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { livepatchBytes, Signed } from "../../test/repository.ts";
import { type Answered, dataFolder, Served } from "../../test/served.ts";
import { silent } from "../../test/silent.ts";
import { alone } from "../alone.ts";
import { newApiKey } from "../users/api-keys.ts";
import { BuildFolder } from "./files.ts";
import { sweepBuilds } from "./sweep.ts";
import { BuilderClient } from "./worker/client.ts";
import { work } from "./worker/worker.ts";

const base = dataFolder();
const signed = new Signed(base);
let served: Served;
let url: string;
const ARCHIVE = [
  { release: BASE.release, version: BASE.version, suite: "one", can: true, why: "" },
  { release: TARGET.release, version: TARGET.version, suite: "one", can: true, why: "" },
];
const account = accountFor();
const MODULE = livepatchBytes("catch_up_58", manifestFor(account));
const REPORT = JSON.stringify(accountDocument.of({ account }));
const REVIEW = `<script>alert(1)</script><p>${sha256(MODULE)}</p>`;
const trialOf = (outcome: string) => JSON.stringify({ schema: "suture/try-1", buildId: BUILD_ID, outcome });

beforeAll(async () => {
  await signed.begin();
  served = await Served.open(base, signed);
  url = `${await served.fleet.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const machine = new TestMachine("one");
  await machine.enrol(served, await tokenOf(served));
  machine.state = { ...STATE, version: BASE.version };
  expect(await send(served, machine.report())).toEqual(["taken"]);
});
afterAll(() => served.fleet.close());
beforeEach(async () => {
  const { sql } = served.fleet.database;
  await sql`delete from build`;
  await sql`delete from builder`;
  await sql`update building set keep_ready = false`;
});

const as = (path: string, body: object = {}): Promise<Answered> => served.ask("builder", "POST", `/v1/builder/${path}`, body);
const claimed = async (): Promise<BuildOrder | null> => (await as("claim")).body.build as BuildOrder | null;
const builds = async (): Promise<{ builds: FleetBuild[]; kernels: FleetWanted[] }> =>
  (await served.ask("viewer", "GET", "/v1/builds")).body as unknown as { builds: FleetBuild[]; kernels: FleetWanted[] };
const oneBuild = async (id: string): Promise<FleetBuild> =>
  (await served.ask("viewer", "GET", `/v1/builds/${id}`)).body.build as FleetBuild;

async function askedFor(more: object = {}): Promise<BuildOrder> {
  await as("archive", { kernels: ARCHIVE });
  expect((await served.ask("operator", "POST", "/v1/builds", { buildId: BUILD_ID, ...more })).status).toBe(200);
  const order = await claimed();
  if (order === null) throw new Error("nothing is given out");
  return order;
}

/** A piece, by hand. */
async function piece({ id, attempt }: BuildOrder, file: string, bytes: Uint8Array, offset = 0): Promise<Answered> {
  const key = await builderKey();
  const answer = await served.fleet.server.inject({
    method: "POST",
    url: `/v1/builder/builds/${id}/files/${file}?attempt=${attempt}&offset=${offset}`,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/octet-stream" },
    payload: Buffer.from(bytes),
  });
  return { status: answer.statusCode, body: answer.json() };
}
let other: string | undefined;
/** Another builder than that of `as`. */
async function builderKey(): Promise<string> {
  other ??= (await newApiKey(served.fleet.database.sql, "test", { name: "other", roles: ["builder"] })).key;
  return other;
}

async function put(
  client: BuilderClient,
  order: BuildOrder,
  outcome: string,
  module = MODULE,
  review = REVIEW,
): Promise<{ file: string; sha256: string }[]> {
  const folder = dataFolder();
  const sent: { file: string; sha256: string }[] = [];
  for (const [file, text] of [
    ["module", Buffer.from(module)],
    ["report", Buffer.from(REPORT)],
    ["review", Buffer.from(review)],
    ["trial", Buffer.from(trialOf(outcome))],
  ] as const) {
    writeFileSync(join(folder, file), text);
    await client.send(new Task(), order, file, join(folder, file));
    sent.push({ file, sha256: sha256(text) });
  }
  return sent;
}

/** A builder that is asked through HTTP, and has a build. */
async function building(more: object = {}): Promise<{ client: BuilderClient; order: BuildOrder }> {
  const client = new BuilderClient(url, await builderKey());
  await client.archive(new Task(), ARCHIVE);
  expect((await served.ask("operator", "POST", "/v1/builds", { buildId: BUILD_ID, ...more })).status).toBe(200);
  const order = await client.claim(new Task());
  if (order === null) throw new Error("nothing is given out");
  return { client, order };
}

const end = { code: "", why: "", mend: "" };

test("wherever the fleet has a kernel a livepatch to the newest of its series is asked for, once, and given out", async () => {
  expect((await builds()).kernels).toMatchObject([
    { release: BASE.release, state: "cannot", why: "no builder has said what the archive has" },
  ]);
  expect(await claimed()).toBeNull();
  await as("archive", { kernels: ARCHIVE });
  expect((await builds()).kernels).toMatchObject([{ state: "wanted", newest: { release: TARGET.release } }]);
  await served.fleet.lookAtBuilds();
  expect((await builds()).builds).toEqual([]);
  expect((await served.ask("operator", "POST", "/v1/builds/setting", { keepReady: true })).status).toBe(200);
  for (let i = 0; i < 2; i++) await served.fleet.lookAtBuilds();
  const { builds: all, kernels } = await builds();
  expect(all).toMatchObject([
    { release: BASE.release, targetRelease: TARGET.release, state: "waiting", machines: 1, madeBy: "the server" },
  ]);
  expect(kernels).toMatchObject([{ state: "build", build: all[0]?.id }]);
  const orders = await Promise.all([claimed(), claimed(), claimed()]);
  expect(orders.filter((order) => order !== null)).toMatchObject([
    { release: BASE.release, buildId: BUILD_ID, targetRelease: TARGET.release, attempt: 1, options: { take: [] } },
  ]);
  // A newer release is there: what is on its way goes on, and the newest is asked for besides.
  const newer = { release: "6.1.0-99-amd64", version: "6.1.299-1", suite: "one", can: true, why: "" };
  await as("archive", { kernels: [...ARCHIVE, newer] });
  await served.fleet.lookAtBuilds();
  expect((await builds()).builds.map(({ targetRelease, state }) => `${targetRelease} ${state}`).sort()).toEqual([
    `${TARGET.release} running`,
    `${newer.release} waiting`,
  ]);
  const newest = { ...newer, release: "6.1.0-100-amd64", version: "6.1.300-1" };
  await as("archive", { kernels: [...ARCHIVE, newer, newest] });
  await served.fleet.lookAtBuilds();
  expect((await builds()).builds.find(({ targetRelease }) => targetRelease === newer.release)).toMatchObject({ state: "superseded" });
  await served.ask("operator", "POST", "/v1/builds/setting", { keepReady: false });
  expect((await builds()).builds.find(({ targetRelease }) => targetRelease === newest.release)).toMatchObject({ state: "cancelled" });
});

test("what is built is put up with all that a holder of keys reads, and is added and signed by that; then it is published", async () => {
  const { client, order } = await building({ take: ["net/core"] });
  expect(order.options.take).toEqual(["net/core"]);
  const files = await put(client, order, "passed");
  await client.beat(new Task(), order, "it is tried", "first words\n");
  expect(await oneBuild(order.id)).toMatchObject({ state: "running", stage: "it is tried" });
  await client.end(new Task(), order, { outcome: "built", ...end, files: files as never });
  const found = await oneBuild(order.id);
  expect(found).toMatchObject({ state: "ready", trial: "passed", sha256: sha256(MODULE), folder: `builds/${order.id}`, published: false });
  const folder = join(signed.folder, "builds", order.id);
  expect(readdirSync(folder).sort()).toEqual([
    "build.json",
    "catch_up_58.html",
    "catch_up_58.json",
    "catch_up_58.ko",
    "catch_up_58.trial.json",
    "log.txt",
  ]);
  expect(readFileSync(join(folder, "log.txt"), "utf8")).toBe("first words\n");
  // Read on the server, what a builder has put into its page is not run.
  const review = await served.raw("viewer", `/builds/${order.id}/review`);
  expect(review.headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none'/);
  expect(review.body).toBe(REVIEW);
  expect((await served.raw("viewer", `/builds/${order.id}`)).body).toContain(`href="/builds/${order.id}/review"`);
  writeFileSync(join(folder, "catch_up_58.html"), `${REVIEW} and more`);
  expect((await served.raw("viewer", `/builds/${order.id}/review`)).statusCode).toBe(404);
  writeFileSync(join(folder, "catch_up_58.html"), REVIEW);
  expect(JSON.parse(readFileSync(join(folder, "build.json"), "utf8"))).toMatchObject({ id: order.id, sha256: { module: sha256(MODULE) } });
  // Nothing of it is in the repository before a person adds and signs it.
  expect((await signed.seen()).rollouts).toEqual([]);
  expect(await served.ask("viewer", "GET", "/v1/livepatches")).toMatchObject({ body: { livepatches: [] } });
  await signed.addFile(join(folder, "catch_up_58.ko"), {
    account: join(folder, "catch_up_58.json"),
    review: join(folder, "catch_up_58.html"),
  });
  await served.fleet.learner?.learn();
  expect(await oneBuild(order.id)).toMatchObject({ state: "ready", published: true });
  expect((await builds()).kernels).toMatchObject([{ state: "published" }]);
  expect((await served.ask("operator", "POST", `/v1/builds/${order.id}/again`, {})).status).toBe(409);
});

test("a builder that dies gives it back by saying nothing; what it says later counts no more; after three times it is given up", async () => {
  const { sql } = served.fleet.database;
  let order = await askedFor();
  const { id } = order;
  for (let i = 1; i <= 3; i++) {
    expect(order).toMatchObject({ id, attempt: i });
    expect((await as(`builds/${id}/beat`, { attempt: i, stage: "on", log: "" })).body).toEqual({ goesOn: true });
    await sql`update build set lease_until = now() - interval '1 second'`;
    const next = await claimed();
    expect((await as(`builds/${id}/beat`, { attempt: i, stage: "on", log: "" })).body).toEqual({ goesOn: false });
    expect((await as(`builds/${id}/end`, { attempt: i, outcome: "refused", ...end, files: [] })).status).toBe(409);
    if (i < 3) order = next as BuildOrder;
    else expect(next).toBeNull();
  }
  expect(await oneBuild(id)).toMatchObject({ state: "failed", why: expect.stringContaining("nothing was heard") });
  expect((await served.ask("operator", "POST", `/v1/builds/${id}/again`, { why: "it is mended" })).status).toBe(200);
  expect(await claimed()).toMatchObject({ id, attempt: 4 });
  // A clock that was ahead keeps it from nobody for ever.
  await sql`update build set lease_until = now() + interval '1 year'`;
  expect(await claimed()).toMatchObject({ id, attempt: 5 });
});

test("a builder that was only not heard goes on with what nobody has taken: its pieces are there, and what it ends counts", async () => {
  const { sql } = served.fleet.database;
  const { client, order } = await building();
  const files = await put(client, order, "passed");
  const unheard = async (): Promise<void> => {
    await sql`update build set lease_until = now() - interval '1 second'`;
    await served.fleet.lookAtBuilds();
    expect(await oneBuild(order.id)).toMatchObject({ state: "waiting", why: expect.stringContaining("nothing was heard") });
    await sweepBuilds(sql, new BuildFolder(signed.folder));
  };
  await unheard();
  expect(await client.beat(new Task(), order, "on", "and on\n")).toBe(true);
  expect(await oneBuild(order.id)).toMatchObject({ state: "running", stage: "on", tries: 1 });
  await unheard();
  expect((await piece(order, "module", Buffer.from("x"), 1)).body).toEqual({ size: MODULE.length });
  await client.end(new Task(), order, { outcome: "built", ...end, files: files as never });
  expect(await oneBuild(order.id)).toMatchObject({ state: "ready", tries: 1 });
  // It says it again, since it did not hear the answer.
  await client.end(new Task(), order, { outcome: "built", ...end, files: files as never });
  expect(await client.beat(new Task(), order, "late", "")).toBe(false);
  const audited = await sql<{ what: string }>`select what from audit where about = ${order.id} order by n`;
  expect(audited.map(({ what }) => what).filter((what) => what !== "build given back")).toEqual([
    ...["build asked for", "build begun", "build goes on", "build ready"],
  ]);
  // As if nothing of that content were published.
  await sql`update livepatch set listed = false`;
  // What is ready, and lost or not trusted, is built again; what is cancelled meanwhile, or was given back by its builder, is nobody's.
  expect((await served.ask("operator", "POST", `/v1/builds/${order.id}/again`, {})).status).toBe(200);
  const second = await client.claim(new Task());
  if (second === null) throw new Error("nothing is given out");
  await client.end(new Task(), second, { outcome: "given back", ...end, files: [] });
  expect(await client.beat(new Task(), second, "late", "")).toBe(false);
  const third = await client.claim(new Task());
  if (third === null) throw new Error("nothing is given out");
  await sql`update build set lease_until = now() - interval '1 second'`;
  await served.fleet.lookAtBuilds();
  expect((await served.ask("operator", "POST", `/v1/builds/${order.id}/cancel`, {})).status).toBe(200);
  expect(await client.beat(new Task(), third, "late", "")).toBe(false);
  expect((await piece(third, "module", Buffer.from("x"))).status).toBe(409);
});

test("a server that ends while it puts something up does it when it is asked again", async () => {
  const { sql } = served.fleet.database;
  const { client, order } = await building();
  const files = await put(client, order, "passed");
  const ends = (): Promise<void> => client.end(new Task(), order, { outcome: "built", ...end, files: files as never });
  const folder = new BuildFolder(signed.folder);
  // In the middle of putting it together.
  mkdirSync(`${folder.partial(order)}.whole`);
  writeFileSync(join(`${folder.partial(order)}.whole`, "catch_up_58.ko"), "half");
  await ends();
  const { body } = await served.ask("viewer", "GET", `/v1/builds/${order.id}`);
  expect(body.build).toMatchObject({ state: "ready" });
  expect((await folder.all()).partial).toEqual([]);
  // When it was there, and the database did not know it yet.
  await sql`update build set state = 'running', sha256 = null, trial = null, folder = null, lease_until = now() + interval '1 minute' where id = ${order.id}`;
  await ends();
  expect(await oneBuild(order.id)).toMatchObject({ state: "ready", sha256: sha256(MODULE), folder: `builds/${order.id}` });
  expect(readFileSync(join(folder.path, order.id, "catch_up_58.ko")).equals(Buffer.from(MODULE))).toBe(true);
});

test("a piece that is sent several times at once is there once", async () => {
  const { order } = await building();
  const bytes = Buffer.alloc(1024 * 1024, "piece");
  await Promise.all(Array.from({ length: 6 }, () => piece(order, "report", bytes)));
  expect((await piece(order, "report", bytes, 5)).body).toEqual({ size: bytes.length });
  expect(readFileSync(join(new BuildFolder(signed.folder).partial(order), "report")).equals(bytes)).toBe(true);
});

test("what failed is tried again, what was refused is not, what is cancelled ends at the builder, and who is stopped gives it back", async () => {
  const { sql } = served.fleet.database;
  const order = await askedFor();
  const { id } = order;
  await as(`builds/${id}/end`, { attempt: 1, outcome: "given back", ...end, files: [] });
  expect(await claimed()).toMatchObject({ id, attempt: 2 });
  await as(`builds/${id}/end`, { attempt: 2, outcome: "failed", ...end, why: "the disk is full", files: [] });
  expect(await oneBuild(id)).toMatchObject({ state: "waiting", why: "the disk is full", tries: 1 });
  expect(await claimed()).toBeNull();
  await sql`update build set due_at = now()`;
  expect(await claimed()).toMatchObject({ id, attempt: 3 });
  expect((await served.ask("operator", "POST", `/v1/builds/${id}/cancel`, {})).status).toBe(200);
  expect((await as(`builds/${id}/beat`, { attempt: 3, stage: "on", log: "" })).body).toEqual({ goesOn: false });
  await served.ask("operator", "POST", `/v1/builds/${id}/again`, {});
  await claimed();
  await as(`builds/${id}/end`, { attempt: 4, outcome: "refused", code: "CATCHUP_NOTHING", why: "no", mend: "none", files: [] });
  expect(await oneBuild(id)).toMatchObject({ state: "refused", code: "CATCHUP_NOTHING", mend: "none" });
  expect(await claimed()).toBeNull();
});

test("what is not what was asked for is not put up; what failed its trial is put where nobody signs it", async () => {
  const { client, order } = await building();
  const refusedAs = async (files: { file: string; sha256: string }[], why: string): Promise<void> => {
    await expect(client.end(new Task(), order, { outcome: "built", ...end, files: files as never })).rejects.toMatchObject({
      message: expect.stringContaining(why),
    });
    await served.fleet.database.sql`update build set attempt = attempt + 1 where id = ${order.id}`;
    order.attempt += 1;
  };
  await refusedAs([], "module is not here");
  const lies = (await put(client, order, "passed")).map((one) => (one.file === "report" ? { ...one, sha256: "0".repeat(64) } : one));
  await refusedAs(lies, "report is not here as it was said");
  await refusedAs(await put(client, order, "passed", Buffer.from("no module")), "");
  const elsewhere = livepatchBytes("other", { ...manifestFor(account), kernel: { release: STATE.release, buildId: "6b".repeat(20) } });
  await refusedAs(await put(client, order, "passed", elsewhere), "it is for");
  await refusedAs(await put(client, order, "passed", livepatchBytes("fix")), "no catch-up");
  await refusedAs(await put(client, order, "passed", MODULE, "of another"), "of another module");
  expect(await oneBuild(order.id)).toMatchObject({ state: "running" });
  expect(existsSync(join(signed.folder, "builds", order.id))).toBe(false);
  const files = await put(client, order, "panicked");
  await client.end(new Task(), order, { outcome: "built", ...end, files: files as never });
  expect(await oneBuild(order.id)).toMatchObject({ state: "bad", trial: "panicked", folder: `builds/bad/${order.id}` });
});

test("pieces go where the file ends, no longer than they may be, and only by who has the build", async () => {
  const { order } = await building();
  const bytes = Buffer.from("abc");
  expect((await piece(order, "module", bytes)).body).toEqual({ size: 3 });
  expect((await piece(order, "module", bytes)).body).toEqual({ size: 3 });
  expect((await piece(order, "module", bytes, 3)).body).toEqual({ size: 6 });
  expect((await piece(order, "module", bytes, 70 * 1024 * 1024)).status).toBe(400);
  expect((await piece(order, "../module", bytes)).status).toBe(404);
  expect((await piece(order, "passwd", bytes)).status).toBe(400);
  expect((await piece({ ...order, attempt: 9 }, "module", bytes)).status).toBe(409);
  expect((await piece(order, "module", Buffer.alloc(3 * 1024 * 1024), 6)).status).toBe(400);
  expect((await as(`builds/${order.id}/beat`, { attempt: order.attempt, stage: "of another", log: "" })).body).toEqual({ goesOn: false });
  await expect(new BuildFolder(signed.folder, 2 ** 60).put(order, "module", 6, bytes)).rejects.toMatchObject({ code: "FLEET_ROOM" });
  // What was begun is gone when nobody is at it any more.
  const folder = new BuildFolder(signed.folder);
  await sweepBuilds(served.fleet.database.sql, folder);
  expect((await folder.all()).partial).toHaveLength(1);
  await served.fleet.database.sql`delete from build`;
  await sweepBuilds(served.fleet.database.sql, folder);
  expect(await folder.all()).toEqual({ ids: [], partial: [] });
});

test("a builder's key sees and does nothing else; what cannot be built for cannot be asked for", async () => {
  for (const path of ["/v1/hosts", "/v1/builds", "/v1/audit", "/v1/cves", "/"])
    expect((await served.ask("builder", "GET", path)).status).toBe(403);
  const ask = (body: object) => served.ask("operator", "POST", "/v1/builds", { buildId: BUILD_ID, ...body });
  expect(await ask({})).toMatchObject({ status: 409, body: { error: { code: "FLEET_BUILD" } } });
  await as("archive", { kernels: ARCHIVE });
  expect(await ask({ buildId: "00".repeat(20) })).toMatchObject({ status: 404 });
  expect(await ask({ to: "6.1.0-77-amd64" })).toMatchObject({ status: 409 });
  expect(await ask({ to: BASE.release })).toMatchObject({ body: { error: { why: expect.stringContaining("not newer") } } });
  for (const wrong of [{ take: ["--output"] }, { acceptData: ["--output"] }, { redirect: ["find"] }, { hole: ["sock"] }, { hole: [] }])
    expect(await ask(wrong), JSON.stringify(wrong)).toMatchObject({ status: 400 });
  expect(await ask({})).toMatchObject({ status: 200 });
  expect(await ask({})).toMatchObject({ status: 409, body: { error: { code: "FLEET_STATE" } } });
});

test("a page is followed by the next, also where all were asked for at once", async () => {
  await served.fleet.database.sql`
    insert into build (id, release, build_id, target_release, options, by_setting, machines, why, made_by, state)
    select lpad(to_hex(n), 12, '0'), '6.1.0-1-amd64', ${BUILD_ID}, '6.1.0-2-amd64', '{"take":[],"leaveOut":[],"acceptDoubt":[]}', true, 1, 'w', 'x', 'cancelled'
    from generate_series(1, 250) n`;
  const seen: string[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const { body } = await served.ask("viewer", "GET", `/v1/builds${next === "" ? "" : `?before=${next}`}`);
    seen.push(...(body.builds as FleetBuild[]).map(({ id }) => id));
    next = body.next as string | null;
  }
  expect(new Set(seen).size).toBe(250);
  expect(seen).toHaveLength(250);
});

/** A stand-in for the command: what it is told to print, and the files that it is told to write. */
function command(parts: { trial?: string; catchUp?: string }): { argv: string; calls: () => string[] } {
  const folder = dataFolder();
  const kernels = ARCHIVE.map(({ release, version, suite }) => ({
    ...{ release, version, suite, running: false, installed: false, archived: true, source: true, headers: true },
  }));
  const files = { kernels: JSON.stringify({ archive: kernels }), report: REPORT, review: REVIEW, trial: parts.trial ?? trialOf("passed") };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, "module"), MODULE);
  const script = `#!/bin/sh
cd ${folder}
echo "$@" >> calls
case $1 in
kernels) cat kernels ;;
catch-up) ${parts.catchUp ?? 'cp module "$7"; echo at work >&2; cat report'} ;;
review) cp review "$6"; echo '{}' ;;
try) cat trial ;;
esac
`;
  const argv = join(folder, "suture");
  writeFileSync(argv, script);
  chmodSync(argv, 0o755);
  return { argv, calls: () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n") };
}

async function worker(parts: Parameters<typeof command>[0], task = new Task()): Promise<string[]> {
  const { argv, calls } = command(parts);
  const client = new BuilderClient(url, await builderKey());
  await work(task, { client, suture: [argv], folder: join(dataFolder(), "work"), room: 0, once: true }, silent);
  return calls();
}

/** Asked for before the builder comes: it says itself what the archive has. */
async function waiting(more: object = {}): Promise<string> {
  await as("archive", { kernels: ARCHIVE });
  const { body } = await served.ask("operator", "POST", "/v1/builds", { buildId: BUILD_ID, ...more });
  return String(body.id);
}

test("the builder's process: kernels told, caught up, reviewed, tried, sent", async () => {
  const said = { acceptData: ["net/genl.o:policy"], redirect: ["lib/a.o:find", "lib/b.o:sort"], hole: ["sock.state"] };
  const id = await waiting({ take: ["net/core", "mm/slab.c"], ...said });
  const calls = await worker({});
  expect(calls.map((line) => line.replace(/\/\S*\//g, ""))).toEqual([
    "kernels --all --json",
    [
      `catch-up --kernel ${BASE.release} --to ${TARGET.release} --output livepatch.ko --report units.json --take net/core mm/slab.c`,
      "--accept-data net/genl.o:policy --redirect lib/a.o:find lib/b.o:sort --hole sock.state --json",
    ].join(" "),
    `review livepatch.ko --kernel ${BASE.release} --output review.html --json`,
    `try livepatch.ko --kernel ${BASE.release} --json`,
  ]);
  expect(await oneBuild(id)).toMatchObject({ state: "ready", sha256: sha256(MODULE) });
  expect((await served.ask("viewer", "GET", `/v1/builds/${id}`)).body.log).toContain("at work\n");
});

test.each([
  [
    "a refusal stays",
    `echo '{"schema":"suture/error-1","error":{"code":"SOURCE_NO_FEATURESET","why":"rt","mend":"none"}}'; exit 1`,
    { state: "refused", code: "SOURCE_NO_FEATURESET" },
  ],
  [
    "the archive is away",
    `echo '{"schema":"suture/error-1","error":{"code":"ARCHIVE_FAILED","why":"away","mend":"later"}}'; exit 1`,
    { state: "waiting", code: "ARCHIVE_FAILED" },
  ],
  ["it is killed", "kill -9 $$", { state: "waiting", why: expect.stringContaining("SIGKILL") }],
  ["nothing can be carried", "echo '{}'", { state: "nothing" }],
])("the builder's process: %s", async (_name, catchUp, expected) => {
  const id = await waiting();
  await worker({ catchUp });
  expect(await oneBuild(id)).toMatchObject(expected);
});

test("the builder's process: stopped, it gives back what it has, and its command ends", async () => {
  const id = await waiting();
  const ending = new AbortController();
  const ended = worker({ catchUp: "sleep 300" }, new Task(undefined, ending.signal));
  while ((await oneBuild(id)).stage === "") await sleep(50);
  ending.abort();
  await ended;
  expect(await oneBuild(id)).toMatchObject({ state: "waiting", why: "the builder was stopped", tries: 0 });
});

test("the builder's process: what a killed one left goes; two do not work in one folder", async () => {
  const folder = join(dataFolder(), "work");
  mkdirSync(join(folder, "0123456789ab-3"), { recursive: true });
  writeFileSync(join(folder, "0123456789ab-3", "livepatch.ko"), "half");
  writeFileSync(join(folder, "not-its-own"), "");
  const options = { client: new BuilderClient(url, await builderKey()), suture: [command({}).argv], folder, room: 0, once: true };
  await work(new Task(), options, silent);
  expect(readdirSync(folder).sort()).toEqual(["lock", "not-its-own"]);
  const lock = await alone(new Task(), folder);
  await expect(work(new Task(), options, silent)).rejects.toMatchObject({ code: "FLEET_FOLDER" });
  await lock.close();
});

test("the builder's process: without room it asks for nothing; with a key that is none it ends", async () => {
  const id = await waiting();
  const { argv } = command({});
  const folder = join(dataFolder(), "work");
  mkdirSync(folder);
  const options = { suture: [argv], folder, once: true };
  const client = new BuilderClient(url, await builderKey());
  await expect(work(new Task(), { ...options, client, room: 2 ** 60 }, silent)).rejects.toMatchObject({ code: "FLEET_BUILDER" });
  await expect(work(new Task(), { ...options, client: new BuilderClient(url, "sk_none") }, silent)).rejects.toMatchObject({
    code: "FLEET_BUILDER",
  });
  await expect(work(new Task(), { ...options, client, suture: ["/nowhere/suture"] }, silent)).rejects.toMatchObject({
    code: "FLEET_BUILDER",
  });
  expect(await oneBuild(id)).toMatchObject({ state: "waiting", tries: 0 });
});
