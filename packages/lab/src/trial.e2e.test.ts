/** Livepatches made here, on stock kernels: tried as they should be, refused, interrupted. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TrialReport } from "@suture/protocol";
import { Task } from "@suture/task";
import { ofAnotherKernel } from "@suture/testkit/other-kernel";
import { buildTestModules, inFull, KERNELS, type TestKernel, testKernel } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BootOptions, boot, prepareWorkload, type TrialOptions, trial, tryModule } from "./index.ts";

const task = new Task();
const FUNCTION = { object: "vmlinux", name: "cmdline_proc_show" };

describe.each([...new Set(KERNELS)])("%s", (metaPackage) => {
  let kernel: TestKernel;
  let modules: string;
  let options: BootOptions & TrialOptions;

  beforeAll(async () => {
    kernel = await testKernel(task, metaPackage);
    modules = await buildTestModules(task, kernel);
    options = {
      image: kernel.image,
      module: join(modules, "lab_patch.ko"),
      probes: ["cat /proc/cmdline", "grep -q Linux /proc/version"],
      functions: [FUNCTION],
    };
  });

  afterAll(() => rm(modules, { recursive: true, force: true }));

  test("a patch that is well: before, patched, after", async () => {
    const report = await tryModule(task, options);
    expect(report).toMatchObject({
      outcome: "passed",
      name: "lab_patch",
      release: kernel.release,
      failure: undefined,
      events: [],
      missing: [],
    });
    const [cmdline, version] = report.probes;
    expect(cmdline?.before?.output).toContain("console=ttyS0");
    expect(cmdline?.patched?.output).toBe("patched by the lab\n");
    expect(cmdline?.after?.output).toBe(cmdline?.before?.output);
    expect([version?.before?.code, version?.patched?.code, version?.after?.code]).toEqual([0, 0, 0]);
    expect(report.functions).toEqual([{ ...FUNCTION, sympos: 1 }]);
    expect(report.steps.map(({ name }) => name)).toEqual([
      "probe before",
      "load",
      "patch",
      "probe patched",
      "disable",
      "unload",
      "probe after",
    ]);
    expect(report.taint).toMatchObject({ before: { value: 0 }, loaded: { letters: "OEK" }, after: { letters: "OEK" } });
    expect(report.patchMs).toBeGreaterThan(0);
    expect(report.unpatchMs).toBeGreaterThan(0);
    expect(report.livepatchLines.map(({ text }) => text)).toContain("livepatch: 'lab_patch': patching complete");
    expect(JSON.parse(JSON.stringify(report)).outcome).toBe("passed");
  });

  test.runIf(inFull(metaPackage))(
    "judged in one guest: a right fix, one that does nothing, one that breaks something, and what says nothing of them",
    async () => {
      const guest = await boot(task, { ...options, cpus: 1 });
      const judged = async (more: Partial<TrialOptions>) => trial(task, guest, { ...options, probes: [], ...more });
      const right = { command: "grep -q 'patched by the lab' /proc/cmdline" };
      const other = { command: "grep -q 'mended otherwise' /proc/cmdline" };
      try {
        const good = await judged({
          setup: [{ command: "mkdir /tmp/set-up" }],
          checks: [right, { ...right, after: "fail" }],
          keeps: [{ command: "cat /proc/filesystems" }, { command: "ls /tmp/set-up" }, { command: "ls /nowhere" }],
          cleanup: [{ command: "rmdir /tmp/set-up" }],
        });
        expect(good).toMatchObject({ outcome: "passed", failure: undefined });
        expect([...good.checks, ...good.keeps].map(({ holds }) => holds)).toEqual([true, true, true, true, true]);
        expect((await guest.run("ls /tmp/set-up")).code).not.toBe(0);

        const idle = await judged({ checks: [other], keeps: [{ command: "cat /proc/filesystems" }] });
        expect(idle).toMatchObject({
          outcome: "failed",
          failure: { step: "probe patched", why: expect.stringContaining("fails with the livepatch, too") },
        });
        expect([idle.checks[0]?.holds, idle.keeps[0]?.holds]).toEqual([false, true]);

        const broken = await judged({ checks: [right], keeps: [{ command: "cat /proc/cmdline" }] });
        expect(broken).toMatchObject({
          outcome: "failed",
          failure: { why: expect.stringMatching(/line 1 was ".*console=ttyS0.*", it is "patched by the lab"/) },
        });
        expect(broken.checks[0]?.holds).toBe(true);

        expect(await judged({ checks: [{ command: "true" }] })).toMatchObject({ outcome: "failed", failure: { step: "probe before" } });
        expect(await judged({ checks: [{ ...right, after: "succeed" }] })).toMatchObject({
          outcome: "failed",
          failure: { step: "probe after" },
        });
        const hangs = await judged({ checks: [{ command: "sleep 100", limitMs: 1000 }] });
        expect(hangs).toMatchObject({ outcome: "failed", failure: { why: expect.stringContaining("did not end within its time limit") } });

        const position = guest.logPosition;
        await expect(judged({ setup: [{ command: "echo why; exit 4" }] })).rejects.toMatchObject({
          code: "LAB_SETUP_FAILED",
          message: expect.stringMatching(/ended with 4: why$/),
        });
        await expect(judged({ keeps: [{ command: "cat /proc/sys/kernel/random/uuid" }] })).rejects.toMatchObject({
          code: "LAB_KEEP_UNSTEADY",
        });
        // No livepatch was loaded for those.
        expect(guest.kernelLog(position)).toEqual([]);
      } finally {
        await guest.stop();
      }
    },
  );

  test("a module that comes after the livepatch, and one that finds no device", async () => {
    const sleeper = join(modules, "lab_sleeper.ko");
    const report = await tryModule(task, {
      ...options,
      module: join(modules, "lab_sleeper_patch.ko"),
      functions: [{ object: "lab_sleeper", name: "lab_sleep" }],
      // Of the last two the second finds the first in its place.
      modules: { tree: kernel.modules, names: [sleeper, "acpi_cpufreq", "kvm_amd", "kvm_intel"] },
      patchedModules: ["lab_sleeper", "kvm_amd", "kvm_intel"],
      moduleOrder: "after",
      probes: [],
      // As it comes it runs the new function, which does not stay.
      checks: [{ command: "sleep 1; ! ps | grep -q '[l]ab_sleeper'", after: "succeed" }],
      keeps: [{ command: "grep -c '^lab_sleeper ' /proc/modules" }],
    });
    expect(report).toMatchObject({ outcome: "passed", failure: undefined, moduleOrder: "after", missing: [] });
    expect(report.leftOut).toEqual([
      { module: "acpi_cpufreq", why: expect.stringContaining("finds no device") },
      { module: "kvm_intel", why: expect.stringMatching(/EEXIST|ENOTSUP/) },
    ]);
    expect(report.steps.map(({ name }) => name)).toEqual([
      "modules",
      "probe before",
      "modules out",
      "load",
      "patch",
      "modules",
      "probe patched",
      "disable",
      "unload",
      "probe after",
    ]);
    expect(report.livepatchLines.map(({ text }) => text).join("\n")).toContain(
      "applying patch 'lab_sleeper_patch' to loading module 'lab_sleeper'",
    );
  });

  test.runIf(inFull(metaPackage))("several in one guest: well, warning, refused, not what was meant, well again", async () => {
    // On one processor a transition ends at once.
    const guest = await boot(task, { ...options, cpus: 1 });
    const turn = (more: Partial<TrialOptions>): Promise<TrialReport> => trial(task, guest, { ...options, ...more });
    try {
      expect(await turn({})).toMatchObject({ outcome: "passed", events: [] });

      const warned = await turn({ parameters: ["fault=warn"] });
      expect(warned).toMatchObject({ outcome: "warned", failure: undefined, taint: { after: { letters: "WOEK" } } });
      expect(warned.events.map(({ kind }) => kind)).toEqual(["warning"]);
      expect(warned.events[0]?.lines.map(({ text }) => text)).toEqual(expect.arrayContaining(["lab: as asked"]));
      expect(warned.steps.find(({ name }) => name === "probe patched")?.events.length).toBe(1);

      const refused = await turn({ parameters: ["fault=einval"] });
      expect(refused).toMatchObject({ outcome: "refused", refusal: { errno: "EINVAL" }, failure: { step: "load" } });

      const meant = await turn({ functions: [FUNCTION, { object: "vmlinux", name: "meminfo_proc_show" }] });
      expect(meant).toMatchObject({ outcome: "incomplete", missing: [{ name: "meminfo_proc_show" }] });
      expect(meant.probes[0]?.after?.output).toContain("console=ttyS0");

      const absent = await turn({ module: join(modules, "lab_sleeper.ko") });
      expect(absent).toMatchObject({ outcome: "refused", failure: { why: expect.stringContaining("is no livepatch") } });

      const failing = await turn({ probes: ["false", "sleep 100"], timeouts: { probeMs: 1000 } });
      expect(failing.outcome).toBe("passed");
      expect(failing.probes.map(({ patched }) => [patched?.code, patched?.timedOut])).toEqual([
        [1, false],
        [137, true],
      ]);
      expect(guest.alive).toBe(true);
    } finally {
      await guest.stop();
    }
  });

  test("a transition that does not end: who blocks it, and back again", async () => {
    const guest = await boot(task, {
      ...options,
      files: [{ path: "/lab_sleeper.ko", content: { file: join(modules, "lab_sleeper.ko") } }],
    });
    try {
      expect((await guest.run("insmod /lab_sleeper.ko; sleep 1")).code).toBe(0);
      const report = await trial(task, guest, {
        ...options,
        module: join(modules, "lab_sleeper_patch.ko"),
        functions: [{ object: "lab_sleeper", name: "lab_sleep" }],
        timeouts: { transitionMs: 5000 },
      });
      expect(report).toMatchObject({
        outcome: "stuck",
        missing: [],
        failure: { step: "patch", why: expect.stringContaining("lab_sleeper (") },
      });
      expect(report.blockers.map(({ name }) => name)).toEqual(["lab_sleeper"]);
      expect(report.blockers[0]?.stack.join(" ")).toContain("lab_sleep+");
      expect(report.steps.at(-1)?.name).toBe("probe after");
      expect((await guest.run("ls /sys/kernel/livepatch; grep lab_sleeper_patch /proc/modules")).output).toBe("");
    } finally {
      await guest.stop();
    }
  });
});

describe("around a trial", () => {
  let kernel: TestKernel;
  let modules: string;

  beforeAll(async () => {
    kernel = await testKernel(task, KERNELS[0]);
    modules = await buildTestModules(task, kernel);
  });

  afterAll(() => rm(modules, { recursive: true, force: true }));

  test("a workload: what differs with the livepatch is found, wherever it is seen; what differs by itself is not blamed on it", async () => {
    const part = (name: string, script: string, steady: boolean) => ({ name, script, steady });
    const parts = [
      part("kept", "cat /proc/filesystems", true),
      part("changed", "cat /proc/cmdline", false),
      part("changed all the time", "cat /proc/cmdline", true),
      part("random", "cat /proc/sys/kernel/random/uuid", true),
      part("random once", "cat /proc/sys/kernel/random/uuid", false),
      part("absent", "cat /nowhere", false),
    ];
    const report = await tryModule(task, {
      image: kernel.image,
      module: join(modules, "lab_patch.ko"),
      probes: [],
      workload: { parts, lacks: [], files: [], disks: [], modules: [], folder: "" },
    });
    expect(report).toMatchObject({ outcome: "failed", failure: { step: "workload patched", why: expect.stringContaining("and 1 more") } });
    expect(Object.fromEntries((report.workload?.parts ?? []).map(({ name, holds }) => [name, holds]))).toEqual({
      kept: true,
      changed: false,
      "changed all the time": false,
      random: undefined,
      "random once": undefined,
      absent: undefined,
    });
    expect(report.workload?.parts[2]?.why).toMatch(/^in the background: line 1 was ".*console=ttyS0.*", it is "patched by the lab"/);
    expect(report.workload?.rounds.patched).toBeGreaterThan(0);
    expect(report.loadMs).toBeGreaterThan(0);
  });

  test("the workload that Suture has passes under a livepatch that it does not see; half of the modules come after it", async () => {
    const workload = await prepareWorkload(task, kernel.modules, ["squashfs"]);
    try {
      const report = await tryModule(task, {
        image: kernel.image,
        module: join(modules, "lab_patch.ko"),
        probes: [],
        workload,
        modules: { tree: kernel.modules, names: ["ifb", "dummy", "squashfs", "acpi_cpufreq"] },
        patchedModules: ["acpi_cpufreq", "dummy", "ifb", "squashfs"],
        moduleOrder: "half",
      });
      expect(report).toMatchObject({ outcome: "passed", failure: undefined, events: [] });
      expect(report.workload?.parts.filter(({ holds }) => holds !== true)).toEqual([]);
      expect(report.workload?.parts.map(({ name }) => name)).toEqual(expect.arrayContaining(["inet", "mounts", "ext4 on a disk", "shell"]));
      expect(report.workload?.newLines).toEqual([]);
      expect(report.targets).toMatchObject([
        { module: "acpi_cpufreq", loaded: "never", why: expect.stringContaining("finds no device") },
        { module: "dummy", loaded: "after" },
        { module: "ifb", loaded: "before" },
        { module: "squashfs", loaded: "after" },
      ]);
    } finally {
      await rm(workload.folder, { recursive: true, force: true });
    }
  });

  test("QEMU killed in the middle", async () => {
    const guest = await boot(task, { image: kernel.image });
    const module = join(modules, "lab_patch.ko");
    const running = trial(task, guest, { module, probes: ["echo 'in the probe' >/dev/kmsg; sleep 20"] });
    await expect.poll(() => guest.kernelLog().at(-1)?.text, { timeout: 30_000 }).toBe("in the probe");
    process.kill(guest.pid, "SIGKILL");
    const report = await running;
    expect(report).toMatchObject({ outcome: "lost", failure: { step: "probe before", why: "QEMU was ended by SIGKILL" } });
    expect(report.failure?.console.at(-1)).toContain("in the probe");
  });

  test("cancelled in the middle", async () => {
    const abort = new AbortController();
    const module = join(modules, "lab_patch.ko");
    const running = tryModule(new Task(undefined, abort.signal), { image: kernel.image, module, probes: ["sleep 20"] });
    setTimeout(() => abort.abort(), 6000);
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("what is no module costs no boot; a module of another kernel is refused", async () => {
    const timings = new Task();
    const options = { image: kernel.image, probes: [] };
    await expect(tryModule(timings, { ...options, module: kernel.image })).rejects.toMatchObject({ code: "LAB_NOT_A_MODULE" });
    await expect(tryModule(timings, { ...options, module: "/nowhere" })).rejects.toMatchObject({ code: "LAB_FILE_UNREADABLE" });
    expect(timings.timings).toEqual([]);
    const directory = await mkdtemp(join(tmpdir(), "suture-lab-test-"));
    const other = join(directory, "lab_patch.ko");
    await writeFile(other, ofAnotherKernel(await readFile(join(modules, "lab_patch.ko"))));
    const report = await tryModule(timings, { ...options, module: other }).finally(() => rm(directory, { recursive: true }));
    expect(report).toMatchObject({ outcome: "refused", refusal: { errno: "ENOEXEC" } });
    expect(report.refusal?.said.join("\n")).toContain("lab_patch");
  });
});
