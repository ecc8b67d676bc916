/**
 * Livepatches across reboots of a real Debian system in a virtual machine: patched early in boot, skipped when that is asked for, a livepatch that brings
 * the machine down is tried once, and whenever the power goes the store is whole and the machine boots.
 * `npm run power-cuts -- [--count N] [--kernel R] [--seed N] [--only reboots|cuts] [--minutes N]`. Cuts are kept as
 * they come: those that were made are not made again.
 *
 * The disk of each boot is an overlay (qcow2) on the last one's: what the machine writes without flushing is known to QEMU's memory alone, and is lost
 * with it when it is killed, as in the cache of a real disk.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheRoot, newestKernel } from "@suture/sources";
import { Task } from "@suture/task";
import { testModules } from "../packages/host/test/guest.ts";
import { testKernel } from "../packages/lab/test/kernel.ts";
import { bundle } from "./guest/bundle.ts";
import { systemImage } from "./guest/system.ts";
import { type Cut, cutPower, randomFrom } from "./power-cuts/cuts.ts";
import { demonstrate } from "./power-cuts/reboots.ts";
import { SystemMachine } from "./power-cuts/system-machine.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "50" },
    kernel: { type: "string" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    minutes: { type: "string" },
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
  if (values.only !== "reboots") await cuts(Number(values.count));
} finally {
  await machine.close();
}

/** What earlier runs did is not done again. */
async function cuts(count: number): Promise<void> {
  const file = join(folder, "cuts.jsonl");
  const done = (existsSync(file) ? readFileSync(file, "utf8").split("\n") : [])
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as Cut);
  const deadline = values.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.minutes) * 60_000;
  console.log(`\n${count} power cuts, ${done.length} of them done before`);
  if (done.length < count)
    for await (const cut of cutPower(machine, done.length + 1, count, randomFrom(Number(values.seed) + done.length))) {
      done.push(cut);
      appendFileSync(file, `${JSON.stringify(cut)}\n`);
      const { kind, when, found, wrong } = cut;
      console.log(
        `  ${wrong === "" ? "ok    " : "NOT OK"} ${String(done.length).padStart(2)} ${kind}: ${when}; found: ${found}${wrong === "" ? "" : `; ${wrong}`}`,
      );
      if (performance.now() > deadline) break;
    }
  const good = done.filter(({ wrong }) => wrong === "").length;
  console.log(`\n${good} of ${done.length} cuts: the machine booted, the store was whole, and what was said to be done was there`);
  for (const [title, of] of [
    ["while", ({ kind }: Cut) => kind],
    ["then", ({ found }: Cut) => found],
  ] as const)
    for (const what of new Set(done.map(of))) console.log(`  ${title} ${what}: ${done.filter((cut) => of(cut) === what).length}`);
  process.exitCode = good === count ? 0 : 1;
}
