/** Machines come into the fleet, and report. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SignedReport } from "@suture/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUILD_ID, STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { dataFolder, Served } from "../../test/served.ts";
import { MOST_MOVES } from "../reports/level.ts";
import { sweepQuiet } from "./quiet.ts";

const data = dataFolder();
let served: Served;
let token: string;
let n = 0;

beforeAll(async () => {
  served = await Served.open(data);
  token = await tokenOf(served);
});
afterAll(() => served.fleet.close());

const sha = (digit: string): string => digit.repeat(64);

async function enrolled(): Promise<TestMachine> {
  const machine = new TestMachine(`host-${n++}`);
  expect(await machine.enrol(served, token)).toMatchObject({ status: 200, body: { state: "approved" } });
  return machine;
}

const row = async ({ host }: TestMachine): Promise<Record<string, unknown>> =>
  (await served.fleet.database.sql`select * from host_state where host = ${host}`)[0] ?? {};
const refused = { status: 409, body: { error: { code: "FLEET_ENROL" } } };

describe("enrolment", () => {
  test("by a token for one machine: once, also where many come at the same time; the same machine may ask again", async () => {
    const once = await tokenOf(served, { limit: 1 });
    const machines = Array.from({ length: 10 }, () => new TestMachine(`many-${n++}`));
    const answers = await Promise.all(machines.map((machine) => machine.enrol(served, once)));
    const [winner, ...others] = machines.filter((_, i) => answers[i]?.status === 200);
    expect(others).toEqual([]);
    const { host } = winner ?? {};
    expect(await winner?.enrol(served, once)).toMatchObject({ status: 200, body: { host } });
  });

  test("is refused by a token that is not known, was revoked, or has expired, and where the key is not the machine's", async () => {
    expect(await new TestMachine("x").enrol(served, "se_unknown")).toMatchObject(refused);
    const { body } = await served.ask("operator", "POST", "/v1/enrol-tokens", {
      name: "gone",
      limit: null,
      days: 1,
      approve: true,
      labels: [],
    });
    const { sql } = served.fleet.database;
    await sql`update enrol_token set expires_at = now() where id = ${String(body.id)}`;
    expect(await new TestMachine("x").enrol(served, String(body.token))).toMatchObject(refused);
    await sql`update enrol_token set expires_at = now() + interval '1 day' where id = ${String(body.id)}`;
    expect((await served.ask("operator", "DELETE", `/v1/enrol-tokens/${body.id}`)).status).toBe(200);
    expect(await new TestMachine("x").enrol(served, String(body.token))).toMatchObject(refused);
    const other = await enrolled();
    expect(await new TestMachine("x").enrol(served, token, { publicKey: other.publicKey })).toMatchObject(refused);
    expect(await new TestMachine("x").enrol(served, token, { machineId: sha("a").slice(32) })).toMatchObject(refused);
    // A key that is known, with a machine's id that is not its own.
    expect(await Object.assign(other, { machineId: sha("b").slice(32) }).enrol(served, token)).toMatchObject(refused);
  });

  test("a machine that comes again waits for the one before to be retired, and then for approval or not as the token says", async () => {
    const first = await enrolled();
    const again = Object.assign(new TestMachine("again"), { machineId: first.machineId });
    expect(await again.enrol(served, token)).toMatchObject(refused);
    expect((await served.ask("operator", "POST", `/v1/hosts/${first.host}`, { state: "retired" })).status).toBe(200);
    expect(await again.enrol(served, token)).toMatchObject({ status: 200, body: { state: "approved" } });
    expect(await send(served, first.report(), again.report())).toEqual(["not approved", "taken"]);
    expect(await served.ask("operator", "POST", `/v1/hosts/${first.host}`, { state: "approved" })).toMatchObject({ status: 409 });
  });

  test("where approval is asked for, nothing is taken before it is given", async () => {
    const machine = new TestMachine("waits");
    expect(await machine.enrol(served, await tokenOf(served, { approve: false }))).toMatchObject({
      status: 200,
      body: { state: "pending" },
    });
    expect(await send(served, machine.report())).toEqual(["not approved"]);
    expect((await served.ask("operator", "POST", `/v1/hosts/${machine.host}`, { state: "approved" })).status).toBe(200);
    expect(await send(served, machine.report())).toEqual(["taken"]);
    expect((await served.ask("viewer", "GET", "/v1/audit")).body).toMatchObject({
      rows: expect.arrayContaining([expect.objectContaining({ what: "host approved", about: machine.host })]),
    });
  });
});

test("a machine that waits keeps its place from others that say they are it; labels are an operator's", async () => {
  const waits = new TestMachine("waits");
  await waits.enrol(served, await tokenOf(served, { approve: false }));
  const other = Object.assign(new TestMachine("other"), { machineId: waits.machineId });
  expect(await other.enrol(served, token)).toMatchObject(refused);
  expect((await served.ask("operator", "POST", `/v1/hosts/${waits.host}`, { labels: ["web"] })).status).toBe(200);
  expect((await served.ask("viewer", "GET", `/v1/hosts/${waits.host}`)).body).toMatchObject({
    host: { state: "pending", labels: ["web"] },
  });
  expect((await served.ask("operator", "POST", `/v1/hosts/${waits.host}`, {})).status).toBe(400);
});

describe("reports", () => {
  test("the newest counts: late and repeated ones change nothing, in one batch or in several, in any order", async () => {
    const machine = await enrolled();
    const reports = Array.from({ length: 8 }, (_, i) => {
      machine.state = { ...STATE, counter: i + 1 };
      return machine.report();
    });
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...reports, ...reports], { minLength: 1 }), fc.nat({ max: 8 }), async (order, cut) => {
        const before = Number((await row(machine)).counter ?? 0);
        const outcomes = [...(await send(served, ...order.slice(0, cut))), ...(await send(served, ...order.slice(cut)))];
        let newest = before;
        order.forEach((report, i) => {
          const { counter } = JSON.parse(report.body) as { counter: number };
          expect(outcomes[i]).toBe(counter > newest ? "taken" : "known");
          newest = Math.max(newest, counter);
        });
        expect(await row(machine)).toMatchObject({ counter: newest, accepted: newest });
      }),
      { numRuns: 30 },
    );
  });

  test("a beat says that nothing changed; of a state that is not known here the whole is wanted", async () => {
    const machine = await enrolled();
    expect(await send(served, machine.report(false))).toEqual(["whole wanted"]);
    expect(await send(served, machine.report(), machine.report(false))).toEqual(["taken", "taken"]);
    const { seen_at } = await row(machine);
    await sleep(5);
    expect(await send(served, machine.report(false))).toEqual(["taken"]);
    expect((await row(machine)).seen_at).not.toEqual(seen_at);
    machine.state = { ...STATE, hold: "by hand" };
    expect(await send(served, machine.report(false))).toEqual(["whole wanted"]);
  });

  test("what is not signed by the machine, or is of another form, is wrong, and does not keep others out", async () => {
    const [machine, other] = [await enrolled(), await enrolled()];
    const good = machine.report();
    const body = JSON.parse(good.body) as object;
    const signed = (value: unknown): SignedReport => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return { host: machine.host, body: text, signature: machine.sign(`suture report\n${text}`) };
    };
    const wrong = [
      { ...good, body: good.body.replace("boot-1", "boot-2") },
      { ...good, signature: other.sign(`suture report\n${good.body}`) },
      { ...other.report(), host: machine.host },
      signed({ ...body, host: other.host }),
      signed({ ...body, counter: 1.5 }),
      signed({ ...body, bootId: "zero\u0000" }),
      signed({ ...body, bootId: "half\ud800" }),
      signed({ ...body, at: "2026-99-99T99:99:99.999Z" }),
      signed("no json"),
      signed([]),
    ];
    expect(await send(served, ...wrong, good, other.report())).toEqual([...wrong.map(() => "wrong"), "taken", "taken"]);
    expect(await send(served, { ...good, host: "0".repeat(32) })).toEqual(["no such host"]);
  });

  test("mutated at any place, none is taken, and the server goes on", async () => {
    const machine = await enrolled();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom("body", "signature", "host" as const), async (at, to, what) => {
        const good = machine.report();
        const text = good[what];
        const i = at % text.length;
        const mutated = { ...good, [what]: `${text.slice(0, i)}${String.fromCharCode(to)}${text.slice(i + 1)}` };
        if (mutated[what] === text) return;
        const { status, body } = await served.ask(undefined, "POST", "/v1/reports", { reports: [mutated] });
        expect([200, 400]).toContain(status);
        expect(status === 200 ? body.outcomes : ["wrong"]).not.toEqual(["taken"]);
      }),
      { numRuns: 300 },
    );
    expect(await send(served, machine.report())).toEqual(["taken"]);
  });

  test("what was acknowledged is there when the database is killed under load", async () => {
    const machines = await Promise.all(Array.from({ length: 20 }, enrolled));
    const acknowledged = new Map<string, number>();
    let going = true;
    const work = machines.map(async (machine) => {
      while (going) {
        machine.state = { ...STATE, counter: machine.counter + 1 };
        const report = machine.report();
        const { status, body } = await served.ask(undefined, "POST", "/v1/reports", { reports: [report] });
        if (status === 200 && (body.outcomes as string[])[0] === "taken") acknowledged.set(machine.host, machine.counter);
        else await sleep(50);
      }
    });
    await sleep(500);
    process.kill(Number(readFileSync(join(data, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]), "SIGKILL");
    await sleep(1000);
    await served.well();
    going = false;
    await Promise.all(work);
    expect(acknowledged.size).toBe(20);
    for (const machine of machines)
      expect(Number((await row(machine)).counter)).toBeGreaterThanOrEqual(acknowledged.get(machine.host) ?? 0);
  });
});

describe("what is known of machines", () => {
  test("a page is followed by the next, and none is missed or shown twice; filters hold", async () => {
    const machines: TestMachine[] = [];
    while (machines.length < 120) machines.push(...(await Promise.all(Array.from({ length: 12 }, enrolled))));
    const livepatch = { name: "livepatch_fix", sha256: sha("c"), inEffect: true, kept: true };
    machines.forEach((machine, i) => {
      machine.state = { ...STATE, livepatches: i % 3 === 0 ? [livepatch] : [], hold: i % 5 === 0 ? "by hand" : null };
    });
    await send(served, ...machines.map((machine) => machine.report()));
    const all = async (query: string): Promise<string[]> => {
      const found: string[] = [];
      for (let after = ""; ; ) {
        const { body } = await served.ask("viewer", "GET", `/v1/hosts?${query}${after}`);
        const { hosts, next } = body as { hosts: { id: string }[]; next: string | null };
        found.push(...hosts.map(({ id }) => id));
        if (next === null) return found;
        after = `&after=${encodeURIComponent(next)}`;
      }
    };
    const ids = machines.map(({ host }) => host);
    const everyone = await all("");
    expect(new Set(everyone).size).toBe(everyone.length);
    expect(everyone).toEqual(expect.arrayContaining(ids));
    expect((await all(`livepatch=${sha("c")}`)).sort()).toEqual(ids.filter((_, i) => i % 3 === 0).sort());
    expect((await all("status=held")).filter((id) => ids.includes(id)).sort()).toEqual(ids.filter((_, i) => i % 5 === 0).sort());
    expect((await all(`name=${machines[7]?.name}`)).at(0)).toBe(ids[7]);
    expect((await served.ask("viewer", "GET", "/v1/hosts?after=nonsense")).status).toBe(400);
  });

  test("its history is no longer than that of others, whatever it tells", async () => {
    const machine = await enrolled();
    for (let i = 0; i < 3; i++) {
      const reports = Array.from({ length: 400 }, (_, k) => {
        machine.state = { ...STATE, hold: k % 2 === 0 ? "by hand" : null };
        machine.bootId = `boot-${i}-${k}`;
        return machine.report();
      });
      for (const report of reports.slice(0, 200))
        await served.fleet.database.sql`insert into host_event (host, what, detail) values (${report.host}, 'held', '')`;
      await send(served, ...reports);
    }
    const [{ n: events } = { n: 0 }] = await served.fleet.database.sql<{
      n: number;
    }>`select count(*)::integer as n from host_event where host = ${machine.host}`;
    expect(events).toBe(500);
  });

  test("its history says what happened to it", async () => {
    const machine = await enrolled();
    const says = async (): Promise<string[]> => {
      const { body } = await served.ask("viewer", "GET", `/v1/hosts/${machine.host}`);
      return (body.events as { what: string; detail: string }[]).map(({ what, detail }) => `${what}: ${detail}`);
    };
    await send(served, machine.report());
    machine.state = { ...STATE, intent: { sha256: sha("d"), rollOut: "fix" } };
    await send(served, machine.report());
    machine.bootId = "boot-2";
    machine.state = { ...STATE, refused: [{ sha256: sha("d"), code: "AGENT_REBOOTED", why: "it went down" }] };
    await send(served, machine.report());
    expect(await says()).toEqual([
      `refused: ${sha("d")}: AGENT_REBOOTED, it went down`,
      `booted: ${STATE.release}`,
      `about to load: ${sha("d")} by fix`,
      `first report: ${STATE.release}`,
    ]);
    expect((await served.ask("viewer", "GET", `/v1/hosts/${machine.host}`)).body).toMatchObject({
      host: { status: "trouble", buildId: BUILD_ID },
    });
    expect((await served.ask("viewer", "GET", `/v1/hosts/${"0".repeat(32)}`)).status).toBe(404);
  });
});

test("a machine makes no more rows than it has need of, and is told of again when it stays", async () => {
  const { sql } = served.fleet.database;
  const machine = new TestMachine("restless");
  await machine.enrol(served, await tokenOf(served));
  const rows = async () => (await sql<{ n: number }>`select count(*)::integer as n from level`)[0]?.n ?? 0;
  const level = async () => (await sql<{ level: string | null }>`select level from host_state where host = ${machine.host}`)[0]?.level;
  const before = await rows();
  for (let i = 0; i < 30; i++) {
    machine.state = { ...STATE, version: `6.1.${i}-1` };
    expect(await send(served, machine.report())).toEqual(["taken"]);
  }
  expect((await rows()) - before).toBe(MOST_MOVES);
  expect(await level()).toBeNull();
  await sql`update host_state set level_since = now() - interval '61 minutes' where host = ${machine.host}`;
  expect(await send(served, machine.report(false))).toEqual(["taken"]);
  expect(await level()).not.toBeNull();
  await sql`update host_state set level_since = now() - interval '2 days' where host = ${machine.host}`;
  expect(await send(served, machine.report(false))).toEqual(["taken"]);
  const [since] = await sql<{
    old: boolean;
  }>`select level_since < now() - interval '1 day' as old from host_state where host = ${machine.host}`;
  expect(since).toEqual({ old: true });
});

test("pages and metrics, however many, keep no report, no roll-out and nobody who asks from the database", async () => {
  const { sql } = served.fleet.database;
  let end: () => void = () => {};
  const ended = new Promise<void>((done) => {
    end = done;
  });
  const busy = Array.from({ length: 12 }, () => sql.begin(async (within) => within`select 1`.then(() => ended)));
  const machine = new TestMachine("urgent");
  try {
    expect((await served.ask("operator", "POST", "/v1/rollouts/none/hold", { why: "x" })).status).toBe(409);
    expect(await send(served, { ...machine.report(), host: "0".repeat(32) })).toEqual(["no such host"]);
  } finally {
    end();
    await Promise.all(busy);
  }
});

test("what a newer machine says besides is let be", async () => {
  const machine = new TestMachine("newer");
  await machine.enrol(served, await tokenOf(served));
  const livepatches = [{ name: "fix", sha256: "ab".repeat(32), inEffect: true, kept: true, more: 1 }];
  machine.state = { ...STATE, livepatches, ofTheFuture: { a: 1 } } as typeof STATE;
  expect(await send(served, machine.report(true, { ofTheFuture: 1 } as object))).toEqual(["taken"]);
  const { report } = (await served.ask("viewer", "GET", `/v1/hosts/${machine.host}`)).body as { report: object };
  expect(report).toMatchObject({ livepatches: [{ name: "fix", inEffect: true }] });
  expect(report).not.toHaveProperty("ofTheFuture");
});

describe("what is rare is found by itself", () => {
  const names = async (query: string): Promise<string[]> => {
    const { body } = await served.ask("viewer", "GET", `/v1/hosts?${query}`);
    return (body.hosts as { name: string }[]).map(({ name }) => name);
  };
  const sql = () => served.fleet.database.sql;
  const sweptAgo = (minutes: number) => sql()`update quiet_sweep set at = now() - make_interval(mins => ${minutes})`;
  const lastHeardOf = ({ host }: TestMachine, minutes: number) =>
    sql()`update host_state set seen_at = now() - make_interval(mins => ${minutes}) where host = ${host}`;

  test("who was never heard of, also where what it said is gone", async () => {
    const machine = await enrolled();
    expect(await names("status=never seen")).toContain(machine.name);
    await send(served, machine.report());
    expect(await names("status=never seen")).not.toContain(machine.name);
    await sql()`delete from host_state where host = ${machine.host}`;
    expect(await names("status=never seen")).toContain(machine.name);
  });

  test("who is silent, by what was noted before it was, and by all where nothing was noted of late", async () => {
    const [noted, later] = [await enrolled(), await enrolled()];
    await send(served, noted.report());
    await send(served, later.report());
    await lastHeardOf(noted, 170);
    await sweepQuiet(sql());
    expect(await row(noted)).toMatchObject({ quiet: true });
    expect(await row(later)).toMatchObject({ quiet: false });
    // It is not silent yet.
    expect(await names("status=silent")).toEqual([]);
    await lastHeardOf(noted, 191);
    expect(await names("status=silent")).toEqual([noted.name]);
    for (const minutes of [21, -60]) {
      await sweptAgo(minutes);
      await lastHeardOf(later, 191);
      expect(await names("status=silent")).toEqual([noted.name, later.name]);
    }
    await sweepQuiet(sql());
    expect(await names("status=silent")).toEqual([noted.name, later.name]);
    for (const machine of [noted, later]) await send(served, machine.report(false));
    expect(await row(noted)).toMatchObject({ quiet: false });
    expect(await names("status=silent")).toEqual([]);
  });

  test("labels, by the whole of one", async () => {
    const labelled = await tokenOf(served, { labels: ["rack-9.b", "other"] });
    const machine = new TestMachine(`host-${n++}`);
    expect((await machine.enrol(served, labelled)).status).toBe(200);
    expect(await names("label=rack-9.b")).toEqual([machine.name]);
    expect(await names("label=rack-9")).toEqual([]);
  });
});
