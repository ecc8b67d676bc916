/**
 * The kernel's own self-tests of its livepatch core, from its source package, with their modules built for a stock kernel: in a guest as they come, and
 * once more with Suture in the place of modprobe and sysfs, the kernel's log held against the one that they expect.
 * `npm run selftests -- [SCRIPT...] [--kernel R] [--only plain|suture] [--out FILE]`
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { type Driver, type Result, SelfTests, type Verdict } from "./selftests/selftests.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kernel: { type: "string" }, only: { type: "string" }, out: { type: "string" } },
});
const DRIVERS: Record<string, Driver> = { plain: "as they come", suture: "through suture" };
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const tests = await SelfTests.of(task, cache, await prepareTarget(task, release, { cache }));
const results: (Result & { driver: Driver })[] = [];
for (const [name, driver] of Object.entries(DRIVERS)) {
  if (values.only !== undefined && values.only !== name) continue;
  console.log(`\n${release}, ${driver}`);
  for await (const result of tests.run(driver, positionals.length > 0 ? positionals : tests.scripts)) {
    results.push({ ...result, driver });
    console.log(`  ${result.verdict.padEnd(6)} ${result.script} (${result.seconds} s)`);
    for (const { name, said } of result.tests) console.log(`           ${name}: ${said}`);
    if (result.why !== "") console.log(result.why.replace(/^/gm, "         | "));
  }
}
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify({ release, results }, undefined, 1)}\n`);
const count = (verdict: Verdict): number => results.filter((result) => result.verdict === verdict).length;
console.log(`\n${release}: ${count("ok")} scripts ok, ${count("not ok")} not ok, ${count("skip")} skipped`);
process.exitCode = count("not ok") === 0 ? 0 : 1;
