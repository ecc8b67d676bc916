/** `suture fleet` against the server. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, Task } from "@suture/task";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STATE } from "../test/machine.ts";
import { Person } from "../test/person.ts";
import { Rolling, STAGES } from "../test/rolling.ts";

const SUTURE = join(import.meta.dirname, "../../../suture");
const home = mkdtempSync(join(tmpdir(), "suture-cli-"));
let of: Rolling;
let url: string;
beforeAll(async () => {
  of = await Rolling.begin();
  url = await of.served.fleet.server.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await of.served.fleet.close();
  rmSync(home, { recursive: true, force: true });
});

async function suture(...words: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(new Task(), [SUTURE, "--json", "fleet", ...words], {
    env: { ...process.env, XDG_CONFIG_HOME: home },
    accept: [0, 1, 2, 3],
  });
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

test("a person plans, approves, looks, holds and withdraws from the command line, by a key of her own", async () => {
  const ada = await Person.ready(of.served, "ada", ["operator", "releaser"]);
  const { body } = await ada.ask("POST", "/v1/me/keys", { name: "laptop", roles: ["operator", "releaser"] });
  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text);
    return join(home, name);
  };
  expect(await suture("hosts")).toMatchObject({ schema: "suture/error-1", error: { code: "CLI_FLEET" } });
  expect(await suture("login", url, "--key-file", file("wrong", "sk_wrong\n"))).toMatchObject({ error: { code: "CLI_FLEET" } });
  expect(await suture("login", url, "--key-file", file("key", `${body.key}\n`))).toMatchObject({
    server: `${url}/`,
    roles: ["operator", "releaser"],
  });
  expect(statSync(join(home, "suture/fleet.json")).mode & 0o777).toBe(0o600);
  const { hosts } = (await suture("hosts", "--name", "host-3")) as { hosts: { id: string; name: string }[] };
  expect(hosts.map(({ name }) => name)).toEqual(["host-3", ...Array.from({ length: 10 }, (_, i) => `host-3${i}`)]);
  expect(await suture("host", hosts[0]?.id ?? "")).toMatchObject({ schema: "suture/fleet-host-1", host: { name: "host-3" } });
  const plan = { id: "by-hand", livepatch: await of.signed.add("livepatch_by_hand"), stages: STAGES, channel: "trial" };
  expect(await suture("plan", file("plan.json", JSON.stringify(plan)))).toMatchObject({ rollout: "by-hand", step: "planned" });
  expect(await suture("approve", "by-hand")).toMatchObject({ needed: 0 });
  expect(await suture("start", "by-hand", "--why", "a test")).toMatchObject({ published: true });
  expect(await suture("skip", "by-hand", "--stage", "0", "--why", "a test")).toMatchObject({
    error: { why: expect.stringContaining("FLEET_STATE") },
  });
  expect(await suture("hold", "by-hand", "--why", "it smells")).toMatchObject({ published: true });
  expect(await suture("rollouts", "by-hand")).toMatchObject({ rollouts: [{ id: "by-hand", phase: "held", why: "it smells" }] });
  expect(await suture("withdraw", "by-hand", "--why", "a test")).toMatchObject({ published: true });
  await of.signed.add("livepatch_of_a_cve", {
    fixes: [
      { cves: ["CVE-2026-7"], mentioned: [] },
      { cves: ["CVE-2026-1007"], mentioned: [] },
    ],
  });
  await of.served.fleet.learner?.learn();
  expect(await suture("cve")).toMatchObject({ schema: "suture/fleet-cves-1", cves: [{ id: "CVE-2026-1007", open: of.machines.length }] });
  expect(await suture("cve", "CVE-2026-1007")).toMatchObject({
    schema: "suture/fleet-cve-1",
    kernels: [{ reason: "not loaded", machines: of.machines.length }],
    hosts: of.machines.map(() => ({ release: STATE.release })),
  });
  expect(await suture("audit")).toMatchObject({
    broken: null,
    rows: expect.arrayContaining([expect.objectContaining({ what: "roll-out withdrawn" })]),
  });
});
