/** A fleet of 40 machines with a repository, an operator and two releasers, for the tests of roll-outs. */
import { Task } from "@suture/task";
import { placeOf } from "@suture/trust";
import { expect } from "vitest";
import { tick } from "../src/rollouts/tick.ts";
import { Steering } from "../src/steering/steering.ts";
import { newApiKey } from "../src/users/api-keys.ts";
import type { Role } from "../src/users/roles.ts";
import { STATE, send, TestMachine, tokenOf } from "./machine.ts";
import { Signed } from "./repository.ts";
import { type Answered, dataFolder, Served } from "./served.ts";

export const STAGES = [
  { name: "canary", hosts: 4, leastHosts: 4 },
  { name: "half", percent: 50, leastHosts: 8, leastHours: 1 },
  { name: "all", percent: 100, leastHosts: 10 },
];

export interface Of {
  id: string;
  livepatch: string;
}

export interface Shown {
  phase: string;
  why: string;
  stage: number;
  attempt: number;
  tally: Record<string, number>;
}

const PEOPLE: readonly [string, Role][] = [
  ["olga", "operator"],
  ["ada", "releaser"],
  ["bob", "releaser"],
];

export class Rolling {
  readonly base: string;
  readonly signed: Signed;
  readonly served: Served;
  readonly steering: Steering;
  readonly machines: readonly TestMachine[];
  readonly #keys: ReadonlyMap<string, string>;
  #n = 0;

  private constructor(base: string, signed: Signed, served: Served, machines: readonly TestMachine[], keys: ReadonlyMap<string, string>) {
    this.base = base;
    this.signed = signed;
    this.served = served;
    this.steering = new Steering(new Task(), signed);
    this.machines = machines;
    this.#keys = keys;
  }

  static async begin(): Promise<Rolling> {
    const base = dataFolder();
    const signed = new Signed(base);
    await signed.begin();
    const served = await Served.open(dataFolder(), signed);
    const keys = new Map<string, string>();
    for (const [name, role] of PEOPLE) keys.set(name, (await newApiKey(served.fleet.database.sql, "test", { name, roles: [role] })).key);
    const token = await tokenOf(served);
    const machines = Array.from({ length: 40 }, (_, i) => new TestMachine(`host-${i}`));
    for (let i = 0; i < machines.length; i += 10)
      await Promise.all(machines.slice(i, i + 10).map((machine) => machine.enrol(served, token)));
    await send(served, ...machines.map((machine) => machine.report()));
    return new Rolling(base, signed, served, machines, keys);
  }

  async as(name: string, method: "GET" | "POST", url: string, body?: object): Promise<Answered> {
    const headers = { authorization: `Bearer ${this.#keys.get(name)}` };
    const answer = await this.served.fleet.server.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
    return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
  }

  does(name: string, id: string, what: string, more: object = {}): Promise<Answered> {
    return this.as(name, "POST", `/v1/rollouts/${id}/${what}`, what === "approve" ? more : { why: "a test", ...more });
  }

  ticks(): Promise<boolean> {
    return tick(this.served.fleet.database.sql, this.steering);
  }

  async shown(id: string): Promise<Shown> {
    const [found] = (await this.as("olga", "GET", `/v1/rollouts/${id}`)).body.rollouts as Shown[];
    if (found === undefined) throw new Error(id);
    return found;
  }

  async out(id: string) {
    return (await this.signed.seen()).rollouts.find((one) => one.id === id);
  }

  async approved(more: object = {}): Promise<Of> {
    const plan = { id: `fix-${++this.#n}`, livepatch: await this.signed.add(`livepatch_${this.#n}`), stages: STAGES, ...more };
    const { id, livepatch } = plan;
    expect(await this.as("olga", "POST", "/v1/rollouts", plan)).toMatchObject({ status: 200 });
    for (const who of ["ada", "bob"]) await this.does(who, id, "approve");
    return { id, livepatch };
  }

  /** Approved, and started. */
  async begun(more: object = {}): Promise<Of> {
    const fix = await this.approved(more);
    expect(await this.does("olga", fix.id, "start")).toMatchObject({ status: 200, body: { published: true } });
    return fix;
  }

  /** By both, and done by one of them. */
  async agreed(id: string, what: "skip" | "promote", more: object = {}): Promise<Answered> {
    for (const who of ["ada", "bob"]) await this.does(who, id, "approve", { what });
    return this.does("ada", id, what, more);
  }

  /** For those that come after it. */
  async over(of: Of): Promise<void> {
    expect(await this.does("ada", of.id, "withdraw")).toMatchObject({ status: 200 });
    await this.become(this.machines, "nothing", of);
  }

  /** Those that the policy lets in, by their own place. */
  async exposed(id: string): Promise<TestMachine[]> {
    const rollout = await this.out(id);
    if (rollout === undefined || rollout.state !== "rolling") return [];
    return this.machines.filter(
      ({ machineId }) => placeOf(rollout.salt, machineId) < (rollout.rings.find(({ label }) => label === "all")?.share ?? 0),
    );
  }

  /** What is kept was on trial before, and told so. */
  async become(which: readonly TestMachine[], what: "intent" | "kept" | "trouble" | "stuck" | "nothing", of: Of): Promise<void> {
    const { id, livepatch } = of;
    if (what === "kept") await this.become(which, "intent", of);
    for (const machine of which)
      machine.state = {
        ...STATE,
        intent: what === "intent" ? { sha256: livepatch, rollOut: id } : null,
        soak:
          what === "stuck"
            ? {
                sha256: livepatch,
                rollOut: id,
                phase: "leaving",
                after: 5,
                failure: { code: "AGENT_PROBE", why: "the web server is down" },
              }
            : null,
        livepatches: what === "kept" ? [{ name: "fix", sha256: livepatch, inEffect: true, kept: true }] : [],
        refused: what === "trouble" ? [{ sha256: livepatch, code: "AGENT_TROUBLE", why: "an oops" }] : [],
      };
    if (which.length > 0) await send(this.served, ...which.map((machine) => machine.report()));
  }

  /** They were last heard of then. */
  async age(which: readonly TestMachine[], minutes: number): Promise<void> {
    await this.served.fleet.database.sql`
      update host_state set seen_at = now() - ${`${minutes} minutes`}::interval where host = any(${which.map(({ host }) => host)})`;
  }
}
