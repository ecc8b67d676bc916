/**
 * A machine of the simulated fleet. What it decides, remembers and reports is the agent's own code; what its kernel and its power do is played: a livepatch that
 * is loaded is in effect at once, and harms or does not.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  decide,
  dueOf,
  type Facts,
  type Intent,
  intentOf,
  NOTHING,
  nextCounter,
  reportState,
  runReport,
  type Sent,
  signedReport,
  stateDigest,
  type Truth,
  withAccepted,
  withRefused,
} from "@suture/agent";
import type { AgentMemory, AgentRun, Soak } from "@suture/protocol";
import { BASE } from "../../apps/fleet/test/catch-up.ts";
import { BUILD_ID, STATE } from "../../apps/fleet/test/machine.ts";
import type { Client } from "./http.ts";

/** What the livepatch does to a machine: trouble in the kernel's log, a machine that goes down and comes up, or one that never does. */
export type Harm = "trouble" | "panic" | "death";

/** The timer of the agent. */
export const RUN_MINUTES = 10;
/** As of agent.json. */
const BEAT_SECONDS = 3600;
const FRESH_MS = 600_000;
const BOOT_MS = 3 * 60_000;

export interface Seen {
  truth: Truth;
  /** When the repository was reached. */
  at: Date;
}

export class SimulatedMachine {
  readonly machineId: string;
  readonly address: string;
  readonly canary: boolean;
  readonly #name: string;
  readonly #key: KeyObject;
  readonly #publicKey: string;
  readonly host: string;
  /** It is off until then. */
  offUntil = 0;
  /** It reaches neither repository nor server. */
  cut = false;
  /** Drawn for each roll-out: what it would do to this machine, and how long after the load. */
  harm: { kind: Harm; after: number } | undefined;
  /** Of the roll-out that is on, when. */
  loadedAt: number | undefined;
  #harmed = false;
  #bootId = 1;
  #memory: AgentMemory = NOTHING;
  #run: AgentRun | undefined;
  #counter = 0;
  #sent: Sent | null = null;
  #seen: Seen | undefined;
  /** Upon what it decided to do nothing, and has told so. */
  #last: { truth: Truth; memory: AgentMemory; bootId: string } | undefined;

  constructor(n: number, canary: boolean) {
    this.machineId = createHash("md5").update(`simulated machine ${n}`).digest("hex");
    this.host = createHash("md5").update(`host ${n}`).digest("hex");
    this.address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
    this.#name = `sim-${String(n).padStart(6, "0")}`;
    this.canary = canary;
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    this.#publicKey = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  }

  #sign = (text: string): string => sign(undefined, Buffer.from(text), this.#key).toString("hex");

  /** As the server knows it. */
  get row(): { id: string; name: string; machine_id: string; public_key: string; labels: string[] } {
    const { host: id, machineId: machine_id } = this;
    return { id, name: this.#name, machine_id, public_key: this.#publicKey, labels: this.canary ? ["canary"] : [] };
  }

  isUp(now: number): boolean {
    return now >= this.offUntil;
  }

  /** Down, and up again by itself. */
  reboot(now: number, ms = BOOT_MS): void {
    this.offUntil = Math.max(this.offUntil, now + ms);
    this.#bootId += 1;
  }

  /** Before a roll-out: whatever the last one did is repaired. */
  renew(now: number, harm: SimulatedMachine["harm"]): void {
    if (this.offUntil === Number.POSITIVE_INFINITY) this.reboot(now, 0);
    if (!Number.isFinite(this.offUntil)) this.offUntil = now;
    this.harm = harm;
    this.loadedAt = undefined;
    this.#harmed = false;
    this.#memory = { ...this.#memory, soak: null };
    this.cut = false;
  }

  get hasIt(): boolean {
    return this.loadedAt !== undefined;
  }

  get #facts(): Facts {
    const { soak, accepted } = this.#memory;
    const kept = accepted.map(({ name, sha256 }) => ({ name, sha256, quarantine: undefined }));
    const trial = soak === null || soak.before.bootId !== this.bootId ? [] : [{ name: soak.name, sha256: soak.sha256, inEffect: true }];
    return {
      machineId: this.machineId,
      release: STATE.release,
      buildId: BUILD_ID,
      bootId: this.bootId,
      zone: "UTC",
      fleet: "test",
      channel: "stable",
      labels: this.canary ? ["canary"] : [],
      windows: [],
      soakSeconds: 0,
      hold: undefined,
      watched: true,
      off: false,
      moving: undefined,
      present: [...kept.map(({ name, sha256 }) => ({ name, sha256, inEffect: trial.length === 0 })), ...trial],
      kept,
      keptElsewhere: [],
    };
  }

  get bootId(): string {
    return `boot ${this.#bootId}`;
  }

  /** One run of the agent, as its timer begins them: ask what is new, say what it will do, do it, say what came of it. */
  async run(client: Client, seen: Seen, at: Date): Promise<void> {
    if (!this.cut) this.#seen = seen;
    const { truth, at: reached } = this.#seen ?? seen;
    if (this.#seen === undefined) return;
    // The decision is a pure function: of the same it is the same, and so is the report.
    const { bootId, machineId } = this;
    const last = this.#last;
    if (
      !this.cut &&
      this.#sent !== null &&
      last?.truth === truth &&
      last.memory === this.#memory &&
      last.bootId === bootId &&
      this.#memory.soak === null
    ) {
      const due = dueOf(this.#sent, { ...this.#sent, bootId, machineId, intent: undefined, beatSeconds: BEAT_SECONDS, at });
      if (due === undefined) return;
    }
    let announced: Intent | undefined;
    if (!this.cut) {
      const intent = intentOf(decide({ ...this.#facts, watched: false }, truth, this.#memory, at));
      if (intent !== undefined && (await this.#tell(client, at, intent))) announced = intent;
    }
    const isOld = at.getTime() - reached.getTime() > FRESH_MS;
    const known: Truth = { ...truth, announced, expired: isOld ? "the repository was last reached too long ago" : truth.expired };
    const facts = this.#facts;
    const decision = decide(facts, known, this.#memory, at);
    const done: AgentRun["done"] = [];
    for (const step of decision.steps) {
      if (step.do === "load") this.#load(step, at, done);
      else if (step.do === "soak") this.#look(at, done);
      else if (step.do === "end soak" && this.#memory.soak !== null) {
        done.push({ what: "soak", name: this.#memory.soak.name, outcome: "failed", code: step.code, why: step.why });
        this.#memory = withRefused(this.#memory, this.#memory.soak, step, at);
      } else if (step.do === "take out")
        this.#memory = { ...this.#memory, accepted: this.#memory.accepted.filter(({ sha256 }) => sha256 !== step.sha256) };
    }
    // It went down in this run: what it would have said it does not.
    if (!this.isUp(at.getTime())) return;
    const present = this.#facts.present.map((one) => ({ ...one, kept: this.#facts.kept.some(({ sha256 }) => sha256 === one.sha256) }));
    const trusted = { truth: known, at, problem: undefined, roles: [], reached: undefined, warnings: [] };
    this.#run = runReport({ facts, trusted, decision, done, present, memory: this.#memory });
    if (this.cut) return;
    const isTold = await this.#tell(client, at, undefined);
    this.#last = isTold && decision.steps.length === 0 ? { truth, memory: this.#memory, bootId } : undefined;
  }

  #load(
    { offer, rollout, seconds }: Extract<ReturnType<typeof decide>["steps"][number], { do: "load" }>,
    at: Date,
    done: AgentRun["done"],
  ): void {
    const { name, counter, kernel } = offer.custom;
    const replaced = this.#memory.accepted.map((one) => ({ name: one.name, sha256: one.sha256 }));
    const soak: Soak = {
      sha256: offer.sha256,
      name,
      release: kernel.release,
      buildId: kernel.buildId,
      target: offer.path,
      counter,
      rollOut: rollout.id,
      phase: "soaking",
      failure: null,
      before: { bootId: this.bootId, uptime: 0, taint: "", log: 0 },
      loaded: at.getTime() / 1000,
      seconds,
      looks: [],
      replaced,
    };
    this.#memory = { ...this.#memory, soak };
    this.loadedAt = at.getTime();
    done.push({ what: "load", name, outcome: "done", why: `by the roll-out ${rollout.id}` });
    // The run that has loaded it stays for a minute.
    this.harms(at.getTime() + 60_000);
    this.#look(at, done);
  }

  /** What the livepatch has done to it by now. */
  harms(now: number): void {
    if (this.loadedAt === undefined || this.harm === undefined || this.#harmed) return;
    const when = this.loadedAt + this.harm.after;
    if (now < when) return;
    this.#harmed = true;
    if (this.harm.kind === "panic") this.reboot(when);
    if (this.harm.kind === "death") this.offUntil = Number.POSITIVE_INFINITY;
  }

  #look(at: Date, done: AgentRun["done"]): void {
    const { soak } = this.#memory;
    if (soak === null || !this.isUp(at.getTime())) return;
    if (this.#harmed && this.harm?.kind === "trouble") {
      const failure = { code: "AGENT_TROUBLE", why: "BUG: unable to handle page fault" };
      this.#memory = withRefused(this.#memory, soak, failure, at);
      done.push({ what: "soak", name: soak.name, outcome: "failed", ...failure });
      return;
    }
    const after = at.getTime() / 1000 - (soak.loaded ?? 0);
    if (after >= soak.seconds) {
      this.#memory = withAccepted(this.#memory, soak, at);
      done.push({ what: "keep", name: soak.name, outcome: "done", why: "" });
    } else this.#memory = { ...this.#memory, soak: { ...soak, looks: [...soak.looks, { after, at: at.toISOString() }] } };
  }

  /** @returns whether the server has acknowledged it, or there was nothing to say */
  async #tell(client: Client, at: Date, intent: Intent | undefined): Promise<boolean> {
    const { bootId, machineId } = this;
    const state = reportState({ ...this.#facts, version: BASE.version, beatSeconds: BEAT_SECONDS }, this.#run, intent);
    const digest = stateDigest(state);
    const due = dueOf(this.#sent, { digest, bootId, machineId, intent, beatSeconds: BEAT_SECONDS, at });
    if (due === undefined) return true;
    const send = async (whole: boolean): Promise<string | undefined> => {
      this.#counter = nextCounter(this.#counter, at);
      const said = { host: this.host, bootId, digest, state: whole ? state : undefined, at };
      return (await client.report([signedReport(said, this.#counter, this.#sign)], this.address))?.[0];
    };
    let outcome = await send(due === "news");
    if (outcome === "whole wanted") outcome = await send(true);
    if (outcome !== "taken") return false;
    this.#sent = { digest, bootId, at: at.toISOString() };
    return true;
  }
}
