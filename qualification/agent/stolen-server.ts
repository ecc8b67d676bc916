/**
 * A fleet's server in the hands of a thief: its web server, and the keys of policy, snapshot and timestamp. What that can make a machine do, and what it
 * cannot. packages/trust/src/client/attacks.test.ts has each attack on each role.
 */
import { AgentGuest, States } from "@suture/testkit/agent-guest";
import { MODULES, type Yard } from "@suture/testkit/host-guest";
import { Claims } from "../claims.ts";
import type { Found } from "../run.ts";

const NOBODY = [{ label: "all", share: 0 }];
const ALL = [{ label: "all", share: 10_000 }];
/** Beyond all that was signed. */
const LATER_S = 40 * 86_400;

export async function stolenServer(yard: Yard, folder: string): Promise<Found> {
  const claims = new Claims();
  const states = new States(yard, folder);
  const { repository } = states;
  const signed = (name: string, counter: number, replace = false): void =>
    repository.add({ name, bytes: yard.module(name), counter, replace }, { rings: NOBODY });
  /** The thief's roll-outs: to all machines, what has one of these counters. */
  const toAll = (...counters: number[]): void => {
    for (const rollout of repository.rollouts) rollout.rings = counters.includes(rollout.target.counter) ? ALL : NOBODY;
  };
  const stolen = (what: () => void): number => {
    what();
    return states.keep();
  };

  // People sign three, of which the third was withdrawn. Nobody's turn has come.
  signed("host_cmdline", 1);
  signed("host_all", 2, true);
  repository.publish();
  const nobody = states.keep();
  const atOnce = stolen(() => {
    toAll(2);
    repository.steer();
  });
  const back = stolen(() => {
    toAll(1);
    repository.steer();
  });
  const unsigned = stolen(() => {
    signed("host_crash", 3);
    toAll(3);
    repository.steer();
  });
  const forged = stolen(() => repository.forge("livepatches"));
  repository.livepatches.pop();
  repository.rollouts.pop();
  signed("host_target_patch", 3);
  toAll(3);
  repository.publish();
  const exchanged = states.keep();
  toAll();
  repository.withdraw("host_target_patch", "do-not-load");
  repository.publish();
  const withdrawn = states.keep();
  const givenBack = stolen(() => {
    repository.withdrawn = [];
    toAll(3);
    repository.forge("withdrawals");
  });

  const said: Record<string, unknown> = {};
  const guest = await AgentGuest.boot(yard, states, await yard.makeDisk("stolen"), nobody);
  const run = async (state: number) => {
    await guest.see(state);
    return (await guest.agent("run")).document;
  };
  /** Whatever it is shown, nothing is done, and what is in effect stays. */
  const stays = (what: string, { done, present }: { done: unknown[]; present: { name: string; inEffect: boolean }[] }): void =>
    claims.holds(what, done.length === 0 && present.length === 1 && present[0]?.name === "host_all" && present[0].inEffect, {
      done,
      present,
    });
  try {
    const before = await run(nobody);
    claims.holds("where it is nobody's turn nothing is loaded", before.done.length === 0 && before.present.length === 0, before.done);

    await guest.sh("echo upgrade >/etc/suture/hold");
    const held = await run(atOnce);
    claims.holds("a machine's own hold stays", held.done.length === 0 && held.why.includes("upgrade"), held.why);
    await guest.sh("rm /etc/suture/hold");
    const taken = await run(atOnce);
    claims.holds("it can give to all machines at once what people have signed", taken.done[1]?.what === "keep", taken.done);

    const older = await run(back);
    stays("it cannot go back to an older one", older);
    const verdict = older.livepatches.find(({ counter }: { counter: number }) => counter === 1);
    claims.holds("which is said", verdict?.obstacle === "older", older.livepatches);

    const named = await run(unsigned);
    stays("a policy that names what nobody signed brings nothing", named);
    claims.holds("nor is it listed", named.livepatches.length === 2, named.livepatches);
    const own = await run(forged);
    stays("a livepatch of its own is not loaded", own);
    said.ownLivepatch = own.repository.problem;
    claims.holds("for it is not signed by those who may", own.repository.problem?.code === "TRUST_SIGNATURES", own.repository.problem);

    const [file] = (await guest.sh("ls /srv/repository/targets/patches/*/*.host_target_patch.ko")).split("\n");
    await guest.sh(`cp ${file} /srv/signed.ko; cp ${MODULES}/host_crash.ko ${file}`);
    const other = await run(exchanged);
    stays("other bytes in place of those that were signed are not loaded", other);
    claims.holds("which would be loaded if they were those", other.livepatches[0]?.obstacle === undefined, other.livepatches);
    claims.holds("and that is said", other.repository.problem?.code === "TRUST_MISMATCH", other.repository.problem);
    said.otherBytes = other.repository.problem;
    await guest.sh(`cp /srv/signed.ko ${file}`);

    stays("people withdraw the third", await run(withdrawn));
    const again = await run(givenBack);
    stays("it cannot give back what was withdrawn", again);
    said.givenBack = again.repository.problem;
    claims.holds("for that has a key of its own", again.repository.problem?.code === "TRUST_SIGNATURES", again.repository.problem);

    await guest.see(atOnce);
    await guest.sh(`date -s @$(( $(date +%s) + ${LATER_S} ))`);
    const late = (await guest.agent("run")).document;
    stays("withheld news and time that goes by change nothing", late);
    said.withheld = late.why;
    claims.holds("nothing new would be loaded", late.why.includes("nothing new is loaded"), late.why);
    claims.holds("the kernel is as it was patched", (await guest.sh("cat /proc/cmdline")) === "all");
  } finally {
    await guest.stop();
  }
  return { ...claims.found, more: { said } };
}
