/** Questions to the server by HTTP, over connections that stay. */
import { Agent, request } from "node:http";
import type { ReportOutcome, SignedReport } from "@suture/protocol";

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export interface Asking {
  /** For whom a web server in front would ask. */
  from?: string;
  key?: string;
}

export class Client {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, connections = 64) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  ask(method: "GET" | "POST", path: string, body?: object, { from, key }: Asking = {}): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
      ...(from === undefined ? {} : { "x-forwarded-for": from }),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
    return new Promise((done, failed) => {
      const asked = request(new URL(path, this.#url), { method, headers, agent: this.#agent, timeout: 60_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", failed);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const isJson = String(response.headers["content-type"]).startsWith("application/json");
          done({ status: response.statusCode ?? 0, body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text } });
        });
      });
      asked.on("timeout", () => asked.destroy(new Error("no answer within 60 s")));
      asked.on("error", failed);
      asked.end(payload);
    });
  }

  /** @returns what the server says of each; undefined: it is not known whether it has them */
  async report(reports: readonly SignedReport[], from: string): Promise<ReportOutcome[] | undefined> {
    const { status, body } = await this.ask("POST", "v1/reports", { reports }, { from });
    return status === 200 ? (body.outcomes as ReportOutcome[]) : undefined;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** As many at a time. */
export async function atOnce<T>(all: readonly T[], many: number, work: (one: T) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(many, all.length) }, async () => {
      for (let one = all[next++]; one !== undefined; one = all[next++]) await work(one);
    }),
  );
}
