/** The fleet's server where things go wrong: killed, its database killed, the disk full, the clock a year off, a back-up of before. What it acknowledged is there, and nothing goes back. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Claims } from "../claims.ts";
import { COMMON } from "../options.ts";
import { randomFrom } from "../power-cuts/cuts.ts";
import type { Found, Run, RunContext } from "../run.ts";
import { Load } from "./load.ts";
import { Site } from "./site.ts";

/** While the disk is full, each time. */
const NEWCOMERS = 10;
const BLOCK = 10;
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const TICK_LOCK = 7_710_004;

export const fleetFaults: Run = {
  name: "fleet-faults",
  what: "the fleet's server and its database are killed, have no disk, a clock a year off, a back-up of before: nothing acknowledged is lost, nothing goes back",
  needs: { "/usr/lib/postgresql": "postgresql", [FAKETIME]: "faketime" },
  root: true,
  words: { limit: { ...COMMON.limit, what: "so many kills", is: "100", short: "10" }, seed: COMMON.seed },
  async run(context) {
    const count = context.options.number("limit");
    for (let from = 0; from < count; from += BLOCK)
      await context.item(`kills ${from + 1} to ${from + BLOCK}`, () => within(context, (site, load) => kills(context, site, load, from)));
    await context.item("the disk is full", () => within(context, fullDisk, 400));
    for (const [name, offset] of [
      ["ahead", "+365d"],
      ["behind", "-365d"],
    ] as const)
      await context.item(`the clock is a year ${name}`, () => within(context, (site, load) => otherTime(site, load, offset)));
    await context.item("a back-up of before is restored", () => within(context, restored));
  },
};

/** @param mib of a disk of its own for what the servers keep; none unless given */
async function within(context: RunContext, work: (site: Site, load: Load) => Promise<Found>, mib?: number): Promise<Found> {
  const base = mkdtempSync(join(tmpdir(), "suture-faults-"));
  chmodSync(base, 0o711);
  const data = join(base, "data");
  mkdirSync(data);
  if (mib !== undefined) execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m,mode=0755`, "tmpfs", data]);
  let site: Site | undefined;
  let load: Load | undefined;
  try {
    site = await Site.begin(base, data);
    await site.well();
    load = await Load.begin(site);
    await sleep(5000);
    const found = await work(site, load);
    const refused = Object.keys(load.refused);
    return { ...found, more: { ...found.more, reports: load.reports, rollOuts: load.rolledOut, refused } };
  } finally {
    await load?.end();
    await site?.end();
    if (mib !== undefined) execFileSync("umount", ["-l", data]);
    rmSync(base, { recursive: true, force: true });
    // What went wrong because the run was stopped is no finding.
    context.task.check();
  }
}

const outcomeOf = (claims: Claims, text: string, more: Record<string, unknown>): Found => ({ ...claims.found, outcome: text, more });

async function kills(context: RunContext, site: Site, load: Load, from: number): Promise<Found> {
  const random = randomFrom(context.options.number("seed") * 1000 + from);
  for (let i = 0; i < 10; i++) random();
  const claims = new Claims();
  const back: number[] = [];
  const kinds: string[] = [];
  for (let n = 0; n < BLOCK; n++) {
    const kind = (["a server", "the database", "both servers", "a server in its look", "all"] as const)[n % 5] ?? "all";
    await sleep(random() * 4000);
    if (kind === "a server in its look") await looking(site);
    if (kind === "the database" || kind === "all") site.killDatabase();
    const which = kind === "the database" ? [] : kind === "both servers" || kind === "all" ? [0, 1] : [random() < 0.5 ? 0 : 1];
    await Promise.all(which.map((server) => site.kill(server)));
    const when = `${from + n + 1}, ${kind}`;
    back.push(await site.well());
    kinds.push(kind);
    await load.goesOn(claims, when);
    await load.hold(claims, when);
  }
  const longest = Math.max(...back);
  return outcomeOf(
    claims,
    `${BLOCK} kills, back after ${longest} ms at the longest; ${load.reports} reports, ${load.rolledOut} roll-outs`,
    { kinds, back },
  );
}

/** Until one of the servers looks at its roll-outs. */
async function looking({ sql }: Site): Promise<void> {
  const until = Date.now() + 20_000;
  while (Date.now() < until) {
    const [row] = await sql<{
      n: number;
    }>`select count(*)::integer as n from pg_locks where locktype = 'advisory' and objid = ${TICK_LOCK} and granted`;
    if ((row?.n ?? 0) > 0) return;
    await sleep(3);
  }
}

async function fullDisk(site: Site, load: Load): Promise<Found> {
  const claims = new Claims();
  let refusedFor = 0;
  for (let round = 1; round <= 3; round++) {
    const fillers: string[] = [];
    const [client] = site.clients;
    let refused = 0;
    for (let i = 0; i < 60 && refused < 20; i++) {
      // What becomes free is taken at once.
      const { bavail, bsize } = statfsSync(site.data);
      const filler = join(site.data, `filler-${i}`);
      fillers.push(filler);
      writeFileSync(filler, "");
      if (bavail > 0) spawnSync("fallocate", ["-l", String(bavail * bsize), filler]);
      const before = load.reports;
      // Reports take the place of those before them, and need no room for a while.
      const failed = await load.newcomers(NEWCOMERS);
      const status = await client?.ask("GET", "healthz").then(
        (answer) => answer.status,
        () => 0,
      );
      await sleep(500);
      if (failed > 0 || load.reports === before || status !== 200) refused += 1;
    }
    refusedFor += refused;
    for (const filler of fillers) rmSync(filler);
    await site.well();
    await load.goesOn(claims, `round ${round}`);
    await load.hold(claims, `round ${round}`);
  }
  claims.holds("a full disk is felt", refusedFor > 0);
  return outcomeOf(claims, `full three times, half a minute each; ${refusedFor} times something was refused; ${load.reports} reports`, {});
}

async function otherTime(site: Site, load: Load, offset: string): Promise<Found> {
  const claims = new Claims();
  for (const [when, env] of [
    [offset, { LD_PRELOAD: FAKETIME, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: "1" }],
    ["then right again", {}],
  ] as const) {
    for (const n of [0, 1]) await site.kill(n, "SIGTERM");
    site.env = env;
    await site.well();
    await load.goesOn(claims, when);
    const [row] = await site.sql<{ now: Date }>`select now() as now`;
    const days = Math.round(Math.abs((row?.now.getTime() ?? 0) - Date.now()) / 86_400_000);
    claims.holds(`${when}: it has that time`, days === (when === offset ? 365 : 0), days);
    // A few looks of the server at its roll-outs.
    await sleep(20_000);
    await load.hold(claims, when);
  }
  const before = await stagesPassed(site);
  const until = Date.now() + 240_000;
  while ((await stagesPassed(site)) < before + 2 && Date.now() < until) await sleep(500);
  claims.holds("stages go on with the right time", (await stagesPassed(site)) >= before + 2, {
    refused: load.refused,
    said: site.said.slice(-1500),
  });
  await load.hold(claims, "in the end");
  return outcomeOf(claims, `${load.reports} reports, ${load.rolledOut} roll-outs`, {});
}

async function stagesPassed({ sql }: Site): Promise<number> {
  const [row] = await sql<{ n: number }>`select count(*)::integer as n from audit where what in ('roll-out started', 'stage passed')`;
  return row?.n ?? 0;
}

async function restored(site: Site, load: Load): Promise<Found> {
  const claims = new Claims();
  const { sql } = site;
  const of = ["-h", join(site.data, "postgres/socket"), "-U", "suture"];
  const dump = join(site.base, "fleet.dump");
  execFileSync("pg_dump", [...of, "-Fc", "-f", dump, "postgres"]);
  // What is decided after it: the roll-outs of the load go on, end and are withdrawn.
  const before = load.rolledOut;
  const until = Date.now() + 150_000;
  while (load.rolledOut < before + 2 && Date.now() < until) await sleep(500);
  for (const n of [0, 1]) await site.kill(n);
  // Its PostgreSQL goes on until a server begins it anew.
  execFileSync("pg_restore", [...of, "-d", "postgres", "--clean", "--if-exists", "--single-transaction", dump]);
  load.forget();
  const known = await sql<{ id: string; phase: string }>`select id, phase from rollout`;
  await site.well();
  await sleep(12_000);
  const deeds = await sql<{ n: number }>`select count(*)::integer as n from audit where what = 'database restored'`;
  claims.holds("it is seen", deeds[0]?.n === 1, deeds);
  await load.goesOn(claims, "restored");
  await load.hold(claims, "restored");
  return outcomeOf(claims, `${known.length} roll-outs in the back-up, ${load.rolledOut} in truth`, {});
}
