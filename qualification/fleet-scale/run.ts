/** The fleet's server with a million machines, its database and the load on this machine: what comes in, what pages take, what it weighs. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SignedReport } from "@suture/protocol";
import { connect, type Sql } from "../../apps/fleet/src/database/sql.ts";
import { TestMachine } from "../../apps/fleet/test/machine.ts";
import { bundleFleet } from "../../scripts/fleet-bundle.ts";
import type { Found, Run } from "../run.ts";
import { atOnce, Client } from "../simulated-fleet/http.ts";
import { fill, hostId, type Reporter } from "./fill.ts";

const AT_ONCE = 256;
const BATCH = 500;
/** Asked for while reports come, each after the one before: dozens of people look. */
const PAGES_A_SECOND = 5;
/** Of reports that come by themselves, so many say something new. */
const NEWS = 20;

export const fleetScale: Run = {
  name: "fleet-scale",
  what: "a large fleet, the server, its database and the load on this machine: enrolment, reports, pages, memory, size",
  needs: { "/usr/lib/postgresql": "postgresql" },
  root: true,
  words: {
    machines: { value: "N", what: "in the fleet", is: "1000000", short: "20000" },
    reporting: { value: "N", what: "of these, that report (each has a key)", is: "100000", short: "5000" },
    seconds: { value: "N", what: "that each load lasts", is: "60", short: "10" },
    rate: { value: "N", what: "reports a second while pages are asked for", is: "1700" },
    page: { value: "N", what: "milliseconds that no page may take under that load", is: "300", short: "3000" },
  },
  async run(context) {
    const { options } = context;
    const base = mkdtempSync(join(tmpdir(), "suture-scale-"));
    chmodSync(base, 0o711);
    const scale = new Scale(base, options.number("seconds"));
    try {
      await scale.begin();
      await context.item("enrolment", () => scale.enrolment());
      await context.item("a large fleet", () => scale.large(options.number("machines"), options.number("reporting")));
      await context.item("pages at rest", () => scale.pagesAtRest(options.number("machines")));
      await context.item("reports, one by one", () => scale.oneByOne());
      await context.item("reports in batches", () => scale.batches());
      await context.item("reports and pages", () =>
        scale.together(options.number("rate"), options.number("page"), options.number("machines")),
      );
      await context.item("weight", () => scale.weight());
    } finally {
      await scale.end();
      rmSync(base, { recursive: true, force: true });
    }
  },
};

const at = (sorted: readonly number[], share: number): number => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
const spread = (times: readonly number[]) => {
  const sorted = [...times].sort((a, b) => a - b);
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99), max: at(sorted, 0.999999) };
};
/** Others use the machine as well. */
const told = (more: Record<string, unknown>): Record<string, unknown> => ({ ...more, load: Math.round((loadavg()[0] ?? 0) * 10) / 10 });

class Scale {
  readonly #base: string;
  readonly #ms: number;
  #child: ChildProcess | undefined;
  #url = "";
  #client: Client | undefined;
  #sql: Sql | undefined;
  #keys = new Map<string, string>();
  #token = { id: "", token: "" };
  #reporters: Reporter[] = [];
  #turn = 0;

  constructor(base: string, seconds: number) {
    this.#base = base;
    this.#ms = seconds * 1000;
  }

  /** Connections that were idle are the server's to close. */
  #anew(): void {
    this.#client?.close();
    this.#client = new Client(this.#url, AT_ONCE);
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("it is not begun");
    return this.#client;
  }

  get sql(): Sql {
    if (this.#sql === undefined) throw new Error("it is not begun");
    return this.#sql;
  }

  async begin(): Promise<void> {
    const program = join(this.#base, "program");
    await bundleFleet(program);
    const main = join(program, "suture-fleet.mjs");
    const env = { ...process.env, SUTURE_FLEET_LOG: "warn" };
    for (const role of ["operator", "viewer"])
      this.#keys.set(
        role,
        execFileSync(process.execPath, [main, "key", role, "--role", role, "--data", this.#base], { encoding: "utf8", env }).trim(),
      );
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const address = free.address();
    free.close();
    const listen = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
    this.#child = spawn(process.execPath, [main, "serve", "--data", this.#base, "--listen", listen], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    });
    this.#url = `http://${listen}/`;
    this.#anew();
    const well = (): Promise<boolean> =>
      this.client.ask("GET", "healthz").then(
        ({ status }) => status === 200,
        () => false,
      );
    while (!(await well())) await sleep(200);
    this.#sql = connect({ host: join(this.#base, "postgres/socket"), user: "suture", database: "postgres", max: 2, statement_timeout: 0 });
    const words = { name: "the run", limit: null, days: 30, approve: true, labels: [] };
    const { body } = await this.client.ask("POST", "v1/enrol-tokens", words, { key: this.#keys.get("operator") ?? "" });
    this.#token = body as { id: string; token: string };
  }

  async end(): Promise<void> {
    this.#client?.close();
    await this.#sql?.end();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  /** Each from another address, as machines are. */
  #from(): string {
    this.#turn += 1;
    return `10.${(this.#turn >> 16) & 255}.${(this.#turn >> 8) & 255}.${this.#turn & 255}`;
  }

  /** By the API, each a transaction of its own. */
  async enrolment(): Promise<Found> {
    const requests = Array.from({ length: 3000 }, (_, n) => new TestMachine(`new-${n}`).enrolment(this.#token.token));
    const times: number[] = [];
    const wrong: number[] = [];
    const began = performance.now();
    await atOnce(requests, 64, async (request) => {
      const start = performance.now();
      const { status } = await this.client.ask("POST", "v1/enrol", request, { from: this.#from() });
      if (status !== 200) wrong.push(status);
      times.push(performance.now() - start);
    });
    const perSecond = Math.round((requests.length * 1000) / (performance.now() - began));
    const more = told({ perSecond, ...spread(times) });
    return { good: wrong.length === 0, outcome: `${perSecond} a second`, more, why: JSON.stringify(more) };
  }

  async large(machines: number, reporting: number): Promise<Found> {
    this.#reporters = await fill(this.sql, machines, Math.min(machines, reporting), this.#token.id);
    return { good: true, outcome: `${machines} machines`, more: { machines, reporting: this.#reporters.length } };
  }

  #pages(machines: number): string[] {
    const middle = Math.floor(machines / 2);
    const after = `${hostId(middle)}machine-${String(middle).padStart(7, "0")}`;
    const query = (words: Record<string, string>): string => `?${new URLSearchParams(words)}`;
    return [
      "",
      "rollouts",
      "rollouts/large",
      "hosts",
      `hosts${query({ after })}`,
      `hosts${query({ name: "machine-05" })}`,
      `hosts${query({ status: "silent", state: "approved" })}`,
      `hosts${query({ status: "trouble" })}`,
      `hosts${query({ status: "never seen" })}`,
      `hosts${query({ status: "soaking" })}`,
      `hosts${query({ label: "site-7" })}`,
      `hosts${query({ label: "none-such" })}`,
      `hosts${query({ cve: "CVE-2026-10005" })}`,
      `hosts${query({ cve: "CVE-2026-10005", standing: "closed" })}`,
      `hosts${query({ cve: "CVE-2026-10005", standing: "unknown" })}`,
      `hosts/${hostId(middle)}`,
      "cves",
      "cves/CVE-2026-10005",
      "livepatches",
      "builds",
      "audit",
      "v1/kernels",
      "v1/rollouts",
      "metrics",
    ];
  }

  async #page(path: string): Promise<{ ms: number; status: number }> {
    const began = performance.now();
    const { status } = await this.client.ask("GET", path, undefined, { key: this.#keys.get("viewer") ?? "", from: this.#from() });
    return { ms: performance.now() - began, status };
  }

  /** What was counted is there: whoever opens the first page of all waits for it. */
  async pagesAtRest(machines: number): Promise<Found> {
    this.#anew();
    const slowest: { path: string; first: number; again: number }[] = [];
    const wrong: string[] = [];
    for (const path of this.#pages(machines)) {
      const first = await this.#page(path);
      const others: number[] = [];
      for (let i = 0; i < 3; i++) others.push((await this.#page(path)).ms);
      if (first.status !== 200) wrong.push(`${path}: ${first.status}`);
      slowest.push({ path, first: Math.round(first.ms), again: Math.round(Math.max(...others)) });
    }
    slowest.sort((a, b) => b.again - a.again);
    const top = slowest[0];
    const more = told({ pages: slowest });
    return {
      good: wrong.length === 0,
      outcome: `the slowest takes ${top?.again} ms`,
      more,
      why: `${wrong.join(" ")} ${JSON.stringify(slowest.slice(0, 6))}`,
    };
  }

  /** Signed before: who signs them is another machine. */
  #reports(count: number): SignedReport[] {
    return Array.from({ length: count }, (_, i) => {
      const reporter = this.#reporters[(this.#turn++ * 7919) % this.#reporters.length];
      if (reporter === undefined) throw new Error("nobody reports");
      return reporter.report(i % NEWS === 0);
    });
  }

  /** As fast as it goes. @param sets each is sent together */
  async #sent(sets: readonly (readonly SignedReport[])[], connections: number): Promise<Found> {
    this.#anew();
    const times: number[] = [];
    const outcomes: Record<string, number> = {};
    const began = performance.now();
    let reports = 0;
    const until = began + this.#ms;
    await atOnce(sets, connections, async (set) => {
      if (performance.now() > until) return;
      const start = performance.now();
      const found = (await this.client.report(set, this.#from()).catch(() => undefined)) ?? ["not answered"];
      for (const outcome of found) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      times.push(performance.now() - start);
      reports += set.length;
    });
    const perSecond = Math.round((reports * 1000) / (performance.now() - began));
    const more = told({ perSecond, ...spread(times), outcomes });
    // Of one machine a later report may be in first.
    const good = Object.keys(outcomes).every((outcome) => outcome === "taken" || outcome === "known");
    return { good, outcome: `${perSecond} a second`, more, why: JSON.stringify(more) };
  }

  oneByOne(): Promise<Found> {
    return this.#sent(
      this.#reports(Math.ceil(this.#ms * 6)).map((report) => [report]),
      AT_ONCE,
    );
  }

  batches(): Promise<Found> {
    const all = this.#reports(Math.ceil(this.#ms * 6));
    return this.#sent(
      Array.from({ length: Math.floor(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH)),
      4,
    );
  }

  /** So many a second come, whether the ones before are answered or not; and people look at pages. */
  async together(rate: number, most: number, machines: number): Promise<Found> {
    const all = this.#reports(Math.ceil((rate * this.#ms) / 1000));
    this.#anew();
    const times: number[] = [];
    const refused: number[] = [];
    const open = new Set<Promise<void>>();
    const began = performance.now();
    const slowest = new Map<string, number>();
    let ending = false;
    const looking = (async () => {
      while (!ending)
        for (const path of this.#pages(machines)) {
          if (ending) break;
          const next = sleep(1000 / PAGES_A_SECOND);
          const { ms, status } = await this.#page(path);
          await next;
          slowest.set(path, Math.max(slowest.get(path) ?? 0, status === 200 ? ms : Number.POSITIVE_INFINITY));
        }
    })();
    for (let sent = 0; sent < all.length; ) {
      const due = Math.min(all.length, Math.floor(((performance.now() - began) * rate) / 1000));
      for (; sent < due; sent++) {
        const report = all[sent];
        if (report === undefined) break;
        const start = performance.now();
        const asked = this.client
          .report([report], this.#from())
          .catch(() => undefined)
          .then((outcomes) => {
            times.push(performance.now() - start);
            if (outcomes === undefined) refused.push(1);
          })
          .finally(() => open.delete(asked));
        open.add(asked);
      }
      await sleep(5);
    }
    await Promise.all(open);
    const seconds = (performance.now() - began) / 1000;
    ending = true;
    await looking;
    const pages = [...slowest].map(([path, ms]) => ({ path, ms: Math.round(ms) })).sort((a, b) => b.ms - a.ms);
    const more = told({ asked: rate, perSecond: Math.round(all.length / seconds), ...spread(times), refused: refused.length, pages });
    const good = refused.length === 0 && (pages[0]?.ms ?? 0) <= most;
    return { good, outcome: `the slowest page takes ${pages[0]?.ms} ms`, more, why: JSON.stringify({ ...more, pages: pages.slice(0, 8) }) };
  }

  async weight(): Promise<Found> {
    const [size] = await this.sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`;
    const tables = await this.sql<{ name: string; bytes: number }>`
      select relname as name, pg_total_relation_size(oid) as bytes from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
      order by 2 desc limit 5`;
    const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024);
    const server = mib(pssOf(this.#child?.pid ?? 0));
    const postmaster = Number(readFileSync(join(this.#base, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]);
    const database = mib(childrenOf(postmaster).reduce((sum, pid) => sum + pssOf(pid), pssOf(postmaster)));
    const more = {
      ...{ serverMiB: server, postgresMiB: database, databaseMiB: mib(size?.bytes ?? 0) },
      tables: Object.fromEntries(tables.map(({ name, bytes }) => [name, mib(bytes)])),
    };
    return { good: true, outcome: `${mib(size?.bytes ?? 0)} MiB`, more, why: JSON.stringify(more) };
  }
}

/** Bytes; what several processes share is each one's in part. */
function pssOf(pid: number): number {
  try {
    const [, kib = "0"] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return Number(kib) * 1024;
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [, parent = ""] = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8")) ?? [];
      return Number(parent) === pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
