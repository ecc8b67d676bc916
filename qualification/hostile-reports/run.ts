/** Reports that lie, or are none, to the real server by HTTP: none is taken for one of somebody else, and the server goes on. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reportText, type SignedReport } from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import type { Sql } from "../../apps/fleet/src/database/sql.ts";
import { Fleet } from "../../apps/fleet/src/fleet.ts";
import { isSignedBy, publicKeyOf } from "../../apps/fleet/src/hosts/enrol.ts";
import { MOST_MOVES } from "../../apps/fleet/src/reports/level.ts";
import { TestMachine } from "../../apps/fleet/test/machine.ts";
import { silent } from "../../apps/fleet/test/silent.ts";
import { Claims } from "../claims.ts";
import { counted } from "../kept.ts";
import { COMMON } from "../options.ts";
import { randomFrom } from "../power-cuts/cuts.ts";
import type { Found, Run } from "../run.ts";
import { atOnce } from "../simulated-fleet/http.ts";
import { type Hostile, hostile } from "./mutations.ts";

const BLOCK = 5000;
const MACHINES = 20;
const AT_ONCE = 32;

export const hostileReports: Run = {
  name: "hostile-reports",
  what: "changed, stolen and made-up reports to the fleet's server: none is taken for another machine's, and it goes on",
  needs: { "/usr/lib/postgresql": "postgresql" },
  words: { count: { value: "N", what: "reports", is: "100000", short: "5000" }, seed: COMMON.seed },
  async run(context) {
    const count = context.options.number("count");
    for (let from = 0; from < count; from += BLOCK) {
      const many = Math.min(BLOCK, count - from);
      await context.item(`${from + 1} to ${from + many}`, () =>
        block(many, context.options.number("seed") * 1_000_000 + from, context.task),
      );
    }
  },
};

/** What the database has of those machines, each in a text. */
async function rowsOf(sql: Sql, machines: readonly TestMachine[]): Promise<Map<string, string>> {
  const ids = machines.map(({ host }) => host);
  const rows = await sql<{ host: string; text: string }>`
    select h.id as host, (to_jsonb(h) || jsonb_build_object('state', to_jsonb(s), 'events', (select count(*) from host_event e where e.host = h.id)))::text as text
    from host h left join host_state s on s.host = h.id where h.id = any (${ids})`;
  return new Map(rows.map(({ host, text }) => [host, text]));
}

interface Answer {
  status: number;
  outcomes: unknown[];
}

/** As it stands, whatever it is. */
function post(url: URL, text: string, from: string): Promise<Answer> {
  const payload = Buffer.from(text, "latin1");
  const headers = { "content-type": "application/json", "content-length": payload.length, "x-forwarded-for": from };
  return new Promise((done, failed) => {
    const asked = request(url, { method: "POST", headers, timeout: 60_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { outcomes?: unknown[] };
        done({ status: response.statusCode ?? 0, outcomes: body.outcomes ?? [] });
      });
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer within 60 s")));
    asked.on("error", failed);
    asked.end(payload);
  });
}

/** What was taken is signed, as it stands, by the machine that it is of. */
function isOwn(text: string, n: number, machines: readonly TestMachine[]): boolean {
  const report = (JSON.parse(Buffer.from(text, "latin1").toString("utf8")) as { reports: SignedReport[] }).reports[n];
  const machine = machines.find(({ host }) => host === report?.host);
  const key = machine === undefined ? undefined : publicKeyOf(machine.publicKey);
  return report !== undefined && key !== undefined && isSignedBy(key, reportText(report.body), report.signature);
}

const EXPECTED = new Set([200, 400, 413]);

async function block(count: number, seed: number, task: Task): Promise<Found> {
  const base = mkdtempSync(join(tmpdir(), "suture-hostile-"));
  chmodSync(base, 0o711);
  const options = { data: base, databaseUrl: undefined, repository: undefined, trialChannels: [] };
  const fleet = await Fleet.open(new Task(silentReporter), options, silent);
  const claims = new Claims();
  const kinds: string[] = [];
  const said: string[] = [];
  try {
    const { sql } = fleet.database;
    const url = new URL("v1/reports", `${await fleet.server.listen({ host: "127.0.0.1", port: 0 })}/`);
    const machines = Array.from({ length: MACHINES }, (_, n) => new TestMachine(`machine-${n}`));
    await enrolled(sql, machines);
    const others = machines.slice(0, MACHINES / 2);
    const own = machines.slice(MACHINES / 2);
    // Each has said something, and something before that.
    const before = others.map((machine) => machine.report());
    const now = others.map((machine) => machine.report());
    const first = own.map((machine) => machine.report());
    // Before anything is sent: a busy machine makes them for a minute, after which the server has closed what was idle.
    const means = { random: randomFrom(seed), own, others: [...before, ...now] };
    const all: Hostile[] = Array.from({ length: count }, () => hostile(means));
    for (const reports of [before, now, first]) await post(url, JSON.stringify({ reports }), "10.0.0.1");
    const victims = await rowsOf(sql, others);
    let n = 0;
    await atOnce(all, AT_ONCE, async (one) => {
      task.check();
      n += 1;
      const { status, outcomes } = await post(url, one.text, `10.9.${(n >> 8) & 255}.${n & 255}`);
      kinds.push(one.kind);
      said.push(status === 200 ? (outcomes.length === 0 ? "nothing" : String(outcomes[0])) : String(status));
      claims.holds("the server answers what it may", EXPECTED.has(status), { status, kind: one.kind, text: one.text.slice(0, 2000) });
      for (const [i, outcome] of outcomes.entries())
        if (outcome === "taken" || outcome === "held")
          claims.holds("what is taken is the machine's own", isOwn(one.text, i, own), { kind: one.kind, text: one.text.slice(0, 2000) });
    });
    const after = await rowsOf(sql, others);
    for (const [host, text] of victims)
      claims.holds("nothing is changed of the others", after.get(host) === text, { text, now: after.get(host) });
    const [levels] = await sql<{ n: number; longest: number }>`
      select count(*)::integer as n, max(pg_column_size(l.*)) as longest from level l`;
    claims.holds(
      "what is made up is no more than a few short rows for each machine",
      levels !== undefined && levels.n <= MACHINES * MOST_MOVES && levels.longest < 4096,
      levels,
    );
    const [late] = others;
    const good = await post(url, JSON.stringify({ reports: [late?.report()] }), "10.0.0.2");
    claims.holds("a report is taken as before", good.outcomes[0] === "taken", good);
  } finally {
    await fleet.close();
    rmSync(base, { recursive: true, force: true });
  }
  const answers = counted(said);
  return {
    ...claims.found,
    outcome: `${count} sent: ${Object.entries(answers)
      .map(([word, many]) => `${many} ${word}`)
      .join(", ")}`,
    more: { kinds: counted(kinds), answers },
  };
}

async function enrolled(sql: Sql, machines: readonly TestMachine[]): Promise<void> {
  const token = {
    id: "0123456789ab",
    name: "the run",
    digest: "-",
    most: null,
    approve: true,
    labels: [],
    expires_at: new Date(Date.now() + 86_400_000),
  };
  await sql`insert into enrol_token ${sql.columns(token)}`;
  for (const [n, machine] of machines.entries()) {
    machine.host = `${n}`.padStart(32, "0");
    const { host: id, name, machineId: machine_id, publicKey: public_key } = machine;
    await sql`insert into host ${sql.columns({ id, name, machine_id, public_key, state: "approved", labels: [], token: token.id })}`;
  }
}
