/** The agent's own code and the server: what a machine tells, and that nothing depends on it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fetchNews, readConfiguration, tellServer } from "@suture/agent";
import { Machine } from "@suture/host";
import type { AgentConfiguration } from "@suture/protocol";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { SignedFolder } from "@suture/testkit/signed-folder";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BUILD_ID, tokenOf } from "../../test/machine.ts";
import { Served } from "../../test/served.ts";

const task = new Task();
let served: Served;
let url: string;

beforeAll(async () => {
  served = await Served.open();
  url = `${await served.fleet.server.listen({ host: "127.0.0.1", port: 0 })}/`;
});
afterAll(() => served.fleet.close());

let n = 0;

/** A made-up machine, what it is told by files. */
function machineWith(token: string): {
  machine: Machine;
  repository: SignedFolder;
  configured(more?: object): Promise<AgentConfiguration>;
} {
  const note = Buffer.concat([Buffer.from([4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0]), Buffer.from("GNU\0"), Buffer.from(BUILD_ID, "hex")]);
  const root = folderOf({
    "proc/sys/kernel/osrelease": "6.1.0-1-amd64\n",
    "proc/sys/kernel/random/boot_id": "this boot\n",
    "proc/cmdline": "quiet\n",
    "proc/modules": "",
    "sys/kernel/notes": note.toString("latin1"),
    "etc/machine-id": `${String(n++).padStart(32, "0")}\n`,
    "etc/suture/fleet-token": `${token}\n`,
  });
  const machine = new Machine(root);
  const repository = new SignedFolder(join(root, "repository"), { release: "6.1.0-1-amd64", buildId: BUILD_ID }, "prod");
  // Beyond the time at which a machine warns.
  repository.days = 120;
  writeFileSync(machine.path("/etc/suture/root.json"), readFileSync(join(repository.folder, "metadata/1.root.json")));
  return {
    machine,
    repository,
    configured: (more = {}) => {
      const words = {
        "suture-agent": 1,
        fleet: "prod",
        repositories: [`file://${repository.folder}`],
        server: { url, beatSeconds: 864_000 },
        ...more,
      };
      writeFileSync(machine.path("/etc/suture/agent.json"), JSON.stringify(words));
      return readConfiguration(machine);
    },
  };
}

const hostOf = async (host: string | undefined): Promise<Record<string, unknown>> =>
  (await served.ask("viewer", "GET", `/v1/hosts/${host}`)).body;

test("a machine enrols, tells how it is once, and what is new when something is", async () => {
  const { machine, configured } = machineWith(await tokenOf(served, { limit: 1 }));
  const configuration = await configured({ labels: ["web"] });
  const first = await tellServer(task, machine, configuration);
  expect(first).toMatchObject({ outcome: "told" });
  expect(await hostOf(first?.host)).toMatchObject({
    host: { state: "approved", buildId: BUILD_ID, status: "well" },
    report: { labels: ["web"] },
  });
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "nothing new", host: first?.host });
  mkdirSync(dirname(machine.path("/etc/suture/hold")), { recursive: true });
  writeFileSync(machine.path("/etc/suture/hold"), "the line is being moved\n");
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "told", host: first?.host });
  expect(await hostOf(first?.host)).toMatchObject({
    host: { status: "held" },
    report: { hold: "/etc/suture/hold: the line is being moved" },
  });
  // What it knows of itself is lost: with its key and its token it is the same.
  rmSync(machine.path("/var/lib/suture-agent/fleet/host.json"));
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "told", host: first?.host });
  // The server has it no more as it was.
  await served.fleet.database.sql`delete from host_state where host = ${first?.host}`;
  writeFileSync(
    machine.path("/var/lib/suture-agent/fleet/host.json"),
    readFileSync(machine.path("/var/lib/suture-agent/fleet/host.json"), "utf8").replace(/"at": "\d{4}/, '"at": "2000'),
  );
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "still the same" });
  expect(await hostOf(first?.host)).toMatchObject({ report: { hold: "/etc/suture/hold: the line is being moved" } });
});

test("what it is about to load it tells before", async () => {
  const { machine, repository, configured } = machineWith(await tokenOf(served));
  repository.add({ name: "fix_1", bytes: Buffer.from("livepatch"), counter: 1, replace: true });
  repository.publish();
  const fetched = await fetchNews(task, machine, await configured());
  const rollOut = repository.rollouts[0]?.id;
  expect(fetched).toMatchObject({ good: true, announced: { sha256: fetched.livepatches[0]?.sha256, rollOut } });
  // Each time anew: what was acknowledged an hour ago says nothing of now.
  const counters = async () =>
    (await served.fleet.database.sql<{ counter: number }>`select max(counter) as counter from host_state`)[0]?.counter;
  const before = await counters();
  await fetchNews(task, machine, await configured());
  expect(await counters()).toBeGreaterThan(before ?? 0);
  const { body } = await served.ask("viewer", "GET", "/v1/hosts");
  const mine = (body.hosts as { id: string }[]).at(-1);
  const sha256 = fetched.livepatches[0]?.sha256;
  const all = await Promise.all((body.hosts as { id: string }[]).map(({ id }) => hostOf(id)));
  expect(mine).toBeDefined();
  expect(all.map(({ report }) => (report as { intent: object | null }).intent)).toContainEqual({
    sha256,
    rollOut,
  });
});

test("a server that is down, refuses, or talks nonsense: the livepatch is fetched all the same, and not announced, and it is said", async () => {
  const { machine, repository, configured } = machineWith("se_no-such-token");
  repository.add({ name: "fix_1", bytes: Buffer.from("livepatch"), counter: 1, replace: true });
  repository.publish();
  const cases: [object, string][] = [
    [{ url: "http://127.0.0.1:8009/" }, "does not answer"],
    [{ url }, "FLEET_ENROL"],
    [{ url: `${url}healthz/` }, "FLEET_NONE"],
    [{ url, tokenFile: "/nowhere" }, "no token"],
  ];
  for (const [server, why] of cases) {
    const configuration = await configured({ server });
    expect(await tellServer(task, machine, configuration)).toMatchObject({
      outcome: "not told",
      code: "AGENT_SERVER",
      why: expect.stringContaining(why),
    });
    expect(await fetchNews(task, machine, configuration)).toMatchObject({
      good: true,
      announced: undefined,
      livepatches: [{}],
      warnings: expect.arrayContaining([expect.stringContaining(why)]),
    });
  }
  // Neither does a folder that cannot be written.
  rmSync(machine.path("/var/lib/suture-agent/fleet"), { recursive: true });
  writeFileSync(machine.path("/var/lib/suture-agent/fleet"), "");
  expect(await tellServer(task, machine, await configured())).toMatchObject({ outcome: "not told", code: "AGENT_SERVER" });
  expect(await fetchNews(task, machine, await configured())).toMatchObject({ good: true, livepatches: [{}] });
  expect(await tellServer(task, machine, await configured({ server: undefined }))).toBeUndefined();
});

test("a machine that has lost its key comes again with another one, when an operator has retired what it was", async () => {
  const { machine, configured } = machineWith(await tokenOf(served));
  const configuration = await configured();
  const first = await tellServer(task, machine, configuration);
  expect(first).toMatchObject({ outcome: "told" });
  rmSync(machine.path("/var/lib/suture-agent/fleet/host.key"));
  expect(await tellServer(task, machine, configuration)).toMatchObject({
    outcome: "not told",
    why: expect.stringContaining("to be retired first"),
  });
  expect((await served.ask("operator", "POST", `/v1/hosts/${first?.host}`, { state: "retired" })).status).toBe(200);
  const again = await tellServer(task, machine, configuration);
  expect(again).toMatchObject({ outcome: "told" });
  expect(again?.host).not.toBe(first?.host);
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "nothing new", host: again?.host });
});

test("the server is reached through the proxy by which repositories are", async () => {
  const asked: string[] = [];
  const proxy = createServer((question, answer) => {
    asked.push(`${question.method} ${question.url}`);
    const on = request(question.url ?? "", { method: question.method, headers: question.headers }, (found) => {
      answer.writeHead(found.statusCode ?? 500, found.headers);
      found.pipe(answer);
    });
    question.pipe(on);
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  const { machine, configured } = machineWith(await tokenOf(served));
  const configuration = await configured({ proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
  expect(await tellServer(task, machine, configuration)).toMatchObject({ outcome: "told" });
  expect(asked).toEqual([`POST ${url}v1/enrol`, `POST ${url}v1/reports`]);
  proxy.close();
});
