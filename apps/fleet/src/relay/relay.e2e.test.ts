/** A relay between machines and the real server: what it acknowledged is never lost, whatever is killed; and it decides nothing by itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReportOutcome, SignedReport } from "@suture/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STATE, TestMachine, tokenOf } from "../../test/machine.ts";
import { dataFolder, Served } from "../../test/served.ts";
import { silent } from "../../test/silent.ts";
import { Relay } from "./relay.ts";

let served: Served;
let port: number;
/** What stands before the server, so that the network to it can be cut. */
let network: { cut: boolean; instead?: { status: number; text: string } | undefined };
let front: Server;
let url: string;

beforeAll(async () => {
  served = await Served.open();
  port = Number(new URL(await served.fleet.server.listen({ host: "127.0.0.1", port: 0 })).port);
  network = { cut: false };
  front = createServer((request, response) => {
    if (network.cut) {
      request.socket.destroy();
      return;
    }
    if (network.instead !== undefined) {
      const { status, text } = network.instead;
      request.resume().on("end", () => response.writeHead(status).end(text));
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      void fetch(`http://127.0.0.1:${port}${request.url}`, {
        method: request.method ?? "GET",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(chunks),
      }).then(async (answer) => {
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(await answer.text());
      });
    });
  });
  await new Promise<void>((done) => front.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  front.close();
  front.closeAllConnections();
  await served.fleet.close();
});

async function machine(through: string): Promise<TestMachine> {
  const one = new TestMachine(`machine-${Math.random().toString(36).slice(2)}`);
  const answer = await fetch(`${through}v1/enrol`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(one.enrolment(await tokenOf(served))),
  });
  expect(answer.status).toBe(200);
  one.host = ((await answer.json()) as { host: string }).host;
  return one;
}

async function tell(through: string, ...reports: SignedReport[]): Promise<{ status: number; outcomes: ReportOutcome[] }> {
  const answer = await fetch(`${through}v1/reports`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reports }),
  });
  const body = (await answer.json()) as { outcomes?: ReportOutcome[] };
  return { status: answer.status, outcomes: body.outcomes ?? [] };
}

const counterOf = async (host: string): Promise<number> =>
  (await served.fleet.database.sql<{ counter: number }>`select counter from host_state where host = ${host}`)[0]?.counter ?? 0;

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error("it does not come to that");
}

test("while the server answers its word is the machine's; while it does not, reports are kept, and nothing is acknowledged that it has to say", async () => {
  const relay = await Relay.open({ data: dataFolder(), server: url, upstream: undefined, patience: 1000 }, silent);
  const at = `${await relay.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const one = await machine(at);
  expect(await tell(at, one.report(false))).toEqual({ status: 200, outcomes: ["whole wanted"] });
  expect(await tell(at, one.report())).toEqual({ status: 200, outcomes: ["taken"] });
  const forged = { ...one.report(), signature: "0".repeat(128) };
  expect(await tell(at, forged)).toEqual({ status: 200, outcomes: ["wrong"] });
  network.cut = true;
  expect(await tell(at, one.report(false))).toEqual({ status: 200, outcomes: ["taken"] });
  one.state = { ...STATE, hold: "somebody holds it" };
  expect(await tell(at, one.report())).toEqual({ status: 200, outcomes: ["taken"] });
  one.state = { ...STATE, intent: { sha256: "ab".repeat(32), rollOut: "fix" } };
  expect((await tell(at, one.report())).status).toBe(503);
  expect(
    (
      await fetch(`${at}v1/enrol`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(one.enrolment("se_x")),
      })
    ).status,
  ).toBe(503);
  expect(await (await fetch(`${at}healthz`)).json()).toMatchObject({ reports: 3, away: expect.any(String) });
  network.cut = false;
  await until(async () => (await counterOf(one.host)) === one.counter);
  const { body } = await served.ask("viewer", "GET", `/v1/hosts/${one.host}`);
  expect((body.events as { what: string }[]).map(({ what }) => what)).toContain("held");
  // What was told before comes again, and changes nothing.
  one.counter -= 2;
  expect((await tell(at, one.report())).outcomes).toEqual(["known"]);
  await relay.close();
});

test("while the server is away names that nobody has, and what is forged in a machine's name, take no room from machines, also after a start", async () => {
  const data = dataFolder();
  const options = { data, server: url, upstream: undefined, patience: 50, lockPatience: 10, spool: { most: 400_000 } };
  let relay = await Relay.open({ ...options, patience: 5000 }, silent);
  let at = `${await relay.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const one = await machine(at);
  // One that came in elsewhere: known by the server's word.
  const other = await machine(`http://127.0.0.1:${port}/`);
  for (const each of [one, other]) expect((await tell(at, each.report())).outcomes).toEqual(["taken"]);
  network.cut = true;
  await relay.close();
  relay = await Relay.open(options, silent);
  at = `${await relay.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const forged = { ...one.report(false), signature: "0".repeat(128) };
  for (let i = 0; i < 3; i++) expect((await tell(at, forged, forged)).outcomes).toEqual(["wrong", "wrong"]);
  expect(await (await fetch(`${at}healthz`)).json()).toMatchObject({ reports: 0 });
  let status = 200;
  for (let n = 1; status === 200; n++) ({ status } = await tell(at, { ...other.report(false), host: n.toString(16).padStart(32, "0") }));
  expect(status).toBe(429);
  for (const each of [one, other]) {
    expect(await tell(at, forged, each.report(false))).toEqual({ status: 200, outcomes: ["wrong", "taken"] });
    expect((await tell(at, each.report())).outcomes).toEqual(["taken"]);
  }
  network.cut = false;
  await until(async () => (await counterOf(one.host)) === one.counter && (await counterOf(other.host)) === other.counter);
  await relay.close();
});

test("what the server says later a machine hears with its next report", async () => {
  const relay = await Relay.open({ data: dataFolder(), server: url, upstream: undefined, patience: 1000 }, silent);
  const at = `${await relay.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const one = await machine(at);
  network.cut = true;
  expect((await tell(at, one.report(false))).outcomes).toEqual(["taken"]);
  network.cut = false;
  await until(async () => ((await (await fetch(`${at}healthz`)).json()) as { reports: number }).reports === 0);
  network.cut = true;
  expect((await tell(at, one.report(false))).outcomes).toEqual(["whole wanted"]);
  expect((await tell(at, one.report())).outcomes).toEqual(["taken"]);
  network.cut = false;
  await until(async () => (await counterOf(one.host)) === one.counter);
  await relay.close();
});

/** By its own process, so that it can be killed. */
function started(data: string, listen: string): ChildProcess {
  const main = join(import.meta.dirname, "../main.ts");
  const argv = ["--conditions=source", "--import", "tsx", main, "relay", "--data", data, "--server", url, "--listen", listen];
  return spawn(process.execPath, argv, { stdio: "ignore", env: { ...process.env, SUTURE_FLEET_LOG: "silent" } });
}

test("killed at any moment, it has lost nothing that it acknowledged", async () => {
  const data = dataFolder();
  const free = createServer();
  await new Promise<void>((done) => free.listen(0, "127.0.0.1", done));
  const listen = `127.0.0.1:${(free.address() as AddressInfo).port}`;
  free.close();
  const at = `http://${listen}/`;
  let relay = started(data, listen);
  const up = (): Promise<void> =>
    until(() =>
      fetch(`${at}healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  await up();
  const machines = await Promise.all(Array.from({ length: 6 }, () => machine(at)));
  const acknowledged = new Map<string, number>();
  let going = true;
  const work = machines.map(async (one) => {
    while (going) {
      const report = one.report();
      const { outcomes } = await tell(at, report).catch(() => ({ outcomes: [] as ReportOutcome[] }));
      if (outcomes[0] === "taken") acknowledged.set(one.host, one.counter);
      await sleep(5);
    }
  });
  for (let i = 0; i < 3; i++) {
    // Two times of three the server is away: then they are on this disk alone.
    network.cut = i % 2 === 0;
    await sleep(network.cut ? 7000 : 1000);
    relay.kill("SIGKILL");
    await new Promise((done) => relay.once("exit", done));
    relay = started(data, listen);
    await up();
  }
  going = false;
  await Promise.all(work);
  network.cut = false;
  expect(acknowledged.size).toBe(machines.length);
  for (const [host, counter] of acknowledged) await until(async () => (await counterOf(host)) >= counter);
  relay.kill("SIGTERM");
  await new Promise((done) => relay.once("exit", done));
  const text = JSON.stringify(readdirSync(join(data, "spool")));
  expect(text).toContain(".reports");
});

test("the repository's files: those with a hash or a version are kept; the timestamp is asked for anew, and the one before serves while nobody answers", async () => {
  const files = new Map<string, string>();
  let asked: string[] = [];
  const upstream = createServer((request, response) => {
    const path = (request.url ?? "").slice(1);
    asked.push(path);
    const text = files.get(path);
    response.writeHead(text === undefined ? 404 : 200).end(text ?? "");
  });
  await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  const data = dataFolder();
  const options = { data, server: url, upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/` };
  let relay = await Relay.open(options, silent);
  const read = async (path: string): Promise<string | number> => {
    const answer = await relay.server.inject({ url: `/repository/${path}` });
    return answer.statusCode === 200 ? answer.body : answer.statusCode;
  };
  const module = "a livepatch";
  const target = `targets/patches/ab/${createHash("sha256").update(module).digest("hex")}.fix.ko`;
  const signedAs = (version: number): string => JSON.stringify({ signed: { version } });
  files.set(target, module);
  files.set("metadata/2.root.json", signedAs(2));
  files.set("metadata/timestamp.json", signedAs(7));
  files.set("metadata/3.root.json", signedAs(9));
  const broken = target.replace(/[0-9a-f]{64}/, "0".repeat(64));
  files.set(broken, module);
  files.set("private", "secret");
  for (let i = 0; i < 2; i++) {
    expect(await read(target)).toBe(module);
    expect(await read("metadata/2.root.json")).toBe(signedAs(2));
    expect(await read("metadata/timestamp.json")).toBe(signedAs(7));
    expect(await read(broken)).toBe(module);
    expect(await read("metadata/4.root.json")).toBe(404);
  }
  expect(asked).toEqual([target, "metadata/2.root.json", "metadata/timestamp.json", broken, "metadata/4.root.json", broken]);
  for (const path of [
    "private",
    "../spool/acknowledged",
    "metadata/../../spool/acknowledged",
    "targets/..%2f..%2fprivate",
    "metadata/%2e%2e/x",
  ])
    expect(await read(path), path).toBe(404);
  asked = [];
  await relay.close();
  relay = await Relay.open(options, silent);
  files.set("metadata/timestamp.json", signedAs(8));
  expect(await read("metadata/timestamp.json")).toBe(signedAs(8));
  await relay.close();
  upstream.close();
  upstream.closeAllConnections();
  relay = await Relay.open(options, silent);
  expect(await read("metadata/timestamp.json")).toBe(signedAs(8));
  expect(await read(target)).toBe(module);
  rmSync(join(data, "cache"), { recursive: true });
  expect(await read(target)).toBeTypeOf("number");
  await relay.close();
});

test("what a web server in front refuses is kept; what the server does not take in its form is dropped, and what comes behind it is not", async () => {
  const relay = await Relay.open({ data: dataFolder(), server: url, upstream: undefined, patience: 500 }, silent);
  const at = `${await relay.server.listen({ host: "127.0.0.1", port: 0 })}/`;
  const waiting = async (): Promise<number> => ((await (await fetch(`${at}healthz`)).json()) as { reports: number }).reports;
  const [one, other] = [await machine(at), await machine(at)];
  for (const [status, text] of [
    [400, "<html>The plain HTTP request was sent to HTTPS port</html>"],
    [413, "<html>Request Entity Too Large</html>"],
    [404, "<html>Not Found</html>"],
    [200, "{}"],
  ] as const) {
    network.instead = { status, text };
    expect((await tell(at, one.report(), other.report())).outcomes).toEqual(["taken", "taken"]);
  }
  expect(await waiting()).toBe(8);
  network.instead = undefined;
  await until(async () => (await waiting()) === 0);
  for (const { host, counter } of [one, other]) expect(await counterOf(host)).toBe(counter);
  network.instead = { status: 400, text: JSON.stringify({ error: { code: "FLEET_REQUEST", why: "no form", mend: "" } }) };
  expect((await tell(at, one.report(), other.report())).outcomes).toEqual(["wrong", "wrong"]);
  network.instead = undefined;
  expect((await tell(at, one.report())).outcomes).toEqual(["taken"]);
  expect(await (await fetch(`${at}metrics`)).text()).toContain("suture_relay_reports_dropped 2");
  await relay.close();
});

test("two relays do not work in one folder", async () => {
  const options = { data: dataFolder(), server: url, upstream: undefined, lockPatience: 0 };
  const first = await Relay.open(options, silent);
  await expect(Relay.open(options, silent)).rejects.toMatchObject({ code: "FLEET_FOLDER" });
  await first.close();
  await (await Relay.open(options, silent)).close();
});

test("the repository's files: neither what its disk has spoilt, nor what a repository says that is ill, nor one that says nothing, keeps machines waiting", async () => {
  const module = "a livepatch";
  const target = `targets/patches/ab/${createHash("sha256").update(module).digest("hex")}.fix.ko`;
  const signedAs = (version: number): string => JSON.stringify({ signed: { version } });
  let answer: { status: number; text: string } | undefined = { status: 200, text: signedAs(7) };
  let timestamps = 0;
  const upstream = createServer((request, response) => {
    if (request.url?.endsWith("timestamp.json") !== true) response.end(module);
    else {
      timestamps++;
      // One that says nothing.
      if (answer !== undefined) response.writeHead(answer.status).end(answer.text);
    }
  });
  await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  const data = dataFolder();
  const options = { data, server: url, patience: 300, upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/` };
  let relay = await Relay.open(options, silent);
  const read = async (path: string): Promise<string | number> => {
    const found = await relay.server.inject({ url: `/repository/${path}` });
    return found.statusCode === 200 ? found.body : found.statusCode;
  };
  const again = async (): Promise<void> => {
    await relay.close();
    relay = await Relay.open(options, silent);
  };
  expect(await read(target)).toBe(module);
  writeFileSync(join(data, "cache", target), "a live");
  expect(await read(target)).toBe(module);
  expect(await read("metadata/timestamp.json")).toBe(signedAs(7));
  for (const ill of [
    { status: 404, text: "gone" },
    { status: 200, text: "<html>log in to the network</html>" },
    { status: 502, text: "" },
  ]) {
    answer = ill;
    await again();
    expect(await read("metadata/timestamp.json")).toBe(signedAs(7));
  }
  answer = undefined;
  await again();
  const began = performance.now();
  for (let i = 0; i < 5; i++) expect(await read("metadata/timestamp.json")).toBe(signedAs(7));
  expect(performance.now() - began).toBeLessThan(10_000);
  // No room for the newest: the one before, which is there, is not what the next is given.
  answer = { status: 200, text: signedAs(8) };
  await again();
  rmSync(join(data, "cache/metadata"), { recursive: true });
  writeFileSync(join(data, "cache/metadata"), "");
  for (let i = 0; i < 2; i++) expect(await read("metadata/timestamp.json")).toBe(signedAs(8));
  expect(timestamps).toBe(6);
  rmSync(join(data, "cache/metadata"));
  mkdirSync(join(data, "cache/metadata"));
  await relay.close();
  upstream.close();
  upstream.closeAllConnections();
});
