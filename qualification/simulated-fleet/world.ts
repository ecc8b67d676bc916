/** The server with a PostgreSQL of its own, its repository and people, and ten thousand machines, minute by minute. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Truth } from "@suture/agent";
import type { FleetRollout } from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import { refresh, sourceOf, TrustStore } from "@suture/trust";
import { brokenAudit } from "../../apps/fleet/src/audit/audit.ts";
import { Fleet } from "../../apps/fleet/src/fleet.ts";
import { Knowledge } from "../../apps/fleet/src/knowledge/knowledge.ts";
import { tick } from "../../apps/fleet/src/rollouts/tick.ts";
import { sampleLevels, sampleRollouts } from "../../apps/fleet/src/samples/samples.ts";
import { Steering } from "../../apps/fleet/src/steering/steering.ts";
import { newApiKey } from "../../apps/fleet/src/users/api-keys.ts";
import type { Role } from "../../apps/fleet/src/users/roles.ts";
import { BUILD_ID } from "../../apps/fleet/test/machine.ts";
import { Signed } from "../../apps/fleet/test/repository.ts";
import { silent } from "../../apps/fleet/test/silent.ts";
import { installClock, setClock } from "./clock.ts";
import { atOnce, Client } from "./http.ts";
import { RUN_MINUTES, type Seen, SimulatedMachine } from "./machine.ts";

const PEOPLE: readonly [string, Role][] = [
  ["olga", "operator"],
  ["ada", "releaser"],
  ["bob", "releaser"],
  ["alma", "admin"],
];
const AT_ONCE = 64;
const MINUTE_MS = 60_000;
export const CANARIES = 20;

/** What goes on in any fleet: so many boots and breaks of each machine in an hour, and how long a break is, in hours. */
export interface Noise {
  boots: number;
  breaks: number;
  breakHours: number;
}
export const USUAL: Noise = { boots: 1 / 720, breaks: 1 / 500, breakHours: 4 };

export class World {
  readonly machines: readonly SimulatedMachine[];
  readonly client: Client;
  readonly url: string;
  now: number;
  readonly #fleet: Fleet;
  readonly #signed: Signed;
  readonly #steering: Steering;
  readonly #store: TrustStore;
  readonly #keys: ReadonlyMap<string, string>;
  readonly #task: Task;
  readonly #base: string;
  #told: { text: string; truth: Truth } | undefined;

  private constructor(
    given: { task: Task; base: string; fleet: Fleet; signed: Signed; store: TrustStore; keys: ReadonlyMap<string, string>; now: number },
    url: string,
    machines: readonly SimulatedMachine[],
  ) {
    this.#task = given.task;
    this.#base = given.base;
    this.#fleet = given.fleet;
    this.#signed = given.signed;
    this.#store = given.store;
    this.#keys = given.keys;
    this.#steering = new Steering(given.task, given.signed);
    this.now = given.now;
    given.signed.now = () => new Date(this.now);
    this.url = url;
    this.client = new Client(url, AT_ONCE);
    this.machines = machines;
  }

  static async begin(task: Task, count: number): Promise<World> {
    // What ends the run ends the server in order.
    const own = new Task(silentReporter);
    const base = mkdtempSync(join(tmpdir(), "suture-sim-"));
    chmodSync(base, 0o711);
    const signed = new Signed(base);
    await signed.begin();
    const options = { data: base, databaseUrl: undefined, repository: signed, trialChannels: [] };
    const now = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS;
    const first = await Fleet.open(own, options, silent);
    await installClock(first.database.sql, new Date(now));
    await first.close();
    const fleet = await Fleet.open(own, options, silent);
    const { sql } = fleet.database;
    const keys = new Map<string, string>();
    for (const [name, role] of PEOPLE) keys.set(name, (await newApiKey(sql, "the run", { name, roles: [role] })).key);
    const url = `${await fleet.server.listen({ host: "127.0.0.1", port: 0 })}/`;
    const store = await TrustStore.create(join(base, "trust"), readFileSync(join(signed.out, "metadata/1.root.json")));
    const machines = Array.from({ length: count }, (_, n) => new SimulatedMachine(n, n < CANARIES));
    const world = new World({ task, base, fleet, signed, store, keys, now }, url, machines);
    const words = { name: "the fleet", limit: null, days: 30, approve: true, labels: [] };
    const { body } = await world.as("olga", "POST", "v1/enrol-tokens", words);
    // As rows: by the API each is a transaction of its own.
    const rows = machines.map(({ row }) => ({ ...row, token: String(body.id) }));
    await sql`
      insert into host (id, name, machine_id, public_key, state, labels, token) select id, name, machine_id, public_key, 'approved', labels, token
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (id text, name text, machine_id text, public_key text, labels text[], token text)`;
    // More than an hour in which all have come, and have said how they are.
    for (let i = 0; i < 75; i++) await world.minute(() => 1);
    return world;
  }

  async close(): Promise<void> {
    this.client.close();
    await this.#fleet.close();
    rmSync(this.#base, { recursive: true, force: true });
  }

  async as(name: string, method: "GET" | "POST", path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
    return this.client.ask(method, path, body, { key: this.#keys.get(name) ?? "" });
  }

  async does(name: string, id: string, what: string, more: object = {}): Promise<number> {
    const body = what === "approve" ? more : { why: "the run", ...more };
    return (await this.as(name, "POST", `v1/rollouts/${id}/${what}`, body)).status;
  }

  /** Both releasers say yes. */
  async agreed(id: string, what: "start" | "skip"): Promise<void> {
    for (const who of ["ada", "bob"]) {
      const status = await this.does(who, id, "approve", { what });
      if (status !== 200) throw new Error(`${who} cannot approve: ${status}`);
    }
  }

  /** @param added what its livepatch says, and what is beside it, as of Signed.add */
  async begun(
    id: string,
    plan: object,
    added: Parameters<Signed["add"]> extends [string, ...infer More] ? More : never = [],
  ): Promise<void> {
    const livepatch = await this.#signed.add(id.replaceAll("-", "_"), ...added);
    const made = await this.as("olga", "POST", "v1/rollouts", { id, livepatch, ...plan });
    if (made.status !== 200) throw new Error(JSON.stringify(made.body));
    await this.agreed(id, "start");
    const status = await this.does("olga", id, "start");
    if (status !== 200) throw new Error(`${id} does not start: ${status}`);
  }

  async shown(id: string): Promise<FleetRollout> {
    const [found] = (await this.as("olga", "GET", `v1/rollouts/${id}`)).body.rollouts as FleetRollout[];
    if (found === undefined) throw new Error(id);
    return found;
  }

  /** What the server notes from time to time by its own clock, which is not that of the run. */
  async noted(): Promise<void> {
    const { sql } = this.#fleet.database;
    await this.#fleet.learner?.learn();
    await sampleRollouts(sql, true);
    await sampleLevels(sql, new Knowledge(sql));
  }

  /** What became of a roll-out, as the audit has it. */
  async deeds(id: string): Promise<string[]> {
    const rows = await this.#fleet.database.sql<{ what: string }>`select what from audit where about = ${id} order by n`;
    return rows.map(({ what }) => what);
  }

  brokenAudit(): Promise<number | undefined> {
    return brokenAudit(this.#fleet.database.sql);
  }

  /** One minute: what happens to machines, those whose timer it is run the agent, and the server looks at its roll-outs. */
  async minute(random: () => number, noise: Noise = { boots: 0, breaks: 0, breakHours: 0 }): Promise<void> {
    this.#task.check();
    this.now += MINUTE_MS;
    await setClock(this.#fleet.database.sql, new Date(this.now));
    const { now, machines } = this;
    for (const machine of machines) machine.harms(now);
    for (let n = times(random, (noise.boots * machines.length) / 60); n > 0; n--) {
      const machine = machines[Math.floor(random() * machines.length)];
      if (machine?.isUp(now)) machine.reboot(now);
    }
    for (let n = times(random, (noise.breaks * machines.length) / 60); n > 0; n--) {
      const machine = machines[Math.floor(random() * machines.length)];
      if (machine?.isUp(now)) machine.reboot(now, -Math.log(1 - random()) * noise.breakHours * 3_600_000);
    }
    const seen = await this.#seen();
    const turn = (now / MINUTE_MS) % RUN_MINUTES;
    const runs = machines.filter((machine, n) => n % RUN_MINUTES === turn && machine.isUp(now));
    await atOnce(runs, AT_ONCE, (machine) => machine.run(this.client, seen, new Date(now)));
    await tick(this.#fleet.database.sql, this.#steering);
  }

  /** What the server has published by now, with each signature held. */
  async #seen(): Promise<Seen> {
    const at = new Date(this.now);
    const asked = { store: this.#store, now: at, buildId: BUILD_ID };
    const { policy, withdrawals, patches, refused } = await refresh(this.#task, asked, [sourceOf(this.#signed.out)]);
    const truth = { policy, withdrawals, offers: patches, expired: refused[0]?.message, announced: undefined };
    // The same as before is the same object: who has decided upon it need not again.
    const text = JSON.stringify(truth);
    if (this.#told?.text !== text) this.#told = { text, truth };
    return { at, truth: this.#told.truth };
  }
}

/** How often something happens that does so many times on average. */
function times(random: () => number, mean: number): number {
  let n = 0;
  for (let product = random(); product > Math.exp(-mean); product *= random()) n += 1;
  return n;
}
