/**
 * The life of two livepatches that bring a kernel to newer levels: the first, the second in its place, back, out, under a workload and with the
 * modules that they are for; then a reboot into a newer kernel, in which nothing of them is loaded.
 */
import { rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { accountOf, readRecords, summaryOf } from "@suture/account";
import { type Guest, limitsFor, loadOrder, prepareWorkload, scriptFiles, type Workload, WorkloadRun } from "@suture/lab";
import { inspect } from "@suture/livepatch";
import { catchUp, commitUnits, readPredecessor } from "@suture/pipeline";
import { chainOf } from "@suture/testkit/chain";
import { MODULES, suture, Yard } from "@suture/testkit/host-guest";
import { LEVEL_PROBE, makeLevels } from "@suture/testkit/levels";
import { Repository } from "@suture/testkit/repository";
import { KERNELS, testKernel } from "@suture/testkit/stock-kernel";
import { COMMON } from "../options.ts";
import { type Found, newestCloud, type Run, type RunContext } from "../run.ts";

/** An emulated guest under load, on a machine that is busy itself, for what is not a livepatch on its way. */
const LONGEST_MS = 1_200_000;
const TARGETS = "/lib/targets";

export const catchUpLife: Run = {
  name: "catch-up",
  what: "livepatches of newer levels: one in the place of the other, back, out, under load; then a reboot into a newer kernel",
  words: {
    kernel: COMMON.kernel,
    first: { value: "FILE", what: "the livepatch of the level before; two small ones are made unless given" },
    second: { value: "FILE", what: "that of the level after, which was built --upon the first" },
    back: {
      value: "FILE",
      what: "the level before once more, under another name: a livepatch of a whole release leaves its module in the kernel",
    },
    newer: { value: "RELEASE", what: "the kernel to reboot into", is: KERNELS[1] },
    cpus: { value: "N", what: "processors of the guest", is: "2", short: "1" },
  },
  kernel: newestCloud,
  run: perform,
};

async function perform(context: RunContext): Promise<void> {
  const { options } = context;
  const given = [options.text("first"), options.text("second")];
  const [first, second] = given.every((one) => one !== undefined) ? (given as [string, string]) : await smallOnes(context);
  const content = async (path: string) => ({ path: `${MODULES}/${basename(path)}`, content: await readFile(path) });
  const back = options.text("back");
  const livepatches = [first, second, ...(back === undefined ? [] : [back])];
  const modules = await targetsOf(context, livepatches);
  const yard = await Yard.open(context.task, context.release, [
    ...(await Promise.all(livepatches.map(content))),
    ...modules.map(({ name, data }) => ({ path: `${TARGETS}/${name}.ko`, content: data })),
  ]);
  try {
    const disk = await yard.makeDisk("store");
    await context.item("chain", () =>
      chainUnderLoad(context, yard, disk, { first, second, back, modules: modules.map(({ name }) => name) }),
    );
    await context.item("reboot", () => rebooted(context, yard, disk));
  } finally {
    await yard.close();
  }
}

/** Of this kernel's own files, as the tests have them. */
async function smallOnes(context: RunContext): Promise<[string, string]> {
  const { task, folder } = context;
  const kernel = await context.kernel();
  const place = join(folder, "repository");
  rmSync(place, { recursive: true, force: true });
  const vulns = join(folder, "vulns");
  makeLevels(new Repository(place), kernel.target.tree, vulns);
  const records = await readRecords(task, vulns);
  const made: string[] = [];
  for (const to of ["one", "two"]) {
    const [before] = made;
    const { livepatch } = await catchUp(task, kernel, await commitUnits(task, kernel, [{ folder: place, range: `from..${to}` }]), {
      only: "all",
      leaveOut: [],
      acceptDoubt: [],
      take: [],
      acceptLayouts: [],
      acceptInits: [],
      unproven: false,
      name: `level-${to}`,
      predecessor: before === undefined ? undefined : await readPredecessor(before),
      account: async (report) => summaryOf(accountOf(report, { records })),
    });
    if (livepatch === undefined) throw new Error(`level ${to} has nothing to carry`);
    const file = join(folder, livepatch.file);
    await writeFile(file, livepatch.bytes);
    made.push(file);
  }
  return made as [string, string];
}

/** The kernel's modules that they are for, with what those need. */
async function targetsOf({ task, release }: RunContext, files: readonly string[]) {
  const owners = new Set<string>();
  for (const file of files)
    for (const { owner } of inspect(await readFile(file), file).manifest?.functions ?? []) if (owner !== "vmlinux") owners.add(owner);
  const { modules } = await testKernel(task, release);
  return owners.size === 0 ? [] : loadOrder(task, modules, [...owners].sort());
}

interface Subjects {
  first: string;
  second: string;
  back: string | undefined;
  modules: readonly string[];
}

/** One comes while the other goes. */
async function longest(files: readonly string[]): Promise<number> {
  let sum = 0;
  for (const file of files) {
    const { functions, relocations } = inspect(await readFile(file), file);
    const ofCore = relocations.filter(({ object }) => object !== undefined).reduce((all, { count }) => all + count, 0);
    const { loadMs, transitionMs, unloadMs } = limitsFor({ functions: functions.length, relocations: ofCore }, "tcg");
    sum += loadMs + transitionMs + unloadMs;
  }
  return sum;
}

async function chainUnderLoad(context: RunContext, yard: Yard, disk: string, { first, second, back, modules }: Subjects): Promise<Found> {
  const { task, options } = context;
  const whole = await prepareWorkload(task, undefined, []);
  // What needs a disk, or is there once, is for trials.
  const workload: Workload = { ...whole, parts: whole.parts.filter(({ steady }) => steady), disks: [] };
  rmSync(whole.folder, { recursive: true, force: true });
  const stepMs = await longest([first, second]);
  const guest = await yard.boot({ disk, cpus: options.number("cpus"), memory: 3072, graceMs: LONGEST_MS, deadlineMs: LONGEST_MS });
  try {
    for (const { path, content, mode } of [...workload.files, ...scriptFiles(workload)]) await guest.put(path, content as Uint8Array, mode);
    const loaded = await loadTargets(guest, modules);
    return await task.stage("chain", async (stage) => {
      const run = (command: string, timeoutMs: number) => guest.run(command, { timeoutMs: Math.max(timeoutMs, LONGEST_MS) });
      const work = new WorkloadRun(workload, run, stage);
      await work.go("before");
      await work.begin();
      const inGuest = (file: string): string => `${MODULES}/${basename(file)}`;
      const { steps, told } = await chainOf(guest, {
        levels: [
          ["the first", inGuest(first)],
          ["the second in its place", inGuest(second)],
          ["back to the first", inGuest(back ?? first)],
          ...(back === undefined ? [["the second once more", inGuest(second)] as const] : []),
        ],
        out: back === undefined ? "unload" : "disable",
        done: ({ what, ms, transition, patches }) => {
          const [whole, moved] = [ms, transition?.ms].map(seconds);
          console.log(`      ${what.padEnd(26)} command ${whole}, transition ${moved}, in the kernel: ${patches.join(", ") || "none"}`);
        },
        probe: LEVEL_PROBE,
        timeout: Math.round(stepMs / 1000),
        stepMs,
      });
      const rounds = await work.count();
      await work.end();
      const installed = await suture(guest, `install ${MODULES}/${basename(second)}`, LONGEST_MS);
      const wrong = work.report.parts.filter(({ holds }) => holds === false).map(({ name, why }) => `${name}: ${why}`);
      const events = guest.events().map(({ headline }) => headline);
      const begun = steps.filter((step) => step.begun.length !== 1).map(({ what, begun }) => `${what}: ${begun.length} transitions`);
      for (const { patch, target, cves, closed, open } of told.effective)
        console.log(
          `      effective: ${closed} of ${cves} CVEs of ${target} by ${patch}, ${open.length} open; status took ${seconds(told.ms)} in the guest`,
        );
      console.log(`      ${loaded} of ${modules.length} modules loaded; ${rounds} parts of the workload ran meanwhile`);
      const why = [...wrong, ...events, ...begun, ...(installed.code === 0 ? [] : [`install: ${installed.stderr}`])].join("; ");
      const more = { steps, told, loaded, modules: modules.length, rounds };
      return { good: why === "", outcome: why === "" ? "passed" : "failed", ...(why === "" ? {} : { why }), more: { ...more } };
    });
  } finally {
    await guest.stop();
  }
}

/** Those that find a device, or need none. @returns how many */
async function loadTargets(guest: Guest, modules: readonly string[]): Promise<number> {
  let loaded = 0;
  for (const name of modules) {
    const script = `grep -q '^${name} ' /proc/modules || insmod ${TARGETS}/${name}.ko`;
    if ((await guest.run(script, { timeoutMs: LONGEST_MS })).code === 0) loaded++;
  }
  return loaded;
}

async function rebooted({ task, options }: RunContext, yard: Yard, disk: string): Promise<Found> {
  const newer = await testKernel(task, options.text("newer") ?? "");
  const names = ["virtio_pci", "virtio_blk", "ext4"];
  const guest = await yard.boot({
    disk,
    image: newer.image,
    modules: { tree: newer.modules, names },
    graceMs: LONGEST_MS,
    deadlineMs: LONGEST_MS,
  });
  try {
    const { code, document } = await suture(guest, "boot", LONGEST_MS);
    const { output } = await guest.run("ls /sys/kernel/livepatch; grep -c livepatch_ /proc/modules", { timeoutMs: LONGEST_MS });
    const good = code === 0 && document.patches.length === 0 && output === "0\n";
    console.log(
      `      ${guest.release}: ${document?.patches?.length ?? "?"} livepatches of the store are for it, in the kernel: ${output.trim()}`,
    );
    return {
      good,
      outcome: good ? "passed" : "failed",
      ...(good ? {} : { why: JSON.stringify(document) }),
      more: { release: guest.release },
    };
  } finally {
    await guest.stop();
  }
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "none" : `${(ms / 1000).toFixed(1)} s`;
}
