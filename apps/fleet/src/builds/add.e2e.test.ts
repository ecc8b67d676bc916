/** What a builder has put up on the real server, added to the repository by its id, and what is refused. */
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "@suture/files";
import { accountDocument, type FleetBuild } from "@suture/protocol";
import { run, Task } from "@suture/task";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accountFor, BASE, manifestFor, TARGET } from "../../test/catch-up.ts";
import { BUILD_ID, STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { Person } from "../../test/person.ts";
import { livepatchBytes, Signed } from "../../test/repository.ts";
import { dataFolder, Served } from "../../test/served.ts";
import { newApiKey } from "../users/api-keys.ts";
import { BuilderClient } from "./worker/client.ts";

const SUTURE = join(import.meta.dirname, "../../../../suture");
const base = dataFolder();
const home = mkdtempSync(join(tmpdir(), "suture-add-"));
const signed = new Signed(base);
const account = accountFor();
const MODULE = livepatchBytes("catch_up_58", manifestFor(account));
let served: Served;
let client: BuilderClient;
let url: string;

beforeAll(async () => {
  await signed.begin();
  served = await Served.open(base, signed);
  url = await served.fleet.server.listen({ host: "127.0.0.1", port: 0 });
  const machine = new TestMachine("one");
  await machine.enrol(served, await tokenOf(served));
  machine.state = { ...STATE, version: BASE.version };
  expect(await send(served, machine.report())).toEqual(["taken"]);
  const { key } = await newApiKey(served.fleet.database.sql, "test", { name: "one", roles: ["builder"] });
  client = new BuilderClient(url, key);
});
let isClosed = false;
afterAll(async () => {
  if (!isClosed) await served.fleet.close();
  rmSync(home, { recursive: true, force: true });
});

async function suture(...words: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(new Task(), [SUTURE, "--json", ...words], {
    env: { ...process.env, XDG_CONFIG_HOME: home },
    accept: [0, 1, 2, 3],
  });
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

/** By a builder, through the server's API, to its end. */
async function putUp(trial: string): Promise<string> {
  const task = new Task();
  await client.archive(
    task,
    [BASE, TARGET].map(({ release, version }) => ({ release, version, suite: "one", can: true, why: "" })),
  );
  const { body } = await served.ask("operator", "POST", "/v1/builds", { buildId: BUILD_ID });
  const order = await client.claim(task);
  if (order === null) throw new Error("nothing is given out");
  expect(order.id).toBe(body.id);
  const files = [];
  for (const [file, text] of [
    ["module", Buffer.from(MODULE)],
    ["report", Buffer.from(JSON.stringify(accountDocument.of({ account })))],
    ["review", Buffer.from(`<p>${sha256(MODULE)}</p>`)],
    ["trial", Buffer.from(JSON.stringify({ schema: "suture/try-1", buildId: BUILD_ID, outcome: trial }))],
  ] as const) {
    writeFileSync(join(home, file), text);
    await client.send(task, order, file, join(home, file));
    files.push({ file, sha256: sha256(text) });
  }
  await client.end(task, order, { outcome: "built", code: "", why: "", mend: "", files });
  return order.id;
}

const adding = (id: string): Promise<Record<string, unknown>> => suture("repo", "add", signed.folder, "--build", id);
const placeOf = (id: string): string => join(signed.folder, "builds", id);
const refusal = (code: string, why: string): object => ({ schema: "suture/error-1", error: { code, why: expect.stringContaining(why) } });

/** Beside the one that is ready: by the kernel's release, with units of its own; given up, and built again. */
async function asksForAnother(): Promise<void> {
  const why = ["--why", "a test"];
  const words = ["--leave-out", "fs", "net/ipv4", "--accept-doubt", "abc", "--accept-data", "fs/a.o:limit", "--hole", "file.state"];
  const asked = await suture("fleet", "build", BASE.release, ...words, ...why);
  expect(asked).toMatchObject({
    schema: "suture/fleet-build-1",
    build: {
      ...{ state: "waiting", madeBy: expect.stringContaining("laptop"), buildId: BUILD_ID, targetRelease: TARGET.release, why: "a test" },
      options: { take: [], leaveOut: ["fs", "net/ipv4"], acceptDoubt: ["abc"], acceptData: ["fs/a.o:limit"], hole: ["file.state"] },
    },
  });
  const { id } = (asked as { build: FleetBuild }).build;
  expect(await suture("fleet", "build", BUILD_ID, ...words, ...why)).toMatchObject(refusal("CLI_FLEET", "FLEET_STATE"));
  expect(await suture("fleet", "build", "6.1.0-999-amd64", ...why)).toMatchObject(refusal("CLI_USAGE", "no machine of the fleet runs"));
  expect(await suture("fleet", "build", BASE.release, "--to", BASE.release, ...why)).toMatchObject(refusal("CLI_FLEET", "FLEET_BUILD"));
  expect(await suture("fleet", "repeat-build", id, ...why)).toMatchObject(refusal("CLI_FLEET", "FLEET_STATE"));
  expect(await suture("fleet", "cancel-build", id, ...why)).toMatchObject({ build: { id, state: "cancelled", why: "a test" } });
  expect(await suture("fleet", "cancel-build", id, ...why)).toMatchObject(refusal("CLI_FLEET", "FLEET_STATE"));
  expect(await suture("fleet", "repeat-build", id, ...why)).toMatchObject({ build: { id, state: "waiting" } });
  expect(await suture("fleet", "cancel-build", id, ...why)).toMatchObject({ build: { state: "cancelled" } });
  expect(await suture("fleet", "cancel-build", "0123456789ab", ...why)).toMatchObject(refusal("CLI_FLEET", "FLEET_NONE"));
  const { builds } = (await suture("fleet", "builds")) as { builds: FleetBuild[] };
  expect(builds.map(({ state }) => state)).toContain("cancelled");
}

test("what is no build of this repository, and what failed its trial, is not added", async () => {
  expect(await adding("../../etc")).toMatchObject(refusal("CLI_USAGE", "no id of a build"));
  expect(await adding("0123456789ab")).toMatchObject(refusal("CLI_BUILD", "nothing is put up as 0123456789ab"));
  const bad = await putUp("panicked");
  expect(await adding(bad)).toMatchObject(refusal("CLI_BUILD", `the trial of ${bad} failed`));
  // Also where somebody has put it among those that are good, whatever its folder is called.
  cpSync(join(signed.folder, "builds/bad", bad), placeOf(bad), { recursive: true });
  expect(await adding(bad)).toMatchObject(refusal("CLI_BUILD", "its trial: panicked"));
  renameSync(placeOf(bad), placeOf("0123456789ab"));
  expect(await adding("0123456789ab")).toMatchObject(refusal("CLI_BUILD", `it is of the build ${bad}`));
  rmSync(placeOf("0123456789ab"), { recursive: true });
  expect(existsSync(join(signed.folder, "staged", "targets"))).toBe(false);
  expect(await served.ask("viewer", "GET", "/v1/livepatches")).toMatchObject({ body: { livepatches: [] } });
});

test("what differs from what the server took is not added; what is whole is, also while the server is down, and is published when it is signed", async () => {
  const id = await putUp("passed");
  const ada = await Person.ready(served, "ada", ["operator"]);
  const { body } = await ada.ask("POST", "/v1/me/keys", { name: "laptop", roles: ["operator"] });
  writeFileSync(join(home, "key"), `${body.key}\n`);
  await suture("fleet", "login", url, "--key-file", join(home, "key"));
  expect(await suture("fleet", "keep-ready", "on")).toMatchObject({ keepReady: true, builders: [{ kernels: 2 }] });
  expect(await suture("fleet", "keep-ready", "off")).toMatchObject({ keepReady: false });
  await asksForAnother();
  const { build } = (await suture("fleet", "builds", id)) as { build: FleetBuild };
  expect(build).toMatchObject({ state: "ready", folder: `builds/${id}`, sha256: sha256(MODULE), published: false });
  const folder = placeOf(id);
  for (const [file, which] of [
    ["catch_up_58.ko", "module"],
    ["catch_up_58.json", "report"],
    ["catch_up_58.html", "review"],
    ["catch_up_58.trial.json", "trial"],
  ] as const) {
    const path = join(folder, file);
    const was = readFileSync(path);
    writeFileSync(path, Buffer.concat([was, Buffer.from("x")]));
    expect(await adding(id)).toMatchObject(refusal("CLI_BUILD", `the ${which} is not what the server took`));
    rmSync(path);
    expect(await adding(id)).toMatchObject(refusal("CLI_BUILD", `the ${which} is not what the server took`));
    writeFileSync(path, was);
  }
  const said = join(folder, "build.json");
  const was = readFileSync(said, "utf8");
  for (const [text, why] of [
    [was.replace("catch_up_58.ko", "../elsewhere.ko"), "is no file of a build"],
    ["{}", "does not say what was built"],
    [was.slice(0, 100), "does not say what was built"],
  ] as const) {
    writeFileSync(said, text);
    expect(await adding(id)).toMatchObject(refusal("CLI_BUILD", why));
  }
  writeFileSync(said, was);
  expect(await suture("repo", "add", signed.folder, join(folder, "catch_up_58.ko"), "--build", id)).toMatchObject(
    refusal("CLI_USAGE", "either"),
  );
  expect(await suture("repo", "add", signed.folder, "--build", id, "--review", said)).toMatchObject(refusal("CLI_USAGE", "its page"));
  await served.fleet.close();
  isClosed = true;
  for (const words of [["builds"], ["builds", id], ["keep-ready", "on"]])
    expect(await suture("fleet", ...words)).toMatchObject(refusal("CLI_FLEET", ""));
  expect(await adding(id)).toMatchObject({ added: [{ sha256: sha256(MODULE), custom: { counter: 1, kernel: { buildId: BUILD_ID } } }] });
  await signed.signAll();
  served = await Served.open(base, signed);
  isClosed = false;
  await served.fleet.learner?.learn();
  expect((await served.ask("viewer", "GET", `/v1/builds/${id}`)).body.build).toMatchObject({ state: "ready", published: true });
  expect((await served.ask("operator", "POST", `/v1/builds/${id}/again`, {})).body).toMatchObject(
    refusal("FLEET_STATE", "is signed and published"),
  );
});
