/**
 * A relay for a site: takes machines' reports, keeps them until the server has them, and keeps the repository's files at hand. It can read what machines report,
 * and forge none of it: reports are signed by machines, and what they follow is signed by others.
 */
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import {
  type EnrolRequest,
  enrolAnswerSchema,
  enrolRequestSchema,
  fleetAnswer,
  type ReportOutcome,
  reportBodySchema,
  reportsAnswerSchema,
  reportsSchema,
  type SignedReport,
} from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import { Gauge, Registry } from "prom-client";
import * as v from "valibot";
import { alone } from "../alone.ts";
import { Chore } from "../chore.ts";
import { fail } from "../errors.ts";
import { limited } from "../http/limits.ts";
import { refusalOf } from "../http/refusals.ts";
import { Cache } from "./cache.ts";
import { Forwarder } from "./forward.ts";
import { Machines } from "./machines.ts";
import { Spool, type SpoolOptions } from "./spool.ts";

const LONGEST = 4 * 1024 * 1024;
/** A machine waits for fifteen seconds. */
const PATIENCE_MS = 6000;
const SWEEP_MS = 3600_000;
const PER_MINUTE = 6000;
const MOST_KNOWN = 1_000_000;

export interface RelayOptions {
  data: string;
  /** Of the fleet's server. */
  server: string;
  /** Of the signed repository; undefined: its files are not kept here. */
  upstream: string | undefined;
  /** Milliseconds. */
  patience?: number;
  /** Seconds. */
  lockPatience?: number;
  spool?: Omit<SpoolOptions, "isKnown">;
}

interface Parts {
  spool: Spool;
  machines: Machines;
  lock: FileHandle;
  ending: AbortController;
}

export class Relay {
  readonly server: FastifyInstance;
  readonly #spool: Spool;
  readonly #machines: Machines;
  readonly #lock: FileHandle;
  readonly #ending: AbortController;
  readonly #forwarder: Forwarder;
  readonly #cache: Cache | undefined;
  readonly #patience: number;
  readonly #url: string;
  readonly #chores: Chore[] = [];
  /** Of machines that the server said something of that they do not know yet. */
  readonly #owed = new Map<string, ReportOutcome>();

  private constructor(options: RelayOptions, { spool, machines, lock, ending }: Parts, log: Logger) {
    const { server, upstream, data, patience = PATIENCE_MS } = options;
    this.#url = server.endsWith("/") ? server : `${server}/`;
    this.#patience = patience;
    this.#spool = spool;
    this.#machines = machines;
    this.#lock = lock;
    this.#ending = ending;
    this.#forwarder = new Forwarder(spool, server, (report, outcome) => this.#note(report, outcome), log);
    this.#cache =
      upstream === undefined ? undefined : new Cache(new Task(silentReporter, ending.signal), join(data, "cache"), upstream, patience);
    this.server = this.#served(log);
  }

  /** @throws FLEET_FOLDER */
  static async open(options: RelayOptions, log: Logger): Promise<Relay> {
    const ending = new AbortController();
    const lock = await alone(new Task(silentReporter, ending.signal), options.data, options.lockPatience);
    const machines = await Machines.open(options.data);
    const spool = await Spool.open(join(options.data, "spool"), { ...options.spool, isKnown: machines.knows });
    const relay = new Relay(options, { spool, machines, lock, ending }, log);
    relay.#forwarder.start();
    relay.#chores.push(
      new Chore(
        async () => relay.#cache?.sweep().catch((error: unknown) => log.error({ err: error }, "the cache cannot be swept")),
        () => SWEEP_MS,
      ),
    );
    for (const chore of relay.#chores) chore.start();
    return relay;
  }

  async close(): Promise<void> {
    for (const chore of this.#chores) await chore.end();
    await this.server.close();
    this.#ending.abort();
    await this.#forwarder.end();
    await this.#spool.close();
    await this.#machines.close();
    await this.#lock.close();
  }

  /** On the disk, then to the server; what that says in time is the answer. @throws FLEET_RELAY, FLEET_BUSY, FLEET_ROOM */
  async take(reports: readonly SignedReport[]): Promise<ReportOutcome[]> {
    const kept = reports.filter((report) => !this.#machines.isForged(report));
    const said = new Map<SignedReport, ReportOutcome>();
    if (kept.length > 0) {
      const first = await this.#spool.add(kept);
      this.#forwarder.look();
      await Promise.all(
        kept.map(async (report, i) => {
          const outcome = await this.#forwarder.outcome(first + i, this.#patience);
          said.set(report, outcome ?? this.#byItself(report));
        }),
      );
    }
    return reports.map((report) => said.get(report) ?? "wrong");
  }

  /** The server says nothing: it is kept, and a machine that is about to load has to wait for the server's word. @throws FLEET_RELAY */
  #byItself(report: SignedReport): ReportOutcome {
    const body = bodyOf(report.body);
    if (body === undefined) return "wrong";
    if (body.state !== undefined && body.state.intent !== null)
      throw fail(
        "FLEET_RELAY",
        "the server does not answer, and whether the roll-out is held is not known here: nothing is to be loaded by it now",
      );
    const owed = this.#owed.get(report.host);
    if (owed === "whole wanted" && body.state !== undefined) this.#owed.delete(report.host);
    return owed === undefined || (owed === "whole wanted" && body.state !== undefined) ? "taken" : owed;
  }

  /** Told by itself before that it is taken, a machine has yet to hear what the server says. */
  #note(report: SignedReport, outcome: ReportOutcome): void {
    this.#machines.said(report, outcome);
    const { host } = report;
    // Anybody can send what is wrong in its name: the others the server says of what the machine has signed, or of its name alone.
    if (outcome === "wrong") return;
    if (outcome === "taken" || outcome === "known" || outcome === "held") this.#owed.delete(host);
    else if (this.#owed.size < MOST_KNOWN) this.#owed.set(host, outcome);
  }

  async #enrol(body: EnrolRequest): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(new URL("v1/enrol", this.#url), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(this.#patience * 2),
      });
      const text = await response.text();
      const found = fleetAnswer(enrolAnswerSchema, response.status, text);
      if ("good" in found) this.#machines.enrolled(found.good.host, body.publicKey);
      return { status: response.status, text };
    } catch (cause) {
      throw fail("FLEET_RELAY", cause instanceof Error ? cause.message : String(cause), { file: this.#url }, { cause });
    }
  }

  #served(log: FastifyBaseLogger): FastifyInstance {
    const server = Fastify({
      loggerInstance: log,
      logController: new LogController({ disableRequestLogging: true }),
      bodyLimit: LONGEST,
      requestTimeout: 60_000,
      trustProxy: "loopback",
    });
    server.setErrorHandler((error, request, reply) => {
      const { status, document, ours } = refusalOf(error);
      if (ours) log.error({ err: error, url: request.url.split("?")[0] }, "a request failed");
      return reply.code(status).send(document);
    });
    server.addHook("onSend", async (_request, reply) => {
      reply.header("x-content-type-options", "nosniff");
    });
    limited(server);
    server.register(async (scope) => {
      const config = { rateLimit: { max: PER_MINUTE } };
      scope.post("/v1/reports", { config }, async (request) =>
        v.parse(reportsAnswerSchema, {
          at: new Date().toISOString(),
          outcomes: await this.take(held(reportsSchema, request.body).reports),
        }),
      );
      scope.post("/v1/enrol", async (request, reply) => {
        const { status, text } = await this.#enrol(held(enrolRequestSchema, request.body));
        return reply.code(status).type("application/json; charset=utf-8").send(text);
      });
      scope.get("/repository/*", { config }, async (request, reply) => {
        const path = (request.params as { "*": string })["*"];
        const bytes = await this.#cache?.read(path);
        if (bytes === undefined) throw fail("FLEET_NONE", "the repository has no such file");
        return reply.type(path.endsWith(".json") ? "application/json" : "application/octet-stream").send(Buffer.from(bytes));
      });
      scope.get("/healthz", async () => ({ ok: true, ...this.#spool.waiting, away: this.#forwarder.state.away ?? null }));
      const registry = this.#metrics();
      scope.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
    });
    return server;
  }

  #metrics(): Registry {
    const registry = new Registry();
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name: `suture_relay_${name}`,
        help,
        registers: [registry],
        collect() {
          this.set(value());
        },
      });
    };
    gauge("reports_waiting", "Reports that the server does not have yet.", () => this.#spool.waiting.reports);
    gauge("bytes_waiting", "Bytes of these.", () => this.#spool.waiting.bytes);
    gauge("reports_forwarded", "Reports that the server has, since the relay was started.", () => this.#forwarder.state.forwarded);
    gauge("reports_dropped", "Reports that the server does not take in their form, since then.", () => this.#forwarder.state.dropped);
    gauge("server_away", "1 where the server did not take what was sent last.", () => (this.#forwarder.state.away === undefined ? 0 : 1));
    return registry;
  }
}

function bodyOf(text: string): v.InferOutput<typeof reportBodySchema> | undefined {
  try {
    const checked = v.safeParse(reportBodySchema, JSON.parse(text), { abortEarly: true });
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}

/** @throws FLEET_REQUEST */
function held<S extends v.GenericSchema<unknown, unknown>>(schema: S, value: unknown): v.InferOutput<S> {
  const checked = v.safeParse(schema, value, { abortEarly: true });
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw fail("FLEET_REQUEST", `${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`.slice(0, 500));
}
