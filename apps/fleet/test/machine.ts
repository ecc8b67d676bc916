/** A machine as the server sees it: a key, a counter, and what it says. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  type EnrolRequest,
  enrolText,
  type HostReportState,
  type ReportBody,
  type ReportOutcome,
  reportText,
  type SignedReport,
} from "@suture/protocol";
import type { Answered, Served } from "./served.ts";

export const BUILD_ID = "5a".repeat(20);

export const STATE: HostReportState = {
  release: "6.1.0-1-amd64",
  buildId: BUILD_ID,
  fleet: "test",
  channel: "stable",
  labels: [],
  beatSeconds: 3600,
  intent: null,
  soak: null,
  livepatches: [],
  counter: 0,
  refused: [],
  offers: [],
  failed: [],
  rebootWanted: [],
  hold: null,
  problem: null,
};

export class TestMachine {
  readonly #key: KeyObject;
  readonly publicKey: string;
  readonly machineId = randomBytes(16).toString("hex");
  readonly name: string;
  host = "";
  bootId = "boot-1";
  counter = 0;
  state: HostReportState = STATE;

  constructor(name: string) {
    this.name = name;
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    this.publicKey = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  }

  sign(text: string): string {
    return sign(undefined, Buffer.from(text), this.#key).toString("hex");
  }

  enrolment(token: string): EnrolRequest {
    const request = { token, name: this.name, machineId: this.machineId };
    return { ...request, publicKey: this.publicKey, proof: this.sign(enrolText(request)) };
  }

  async enrol(served: Served, token: string, more: object = {}): Promise<Answered> {
    const answer = await served.ask(undefined, "POST", "/v1/enrol", { ...this.enrolment(token), ...more });
    if (answer.status === 200) this.host = String(answer.body.host);
    return answer;
  }

  /** @param whole with its state; else a beat */
  report(whole = true, more: Partial<ReportBody> = {}): SignedReport {
    this.counter += 1;
    const body: ReportBody = {
      "suture-report": 1,
      host: this.host,
      counter: this.counter,
      at: new Date().toISOString(),
      bootId: this.bootId,
      digest: createHash("sha256").update(JSON.stringify(this.state)).digest("hex"),
      ...(whole ? { state: this.state } : {}),
      ...more,
    };
    const text = JSON.stringify(body);
    return { host: this.host, body: text, signature: this.sign(reportText(text)) };
  }
}

export async function send(served: Served, ...reports: SignedReport[]): Promise<ReportOutcome[]> {
  const { status, body } = await served.ask(undefined, "POST", "/v1/reports", { reports });
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.outcomes as ReportOutcome[];
}

export async function tokenOf(served: Served, more: object = {}): Promise<string> {
  const { body } = await served.ask("operator", "POST", "/v1/enrol-tokens", {
    name: "tests",
    limit: null,
    days: 1,
    approve: true,
    labels: [],
    ...more,
  });
  return String(body.token);
}
