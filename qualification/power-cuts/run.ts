/**
 * Livepatches across reboots of a real Debian system in a virtual machine: patched early in boot, skipped when that is asked for, a livepatch that brings
 * the machine down is tried once, and whenever the power goes the store is whole and the machine boots.
 *
 * The disk of each boot is an overlay (qcow2) on the last one's: what the machine writes without flushing is known to QEMU's memory alone, and is lost
 * with it when it is killed, as in the cache of a real disk.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testModules } from "@suture/testkit/host-guest";
import { testKernel } from "@suture/testkit/stock-kernel";
import { bundle } from "../guest/bundle.ts";
import { systemImage } from "../guest/system.ts";
import { counted } from "../kept.ts";
import { COMMON } from "../options.ts";
import { newestCloud, ROOT, type Run, type RunContext } from "../run.ts";
import { cutPower, randomFrom } from "./cuts.ts";
import { demonstrate } from "./reboots.ts";
import { SystemMachine } from "./system-machine.ts";

export const powerCuts: Run = {
  name: "power-cuts",
  what: "a Debian system that reboots, panics and loses its power with livepatches installed",
  words: {
    kernel: COMMON.kernel,
    limit: { ...COMMON.limit, what: "so many power cuts", is: "50", short: "2" },
    seed: COMMON.seed,
    minutes: { value: "N", what: "no cut is begun after these" },
  },
  needs: { debootstrap: "debootstrap", "qemu-img": "qemu-utils", debugfs: "e2fsprogs" },
  root: true,
  kernel: newestCloud,
  async run(context) {
    const { task, cache, folder, options, release } = context;
    const kernel = await testKernel(task, release);
    const machine = await SystemMachine.make(task, { kernel, folder, image: await systemImage(task, cache), cache });
    try {
      console.log(`${release}, a Debian system made by debootstrap; this machine's load: ${readFileSync("/proc/loadavg", "utf8").trim()}`);
      const program = await bundle(join(ROOT, "packages/cli/src/main.ts"));
      machine.furnish([{ path: "/opt/suture.mjs", content: program }, ...(await testModules(task, kernel))]);
      // Twenty boots: the short form is about the cuts.
      if (!options.flag("short"))
        await context.item("reboots", async () => {
          await demonstrate(machine);
          return { good: true, outcome: "passed" };
        });
      if (context.isWanted("cuts")) await cuts(context, machine);
    } finally {
      await machine.close();
    }
  },
};

/** What earlier runs did is not done again. */
async function cuts(context: RunContext, machine: SystemMachine): Promise<void> {
  const { kept, names, options } = context;
  const count = options.number("limit");
  const done = kept.all.filter(({ name }) => name.startsWith("cut "));
  for (const { name } of done) names.add(name);
  const deadline = performance.now() + options.number("minutes") * 60_000;
  let from = performance.now();
  if (done.length < count)
    for await (const cut of cutPower(machine, done.length + 1, count, randomFrom(options.number("seed") + done.length))) {
      const { kind, when, found, wrong } = cut;
      const ms = Math.round(performance.now() - from);
      from = performance.now();
      const result = { name: `cut ${done.length + 1}, ${kind}`, good: wrong === "", outcome: found, ms, more: { kind, when } };
      done.push(context.add(wrong === "" ? result : { ...result, why: `${when}; ${wrong}` }));
      if (performance.now() > deadline) break;
    }
  context.left = done.length < count;
  context.more = { kinds: counted(done.map(({ more }) => String(more?.kind))), found: counted(done.map(({ outcome }) => outcome)) };
}
