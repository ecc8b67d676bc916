/** A livepatch that goes wrong in every way that one can. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Task } from "@suture/task";
import { buildTestModules, inFull, KERNELS, testKernel } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BootOptions, type TrialOptions, tryModule } from "./index.ts";

const task = new Task();

const OOPSES = [
  ["oops", "oopsed", "probe patched", /NULL pointer/],
  ["panic", "panicked", "probe patched", /Kernel panic - not syncing: lab: as asked/],
  ["bug", "oopsed", "probe patched", /kernel BUG at/],
  ["load-oops", "oopsed", "load", /NULL pointer/],
  ["load-panic", "panicked", "load", /Kernel panic - not syncing: lab: as asked/],
] as const;
const HANGS = [
  // The other processor still answers and says where this one is; alone, it is asked by an NMI.
  ["hang", 2, "probe patched"],
  ["freeze", 1, "probe patched"],
  ["load-hang", 2, "load"],
  ["load-sleep", 2, "load"],
] as const;

describe.each(KERNELS.filter(inFull))("%s", (metaPackage) => {
  let modules: string;
  let options: BootOptions & TrialOptions;

  beforeAll(async () => {
    const kernel = await testKernel(task, metaPackage);
    modules = await buildTestModules(task, kernel);
    options = { image: kernel.image, module: join(modules, "lab_patch.ko"), probes: ["cat /proc/cmdline"] };
  });

  afterAll(() => rm(modules, { recursive: true, force: true }));

  test.each(OOPSES)("%s: %s in the step %s", async (fault, outcome, step, why) => {
    const report = await tryModule(task, { ...options, parameters: [`fault=${fault}`] });
    expect(report).toMatchObject({ outcome, failure: { step, why: expect.stringMatching(why) } });
    expect(report.failure?.console.join("\n")).toMatch(fault.startsWith("load") ? /lab_patch_init/ : /lab_cmdline_show/);
    expect(report.probes[0]?.before?.output).toContain("console=ttyS0");
    expect(report.probes[0]?.after).toBeUndefined();
  });

  test.each(HANGS)("%s on %d processors is a hang, and the console shows where", async (fault, cpus, step) => {
    // Long enough for a busy machine to come to where it hangs.
    const timeouts = { probeMs: 5000, loadMs: 8000 };
    const report = await tryModule(task, { ...options, cpus, graceMs: 3000, timeouts, parameters: [`fault=${fault}`] });
    expect([report.outcome, report.failure?.step]).toEqual(["hung", step]);
    expect(report.log.map(({ text }) => text).join("\n")).toMatch(/misbehave|lab_cmdline_show|lab_patch_init/);
  });
});
