/** The agent where things go wrong: probes that fail, transitions that hang, machines that go down, runs that are killed, power that is cut. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { AgentGuest, States } from "@suture/testkit/agent-guest";
import { MODULES, Yard } from "@suture/testkit/host-guest";
import { Claims } from "../claims.ts";
import { counted } from "../kept.ts";
import { COMMON } from "../options.ts";
import { randomFrom } from "../power-cuts/cuts.ts";
import { type Found, newestCloud, type Run, type RunContext } from "../run.ts";
import { cutPower, killRuns } from "./moments.ts";
import { stolenServer } from "./stolen-server.ts";

export const agentRun: Run = {
  name: "agent",
  what: "a machine that follows a repository: failing probes, hanging transitions, panics, a stolen server, killed runs, power cuts",
  words: {
    kernel: COMMON.kernel,
    limit: { ...COMMON.limit, what: "so many moments, half of them kills and half of them power cuts", is: "100", short: "4" },
    seed: COMMON.seed,
  },
  kernel: newestCloud,
  async run(context) {
    const yard = await Yard.open(context.task, context.release);
    const folder = mkdtempSync(join(tmpdir(), "suture-agent-"));
    try {
      await context.item("a probe that fails", () => probes(yard, folder));
      await context.item("a transition that hangs", () => hangs(yard, folder));
      await context.item("a panic in the soak", () => panics(yard, folder, "host_crash"));
      await context.item("a panic in the load", () => panics(yard, folder, "host_panic"));
      await context.item("a stolen server", () => stolenServer(yard, join(folder, "stolen")));
      if (context.isWanted("moments")) await moments(context, yard, folder);
    } finally {
      await yard.close();
      rmSync(folder, { recursive: true });
    }
  },
};

async function isNotTakenAgain(guest: AgentGuest, claims: Claims): Promise<void> {
  const { done, livepatches } = (await guest.agent("run")).document;
  claims.holds("it is not taken again", done.length === 0 && livepatches[0]?.obstacle === "refused before", livepatches);
}

/** Before anything is loaded; and in the soak, of one that replaced another. */
async function probes(yard: Yard, folder: string): Promise<Found> {
  const claims = new Claims();
  const states = new States(yard, join(folder, "probes"));
  states.add("host_cmdline");
  states.add("host_all", true);
  const guest = await AgentGuest.boot(yard, states, await yard.makeDisk("probes"), 1);
  try {
    await guest.configure({ probes: [{ name: "work", run: "test -e /tmp/work" }] });
    const before = (await guest.agent("run")).document;
    claims.holds(
      "a probe that fails before keeps the livepatch out",
      before.done[0]?.code === "AGENT_PROBE" && before.present.length === 0,
      before.done,
    );
    claims.holds("and is not held against it", before.refused.length === 0);
    await guest.sh("touch /tmp/work; echo upgrade >/etc/suture/hold");
    const held = (await guest.agent("run")).document;
    claims.holds("a hold keeps it out", held.done.length === 0 && held.why.includes("upgrade"), held.why);
    await guest.sh("rm /etc/suture/hold");
    const loaded = (await guest.agent("run")).document;
    claims.holds("then it is loaded and kept", loaded.done[1]?.what === "keep" && loaded.present[0]?.kept === true, loaded.done);
    await guest.configure({ probes: [{ name: "shows", run: "! grep -q all /proc/cmdline" }] });
    await guest.see(2);
    const failed = await guest.agent("run");
    claims.holds(
      "one that fails in the soak takes the livepatch out",
      failed.code === 1 && failed.document.done[1]?.code === "AGENT_PROBE",
      failed.document.done,
    );
    claims.holds("what it had replaced is back", (await guest.sh("cat /proc/cmdline")) === "one");
    await isNotTakenAgain(guest, claims);
    await guest.configure();
    claims.holds("a person looks", (await guest.agent("retry host-all")).code === 0);
    const retried = (await guest.agent("run")).document;
    claims.holds("and it is taken", retried.done[1]?.what === "keep" && (await guest.sh("cat /proc/cmdline")) === "all", retried.done);
  } finally {
    await guest.stop();
  }
  return claims.found;
}

async function hangs(yard: Yard, folder: string): Promise<Found> {
  const claims = new Claims();
  const states = new States(yard, join(folder, "hangs"));
  states.add("host_cmdline");
  states.add("host_target_patch");
  const guest = await AgentGuest.boot(yard, states, await yard.makeDisk("hangs"), 1);
  try {
    await guest.agent("run");
    await guest.sh(`insmod ${MODULES}/host_target.ko thread=1; sleep 1`);
    await guest.see(2);
    const stuck = (await guest.agent("run")).document;
    claims.holds("it is turned back", stuck.done[0]?.code === "HOST_STUCK" && stuck.done[0]?.outcome === "failed", stuck.done);
    claims.holds(
      "what was there is there",
      stuck.present.length === 1 && stuck.present[0].name === "host_cmdline" && stuck.present[0].inEffect,
      stuck.present,
    );
    claims.holds("nothing of it is in the kernel", !(await guest.sh("cat /proc/modules")).includes("host_target_patch"));
    await isNotTakenAgain(guest, claims);
  } finally {
    await guest.stop();
  }
  return claims.found;
}

async function panics(yard: Yard, folder: string, name: string): Promise<Found> {
  const claims = new Claims();
  const states = new States(yard, join(folder, name));
  states.add(name);
  const disk = await yard.makeDisk(name);
  let guest = await AgentGuest.boot(yard, states, disk, 1);
  try {
    await guest.configure({ probes: [{ name: "reads", run: "cat /proc/cmdline" }] });
    const died = await guest.agent("run").then(
      (answer) => JSON.stringify(answer),
      (error: unknown) => (error instanceof SutureError ? error.code : String(error)),
    );
    claims.holds("the machine goes down", died === "LAB_PANIC", died);
    await guest.stop();
    guest = await AgentGuest.boot(yard, states, disk, 1);
    const { patches } = (await guest.suture("boot")).document;
    claims.holds("it comes up without it", patches.length === 0, patches);
    const first = (await guest.agent("run")).document;
    claims.holds(
      "which is said",
      first.done[0]?.code === "AGENT_REBOOTED" && first.refused[0]?.name === name && first.present.length === 0,
      first.done,
    );
    await isNotTakenAgain(guest, claims);
  } finally {
    await guest.stop();
  }
  return claims.found;
}

/** What earlier runs did is not done again. */
async function moments(context: RunContext, yard: Yard, folder: string): Promise<void> {
  const { kept, names, options } = context;
  const count = options.number("limit");
  for (const [kind, work] of [
    ["kill", killRuns],
    ["cut", cutPower],
  ] as const) {
    const done = kept.all.filter(({ name }) => name.startsWith(`${kind} `));
    for (const { name } of done) names.add(name);
    const wanted = count / 2 - done.length;
    if (wanted <= 0) continue;
    let from = performance.now();
    const random = randomFrom(options.number("seed") + done.length);
    for await (const { when, found, wrong } of work(yard, join(folder, `${kind}s`), wanted, random)) {
      const ms = Math.round(performance.now() - from);
      from = performance.now();
      const result = { name: `${kind} ${done.length + 1}`, good: wrong === "", outcome: found, ms, more: { kind, when } };
      done.push(context.add(wrong === "" ? result : { ...result, why: `${when}; ${wrong}` }));
    }
  }
  const all = kept.all.filter(({ name }) => /^(kill|cut) /.test(name));
  context.more = { found: counted(all.map(({ outcome }) => outcome)) };
}
