/** What goes on all the while: machines that report and follow, people who roll out, and a machine that looks at what is published. And what of it was acknowledged. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SutureError } from "@suture/errors";
import type { Policy } from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import { placeOf, refresh, sourceOf, TrustStore } from "@suture/trust";
import { brokenAudit } from "../../apps/fleet/src/audit/audit.ts";
import { BUILD_ID, STATE, TestMachine } from "../../apps/fleet/test/machine.ts";
import type { Claims } from "../claims.ts";
import type { Site } from "./site.ts";

const MACHINES = 40;
const STAGES = [
  { name: "a", percent: 10 },
  { name: "b", percent: 20 },
  { name: "c", percent: 30 },
  { name: "d", percent: 50 },
  { name: "e", percent: 75 },
  { name: "all", percent: 100 },
];
/** What its audit says where a stage begins. */
const STAGE_BEGINS: ReadonlySet<string> = new Set(["roll-out started", "stage passed", "stage skipped"]);

interface Person {
  name: string;
  key: string;
}

export class Load {
  readonly #site: Site;
  readonly #people: ReadonlyMap<string, string>;
  readonly #store: TrustStore;
  readonly #livepatch: string;
  /** Of each machine the newest counter that was acknowledged. */
  readonly #acknowledged = new Map<string, number>();
  /** Of people, what was answered with yes: by audit's words and roll-out. */
  #deeds: string[] = [];
  /** Machines that were told that they are in the fleet. */
  #enrolled: string[] = [];
  #newcomers = 0;
  #token = "";
  #policy: Policy | undefined;
  #ending = false;
  #works: Promise<void>[] = [];
  #wrong: string[] = [];
  #n = 0;
  #reports = 0;
  #id = "";

  private constructor(site: Site, people: readonly Person[], store: TrustStore, livepatch: string) {
    this.#site = site;
    this.#people = new Map(people.map(({ name, key }) => [name, key]));
    this.#store = store;
    this.#livepatch = livepatch;
  }

  static async begin(site: Site): Promise<Load> {
    const livepatch = await site.signed.add("fix");
    const people: Person[] = [];
    for (const [name, role] of [
      ["olga", "operator"],
      ["ada", "releaser"],
      ["bob", "releaser"],
    ] as const)
      people.push({ name, key: site.key(name, role) });
    const store = await TrustStore.create(join(site.base, "watcher"), readFileSync(join(site.signed.out, "metadata/1.root.json")));
    const machines = Array.from({ length: MACHINES }, (_, n) => new TestMachine(`machine-${n}`));
    const load = new Load(site, people, store, livepatch);
    const { body } = await load.#as("olga", "POST", "v1/enrol-tokens", { name: "run", limit: null, days: 2, approve: true, labels: [] });
    load.#token = String(body.token);
    for (const [n, machine] of machines.entries())
      if ((await load.#enrol(machine, `10.0.0.${n}`)) !== 200) throw new Error(`${machine.name} cannot enrol`);
    load.#works = [load.#watch(), load.#act(), ...machines.map((machine, n) => load.#live(machine, n))];
    return load;
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#works);
  }

  /** @returns the answer's status; 0 if there was none */
  async #enrol(machine: TestMachine, from: string): Promise<number> {
    const [client] = this.#site.clients;
    const answer = await client?.ask("POST", "v1/enrol", machine.enrolment(this.#token), { from }).catch(() => undefined);
    if (answer?.status !== 200) return answer?.status ?? 0;
    machine.host = String(answer.body.host);
    this.#enrolled.push(machine.host);
    return 200;
  }

  /** Machines that only enrol, each from another place: each needs room of its own. @returns how many the server could not take: 503, or no answer */
  async newcomers(count: number): Promise<number> {
    let failed = 0;
    for (let i = 0; i < count; i++) {
      const n = this.#newcomers++;
      const status = await this.#enrol(new TestMachine(`newcomer-${n}`), `10.1.${(n >> 8) & 255}.${n & 255}`);
      if (status === 503 || status === 0) failed += 1;
    }
    return failed;
  }

  get reports(): number {
    return this.#reports;
  }

  get rolledOut(): number {
    return this.#n;
  }

  /** A back-up was restored: what was acknowledged after it was made is gone, as who restores it knows. */
  forget(): void {
    this.#acknowledged.clear();
    this.#deeds = [];
    this.#enrolled = [];
  }

  async #as(name: string, method: "GET" | "POST", path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
    const client = this.#site.clients[Math.random() < 0.5 ? 0 : 1];
    if (client === undefined) throw new Error("no server");
    return client.ask(method, path, body, { key: this.#people.get(name) ?? "" });
  }

  /** @returns whether it was done, and was answered */
  async #does(name: string, what: string, word: string, more: object = {}): Promise<boolean> {
    const id = this.#id;
    const path = what === "" ? "v1/rollouts" : `v1/rollouts/${id}/${what}`;
    const body = what === "" || what === "approve" ? more : { why: "the run", ...more };
    const { status } = await this.#as(name, "POST", path, body).catch(() => ({ status: 0 }));
    if (status === 200) this.#deeds.push(`${word} ${id}`);
    return status === 200;
  }

  /** People: one roll-out after the other, some of them held and resumed on their way. */
  async #act(): Promise<void> {
    while (!this.#ending) {
      this.#n += 1;
      this.#id = `r-${this.#n}`;
      const plan = { id: this.#id, livepatch: this.#livepatch, stages: STAGES };
      await this.#does("olga", "", "roll-out made", plan);
      const until = Date.now() + 90_000;
      while (!this.#ending && Date.now() < until) {
        const answer = await this.#as("olga", "GET", `v1/rollouts/${this.#id}`).catch(() => undefined);
        const [found] = answer?.status === 200 ? (answer.body.rollouts as { phase: string }[]) : [];
        if (answer?.status === 404 || (answer?.status === 200 && found === undefined)) await this.#does("olga", "", "roll-out made", plan);
        if (found?.phase === "done" || found?.phase === "withdrawn") break;
        if (found?.phase === "draft" || found?.phase === "held")
          for (const who of ["ada", "bob"]) await this.#does(who, "approve", "start approved", { what: "start" });
        if (found?.phase === "approved") await this.#does("olga", "start", "roll-out started");
        if (found?.phase === "held") await this.#does("olga", "resume", "roll-out resumed");
        if (found?.phase === "rolling" && Math.random() < 0.02) await this.#does("ada", "hold", "roll-out held");
        await sleep(300);
      }
      await this.#does("ada", "withdraw", "roll-out withdrawn");
    }
  }

  /** A machine takes what the policy lets it take, and tells each step until it is acknowledged. */
  async #live(machine: TestMachine, n: number): Promise<void> {
    let took = "";
    while (!this.#ending) {
      const rollout = this.#policy?.rollouts.find(({ id }) => id === this.#id);
      const share = rollout?.state === "rolling" ? (rollout.rings[0]?.share ?? 0) : 0;
      const isIn = rollout !== undefined && placeOf(rollout.salt, machine.machineId) < share;
      if (rollout !== undefined && isIn && took !== rollout.id) {
        machine.state = { ...STATE, beatSeconds: 60, intent: { sha256: this.#livepatch, rollOut: rollout.id } };
        if (await this.#tell(machine, n)) {
          machine.state = {
            ...STATE,
            beatSeconds: 60,
            livepatches: [{ name: "fix", sha256: this.#livepatch, inEffect: true, kept: true }],
          };
          took = rollout.id;
        }
      }
      await this.#tell(machine, n);
      await sleep(50 + Math.random() * 200);
    }
  }

  async #tell(machine: TestMachine, n: number): Promise<boolean> {
    const client = this.#site.clients[n % 2];
    const report = machine.report();
    const { counter } = machine;
    const outcomes = await client?.report([report], `10.0.0.${n}`).catch(() => undefined);
    if (outcomes?.[0] !== "taken") return false;
    this.#reports += 1;
    this.#acknowledged.set(machine.host, counter);
    return true;
  }

  /** A machine's view: what is older than what it has seen its store refuses; and what is withdrawn stays so. */
  async #watch(): Promise<void> {
    const task = new Task(silentReporter);
    const withdrawn = new Set<string>();
    while (!this.#ending) {
      try {
        const found = await refresh(task, { store: this.#store, now: new Date(), buildId: BUILD_ID }, [sourceOf(this.#site.signed.out)]);
        this.#policy = found.policy;
        for (const { id, state } of found.policy.rollouts) {
          if (state === "withdrawn") withdrawn.add(id);
          else if (withdrawn.has(id)) this.#wrong.push(`the roll-out ${id} was withdrawn, and is ${state}`);
        }
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        this.#refused.set(error.code, error.message);
        if (error.code === "TRUST_ROLLBACK") this.#wrong.push(`what is published is older than before: ${error.message}`);
      }
      await sleep(100);
    }
  }

  readonly #refused = new Map<string, string>();
  /** What a machine would not believe, by code. */
  get refused(): Record<string, string> {
    return Object.fromEntries(this.#refused);
  }

  /** What has to hold now that both answer. */
  async hold(claims: Claims, when: string): Promise<void> {
    const { sql } = this.#site;
    // What is acknowledged from here on is newer than what is read.
    const acknowledged = new Map(this.#acknowledged);
    const deeds = [...this.#deeds];
    const enrolled = [...this.#enrolled];
    const rows = await sql<{ host: string; counter: number }>`select host, counter from host_state`;
    const counters = new Map(rows.map(({ host, counter }) => [host, counter]));
    for (const [host, counter] of acknowledged)
      claims.holds(`${when}: an acknowledged report is there`, (counters.get(host) ?? 0) >= counter, {
        host,
        counter,
        is: counters.get(host),
      });
    const hosts = new Set((await sql<{ id: string }>`select id from host`).map(({ id }) => id));
    const lost = enrolled.filter((host) => !hosts.has(host));
    claims.holds(`${when}: machines that were told that they are in the fleet are`, lost.length === 0, lost);
    const audit = await sql<{ what: string; about: string; detail: string }>`select what, about, detail from audit order by n`;
    const there = new Map<string, number>();
    for (const { what, about } of audit) there.set(`${what} ${about}`, (there.get(`${what} ${about}`) ?? 0) + 1);
    for (const deed of new Set(deeds)) {
      const said = deeds.filter((one) => one === deed).length;
      claims.holds(`${when}: what a person was told is done is in the audit`, (there.get(deed) ?? 0) >= said, {
        deed,
        said,
        there: there.get(deed),
      });
    }
    const stages = new Map<string, number>();
    for (const { what, about, detail } of audit) {
      if (!STAGE_BEGINS.has(what)) continue;
      const { stage } = JSON.parse(detail) as { stage: number };
      claims.holds(`${when}: each stage begins once, after the one before`, stage === (stages.get(about) ?? -1) + 1, { about, stage });
      stages.set(about, stage);
    }
    const broken = await brokenAudit(sql);
    claims.holds(`${when}: the audit is whole`, broken === undefined, broken);
    for (const wrong of this.#wrong) claims.holds(`${when}: ${wrong}`, false);
    this.#wrong = [];
  }

  /** Until people and machines have got further, so that it is not a server that answers and does nothing. */
  async goesOn(claims: Claims, when: string): Promise<void> {
    const before = this.#reports;
    const until = Date.now() + 30_000;
    while (this.#reports < before + MACHINES && Date.now() < until) await sleep(100);
    claims.holds(`${when}: it goes on`, this.#reports >= before + MACHINES, { reports: this.#reports - before });
  }
}
