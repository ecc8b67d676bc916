/** A hold is raced with approvals, a resume and the servers' own look, over HTTP, at two servers of one database. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter, Task } from "@suture/task";
import { brokenAudit } from "../../apps/fleet/src/audit/audit.ts";
import { Fleet } from "../../apps/fleet/src/fleet.ts";
import { tick } from "../../apps/fleet/src/rollouts/tick.ts";
import { Steering } from "../../apps/fleet/src/steering/steering.ts";
import { newApiKey } from "../../apps/fleet/src/users/api-keys.ts";
import { Signed } from "../../apps/fleet/test/repository.ts";
import { silent } from "../../apps/fleet/test/silent.ts";
import { Claims } from "../claims.ts";
import type { Found } from "../run.ts";
import { Client } from "./http.ts";

interface Deed {
  who: string;
  what: string;
}

/**
 * What the audit may say of one roll-out, whoever was first: it goes on by two who approved since it was held, and by nothing else.
 * @returns what is against that
 */
function against(deeds: readonly Deed[]): string | undefined {
  let phase = "draft";
  let approved = new Set<string>();
  for (const { who, what } of deeds) {
    if (what === "start approved") approved.add(who);
    if (what === "roll-out started" || what === "roll-out resumed") {
      if (approved.size < 2) return `${what} by the approval of ${approved.size}`;
      if (phase !== (what === "roll-out started" ? "draft" : "held")) return `${what} while it was ${phase}`;
      phase = "rolling";
    }
    if (what === "roll-out held") {
      if (phase !== "rolling") return `held while it was ${phase}`;
      phase = "held";
    }
    if (what.startsWith("roll-out")) approved = new Set();
  }
  return undefined;
}

export async function raced(count: number): Promise<Found> {
  const base = mkdtempSync(join(tmpdir(), "suture-races-"));
  chmodSync(base, 0o711);
  const claims = new Claims();
  const task = new Task(silentReporter);
  const signed = new Signed(base);
  await signed.begin();
  const options = { data: base, databaseUrl: undefined, repository: signed, trialChannels: [] };
  const servers = [await Fleet.open(task, options, silent), await Fleet.open(task, options, silent)];
  const clients: Client[] = [];
  const ends = { held: 0, rolling: 0 };
  try {
    for (const { server } of servers) clients.push(new Client(`${await server.listen({ host: "127.0.0.1", port: 0 })}/`));
    const [sql] = servers.map(({ database }) => database.sql);
    if (sql === undefined) throw new Error("no server");
    const keys = new Map<string, string>();
    for (const [name, role] of [
      ["olga", "operator"],
      ["ada", "releaser"],
      ["bob", "releaser"],
    ] as const)
      keys.set(name, (await newApiKey(sql, "the run", { name, roles: [role] })).key);
    let turn = 0;
    const ask = async (name: string, path: string, body: object): Promise<number> => {
      // By turns at the one and the other server; the address by turns too, for the limits.
      const client = clients[turn++ % clients.length];
      const answer = await client?.ask("POST", path, body, { key: keys.get(name) ?? "", from: `10.1.${(turn >> 8) & 255}.${turn & 255}` });
      return answer?.status ?? 0;
    };
    const id = "race";
    const does = (name: string, what: string): Promise<number> =>
      ask(name, `v1/rollouts/${id}/${what}`, what === "approve" ? {} : { why: "a race" });
    const agreed = async (what: "start" | "resume"): Promise<void> => {
      for (const name of ["ada", "bob"]) await does(name, "approve");
      claims.holds(`it goes on (${what})`, (await does("olga", what)) === 200);
    };
    const livepatch = await signed.add("race");
    await ask("olga", "v1/rollouts", {
      id,
      livepatch,
      stages: [
        { name: "canary", hosts: 1 },
        { name: "all", percent: 100 },
      ],
    });
    await agreed("start");
    const steering = new Steering(task, signed);
    for (let i = 0; i < count; i++) {
      const work = [
        () => does("ada", "hold"),
        () => does("ada", "approve"),
        () => does("bob", "approve"),
        () => does("olga", "resume"),
        () => tick(sql, steering),
      ];
      // Each begins another time.
      const order = work.map((_, n) => work[(n + i) % work.length]);
      const [before] = await sql<{ n: number }>`select coalesce(max(n), 0) as n from audit`;
      const answers = await Promise.all(order.map((one) => one?.()));
      // What none of them could publish since another was at it, the next look publishes.
      await tick(sql, steering);
      const [row] = await sql<{ phase: string; attempt: number }>`select phase, attempt from rollout where id = ${id}`;
      const phase = row?.phase ?? "";
      const out = (await signed.seen()).rollouts.find((one) => one.id === id)?.state;
      const deeds = await sql<Deed>`select who, what from audit where n > ${before?.n ?? 0} order by n`;
      const resumed = deeds.some(({ what }) => what === "roll-out resumed");
      const held = deeds.filter(({ what }) => what === "roll-out held").length;
      const told = `race ${i}: ${JSON.stringify({ phase, out, answers, deeds })}`;
      claims.holds("what is published is what was decided", out === phase, told);
      claims.holds("one state won", phase === (resumed ? "rolling" : "held") && held === 1, told);
      if (phase === "held") ends.held += 1;
      else ends.rolling += 1;
      if (phase === "held") await agreed("resume");
    }
    const whole = await sql<Deed>`select who, what from audit where about = ${id} order by n`;
    const wrong = against(whole);
    claims.holds("each step follows from those before", wrong === undefined, wrong);
    const broken = await brokenAudit(sql);
    claims.holds("the audit is whole", broken === undefined, broken);
  } finally {
    for (const client of clients) client.close();
    for (const server of servers) await server.close();
    rmSync(base, { recursive: true, force: true });
  }
  return { ...claims.found, outcome: `${ends.held} ended held, ${ends.rolling} rolling by two approvals after the hold`, more: ends };
}
