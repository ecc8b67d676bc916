/** Two servers as processes on one folder, with the PostgreSQL that they keep there; and what is needed to hurt them. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentReporter, Task } from "@suture/task";
import { newKeyFile, openKeyFile, type Signer } from "@suture/trust";
import { connect, type Sql } from "../../apps/fleet/src/database/sql.ts";
import { Signed } from "../../apps/fleet/test/repository.ts";
import { bundleFleet } from "../../scripts/fleet-bundle.ts";
import { Client } from "../simulated-fleet/http.ts";

const WELL_MS = 120_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

export class Site {
  readonly base: string;
  readonly data: string;
  readonly signed: Signed;
  readonly clients: readonly Client[];
  readonly sql: Sql;
  readonly #program: string;
  readonly #ports: readonly number[];
  readonly #processes: (ChildProcess | undefined)[] = [undefined, undefined];
  /** Of the servers that are started next. */
  env: Record<string, string> = {};
  said = "";

  private constructor(given: { base: string; data: string; signed: Signed; program: string; ports: readonly number[] }) {
    this.base = given.base;
    this.data = given.data;
    this.signed = given.signed;
    this.#program = given.program;
    this.#ports = given.ports;
    this.clients = given.ports.map((port) => new Client(`http://127.0.0.1:${port}/`));
    this.sql = connect({
      host: join(this.data, "postgres/socket"),
      user: "suture",
      database: "postgres",
      max: 3,
      connectionTimeoutMillis: 2000,
    });
  }

  /** @param data where the servers keep what they keep */
  static async begin(base: string, data: string): Promise<Site> {
    const task = new Task(silentReporter);
    writeFileSync(join(base, "passphrase"), "a passphrase of the run\n");
    const signers: Signer[] = [];
    for (const name of ["policy", "online"]) {
      const passphrase = async (): Promise<string> => "a passphrase of the run";
      await newKeyFile(task, join(base, name), passphrase);
      signers.push(await openKeyFile(task, join(base, `${name}.key`), passphrase));
    }
    const [policy, online] = signers;
    if (policy === undefined || online === undefined) throw new Error("no keys");
    const signed = new Signed(base, { policy, online });
    await signed.begin();
    await bundleFleet(join(base, "program"));
    const ports = [await freePort(), await freePort()];
    return new Site({ base, data, signed, program: join(base, "program/suture-fleet.mjs"), ports });
  }

  get #words(): string[] {
    const { base, signed, data } = this;
    const keys = ["policy", "online"].flatMap((name) => ["--key", join(base, `${name}.key`)]);
    return ["--data", data, "--repository", signed.folder, "--publish", signed.out, ...keys];
  }

  get #environment(): Record<string, string | undefined> {
    return { ...process.env, SUTURE_PASSPHRASE_FILE: join(this.base, "passphrase"), SUTURE_FLEET_LOG: "warn", ...this.env };
  }

  start(n: number): void {
    const argv = [this.#program, "serve", "--listen", `127.0.0.1:${this.#ports[n]}`, ...this.#words];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"], env: this.#environment });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.said = `${this.said}${text}`.slice(-20_000);
    });
    this.#processes[n] = child;
  }

  key(name: string, role: string): string {
    const argv = [this.#program, "key", name, "--role", role, "--data", this.data];
    return execFileSync(process.execPath, argv, { encoding: "utf8", env: this.#environment as NodeJS.ProcessEnv }).trim();
  }

  async kill(n: number, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#processes[n];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  killDatabase(): void {
    const pid = Number(readFileSync(join(this.data, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]);
    if (pid > 1) process.kill(pid, "SIGKILL");
  }

  /** Every server that runs, or has ended by itself and is begun again. @returns milliseconds until both answered */
  async well(): Promise<number> {
    const began = performance.now();
    for (const [n, child] of this.#processes.entries())
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) this.start(n);
    for (;;) {
      const answers = await Promise.all(
        this.clients.map((client) =>
          client.ask("GET", "healthz").then(
            ({ status }) => status,
            () => 0,
          ),
        ),
      );
      if (answers.every((status) => status === 200)) return Math.round(performance.now() - began);
      if (performance.now() - began > WELL_MS) throw new Error(`the servers do not answer: ${answers.join()}; ${this.said.slice(-3000)}`);
      for (const [n, child] of this.#processes.entries())
        if (child !== undefined && (child.exitCode !== null || child.signalCode !== null)) this.start(n);
      await sleep(200);
    }
  }

  async end(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.sql.end();
    for (const n of [0, 1]) await this.kill(n, "SIGTERM").catch(() => undefined);
  }
}
