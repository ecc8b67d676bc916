/** A run of the agent ends at a random moment, by kill -9 or with the power. Whatever is found then is whole, and later runs come to what was published. */
import { SutureError } from "@suture/errors";
import { AgentGuest, States } from "@suture/testkit/agent-guest";
import type { Yard } from "@suture/testkit/host-guest";

export interface Moment {
  when: string;
  /** What was there after it. */
  found: string;
  /** Empty if all was well. */
  wrong: string;
}

const SUTURE = "node /opt/suture.mjs";
/** So many times as long as the first run took: some moments come after its end. */
const BEYOND = 1.3;

/** Two livepatches of which one replaces the other by turns, so that each run has something to do. */
function statesOf(yard: Yard, folder: string): States {
  const states = new States(yard, folder);
  states.add("host_cmdline");
  states.add("host_all", true);
  return states;
}

/** What has to hold at every moment. @returns what is there, and what is wrong with it */
async function look(guest: AgentGuest): Promise<{ found: string; wrong: string[] }> {
  const wrong: string[] = [];
  const status = await guest.suture("status");
  if (status.code !== 0) return { found: "no status", wrong: [JSON.stringify(status.document)] };
  const { patches, installed, unreadable } = status.document;
  if (unreadable.length > 0) wrong.push(`the store is unreadable: ${unreadable.join()}`);
  for (const { name, sha256, damage } of patches) {
    const known = (await guest.sh(`sha256sum /opt/modules/${name}.ko`)).split(" ")[0];
    if (damage === undefined && sha256 !== undefined && sha256 !== known) wrong.push(`${name} is not what was signed`);
  }
  for (const { name, sha256 } of installed)
    if ((await guest.sh(`sha256sum /opt/modules/${name}.ko`)).split(" ")[0] !== sha256)
      wrong.push(`${name} in the store is not what was signed`);
  const agent = await guest.agent("status");
  if (agent.code !== 0) wrong.push(`the agent's memory: ${JSON.stringify(agent.document)}`);
  const names = (list: { name: string }[]): string => list.map(({ name }) => name).join("+") || "nothing";
  return { found: `${names(patches)} in the kernel, ${names(installed)} kept, ${agent.document?.soak?.phase ?? "no soak"}`, wrong };
}

/** So many runs later at the latest the machine is where the repository is. */
const RUNS = 3;

async function converges(guest: AgentGuest, wanted: string, mayRefuse: boolean): Promise<{ taken: boolean; wrong: string[] }> {
  for (let n = 1; ; n++) {
    const { document } = await guest.agent("run");
    if (document.error !== undefined) return { taken: false, wrong: [`a later run: ${document.error.code}, ${document.error.why}`] };
    const kept = document.present.filter((one: { kept: boolean }) => one.kept);
    if (kept.some(({ name, inEffect }: Record<string, unknown>) => name === wanted && inEffect)) {
      // What it replaced is kept no more.
      const taken = kept.length === 1;
      return { taken, wrong: taken ? [] : [`beside ${wanted}: ${JSON.stringify(kept)}`] };
    }
    // A machine that went down in the soak does not take it again, as it should.
    if (mayRefuse && document.refused.some(({ code }: { code: string }) => code === "AGENT_REBOOTED")) return { taken: false, wrong: [] };
    if (mayRefuse && document.livepatches.some(({ obstacle }: { obstacle?: string }) => obstacle === "quarantined"))
      return { taken: false, wrong: [] };
    if (n === RUNS) return { taken: false, wrong: [`after ${RUNS} runs: ${JSON.stringify(document.done)} ${document.why}`] };
  }
}

/** Nothing is loaded, kept or remembered, but what root believes. By hand: each start of Node takes seconds in an emulated machine. */
const FORGET = `for name in host_all host_cmdline; do
  at=/sys/kernel/livepatch/$name
  if [ -e $at ]; then
    while [ "$(cat $at/transition)" = 1 ]; do sleep 0.1; done
    echo 0 >$at/enabled
    while [ -e $at ]; do sleep 0.1; done
  fi
  if grep -q "^$name " /proc/modules; then rmmod $name; fi
done
rm -rf /run/suture/loaded /var/lib/suture/patches /var/lib/suture/agent/memory.json /var/lib/suture/agent/modules`;

export async function* killRuns(yard: Yard, folder: string, count: number, random: () => number): AsyncGenerator<Moment> {
  const guest = await AgentGuest.boot(yard, statesOf(yard, folder), await yard.makeDisk("kills"), 1);
  try {
    let longest = 0;
    for (let n = 0; n < count; n++) {
      // Each is from nothing to the first, or from the first to the second.
      const second = n % 2 === 1;
      if (!second) {
        await guest.sh(FORGET);
        await guest.sh("rm -rf /var/lib/suture-agent /var/lib/suture/agent");
        await guest.see(1);
      } else await guest.see(2);
      if (longest === 0) {
        const started = performance.now();
        await guest.agent("run");
        longest = (performance.now() - started) * BEYOND;
        await guest.sh(FORGET);
        await guest.sh("rm -rf /var/lib/suture-agent /var/lib/suture/agent");
      }
      const ms = Math.round(random() * longest);
      await guest.sh(
        `setsid ${SUTURE} agent run >/tmp/ran 2>&1 & echo $! >/tmp/pid; usleep ${ms * 1000}; for p in $(pgrep -f suture.mjs) $(pgrep insmod) $(pgrep flock); do kill -9 $p; done 2>/dev/null; sleep 0.2`,
      );
      const { found, wrong } = await look(guest);
      wrong.push(...(await converges(guest, second ? "host_all" : "host_cmdline", false)).wrong);
      yield {
        when: `${ms} ms into the run from ${second ? "the first to the second" : "nothing to the first"}`,
        found,
        wrong: wrong.join("; "),
      };
    }
  } finally {
    await guest.stop();
  }
}

export async function* cutPower(yard: Yard, folder: string, count: number, random: () => number): AsyncGenerator<Moment> {
  const states = statesOf(yard, folder);
  const disk = await yard.makeDisk("cuts");
  let guest = await AgentGuest.boot(yard, states, disk, 1);
  try {
    let longest = 0;
    let taken = false;
    for (let n = 0; n < count; n++) {
      const second = n % 2 === 1;
      if (!second) {
        await guest.sh(FORGET);
        await guest.see(1);
      } else {
        // What the last boot left behind is trusted, and there.
        if (!taken) await guest.sh(`${SUTURE} agent retry host_cmdline; ${SUTURE} agent run`);
        await guest.sh(`${SUTURE} boot --settled 0`);
        await guest.see(2);
      }
      const started = performance.now();
      if (longest === 0) {
        await guest.agent("run");
        longest = (performance.now() - started) * BEYOND;
        await guest.sh(FORGET);
      }
      const ms = Math.round(random() * longest);
      const running = guest.sh(`${SUTURE} agent run >/dev/null 2>&1`).catch((error: unknown) => {
        if (!(error instanceof SutureError)) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, ms));
      await guest.stop();
      await running;
      guest = await AgentGuest.boot(yard, states, disk, second ? 2 : 1);
      const wrong: string[] = [];
      const boot = await guest.suture("boot");
      for (const { name, outcome, why } of boot.document.patches as Record<string, string>[])
        if (outcome !== "loaded" && outcome !== "quarantined") wrong.push(`at boot ${name}: ${outcome}, ${why}`);
      const seen = await look(guest);
      const later = await converges(guest, second ? "host_all" : "host_cmdline", true);
      taken = later.taken;
      wrong.push(...seen.wrong, ...later.wrong);
      yield {
        when: `${ms} ms into the run from ${second ? "the first to the second" : "nothing to the first"}`,
        found: seen.found,
        wrong: wrong.join("; "),
      };
    }
  } finally {
    await guest.stop();
  }
}
