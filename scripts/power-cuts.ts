/**
 * Livepatches across reboots of a real Debian system in a virtual machine: patched early in boot, skipped when that is asked for, a livepatch that brings
 * the machine down is tried once, and whenever the power goes the store is whole and the machine boots.
 * `npm run power-cuts -- [--count N] [--kernel R] [--seed N] [--only reboots|cuts]`
 *
 * The disk of each boot is an overlay (qcow2) on the last one's: what the machine writes without flushing is known to QEMU's memory alone, and is lost
 * with it when it is killed, as in the cache of a real disk.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheRoot, newestKernel } from "@suture/build";
import { Task } from "@suture/task";
import { testModules } from "../packages/host/test/guest.ts";
import { testKernel } from "../packages/lab/test/kernel.ts";
import { bundle } from "./guest/bundle.ts";
import { systemImage } from "./guest/system.ts";
import { cutPower, randomFrom } from "./power-cuts/cuts.ts";
import { demonstrate } from "./power-cuts/reboots.ts";
import { SystemMachine } from "./power-cuts/system-machine.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "50" },
    kernel: { type: "string" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const kernel = await testKernel(task, release);
const folder = join(cache, "power-cuts", release);
mkdirSync(folder, { recursive: true });

const machine = await SystemMachine.make(task, { kernel, folder, image: await systemImage(task, cache), cache });
try {
  console.log(`${release}, a Debian system made by debootstrap; this machine's load: ${readFileSync("/proc/loadavg", "utf8").trim()}`);
  const program = await bundle(join(import.meta.dirname, "../packages/cli/src/main.ts"));
  machine.furnish([{ path: "/opt/suture.mjs", content: program }, ...(await testModules(task, kernel))]);
  if (values.only !== "cuts") await demonstrate(machine);
  if (values.only !== "reboots") {
    const count = Number(values.count);
    const cuts = await cutPower(machine, count, randomFrom(Number(values.seed)));
    console.log(`\n${cuts.good} of ${count} cuts: the machine booted, the store was whole, and what was said to be done was there`);
    for (const [what, times] of Object.entries(cuts.kinds)) console.log(`  ${times} ${what}`);
    for (const [what, times] of Object.entries(cuts.found)) console.log(`  then found: ${times} ${what}`);
    process.exitCode = cuts.good === count ? 0 : 1;
  }
} finally {
  await machine.close();
}
