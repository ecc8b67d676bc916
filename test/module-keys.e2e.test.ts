/**
 * Static keys of modules in patched code: functions of a module that branch on its own tracepoints' keys, in two bytes as the kernel's build
 * makes them, are replaced by themselves. The keys work as before, whether the livepatch or the module is loaded first.
 */
import { buildLivepatch, type KernelContext } from "@suture/build";
import { boot, type Guest, loadOrder } from "@suture/lab";
import { Task } from "@suture/task";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testKernel } from "./kernel.ts";

const FUNCTIONS = ["watchdog_start", "watchdog_stop", "__watchdog_ping"];
const task = new Task();
let kernel: KernelContext;
let guest: Guest;
let tree = "";

beforeAll(async () => {
  kernel = await testKernel();
  const { image, modules } = kernel.target;
  tree = modules ?? "";
  guest = await boot(task, { image, cpus: 1, cache: kernel.cache });
});
afterAll(async () => {
  await guest?.stop();
  kernel?.close();
});

async function sh(command: string): Promise<string> {
  const { code, output, events } = await guest.run(command);
  expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
  return output;
}

async function loadModules(): Promise<void> {
  for (const { name, data } of await loadOrder(task, tree, ["softdog"])) {
    await guest.put("/run/module.ko", data);
    await sh(`grep -q '^${name} ' /proc/modules || insmod /run/module.ko`);
  }
}

/** What the tracepoints said while the watchdog was started, pinged and stopped. */
async function traced(on: 0 | 1): Promise<string[]> {
  const said = await sh(`cd /sys/kernel/debug/tracing; echo ${on} >events/watchdog/enable; echo >trace
    echo V >/dev/watchdog0; echo 0 >events/watchdog/enable; cat trace`);
  return [...said.matchAll(/ (watchdog_\w+): /g)].map(([, name = ""]) => name);
}

/** This watchdog is pinged by starting it again. */
const ALL = ["watchdog_start", "watchdog_start", "watchdog_stop"];
const LOAD = `insmod /run/livepatch.ko; while grep -q 1 /sys/kernel/livepatch/*/transition; do usleep 50000; done`;
const UNLOAD = `p=$(echo /sys/kernel/livepatch/*); echo 0 >$p/enabled; i=0
  while ! rmmod \${p##*/} 2>/dev/null; do i=$((i+1)); [ $i -lt 200 ] || exit 1; usleep 100000; done`;

test("a module's tracepoints can be switched in functions that were replaced", async () => {
  const object = "drivers/watchdog/watchdog_dev.o";
  const { bytes, manifest } = await buildLivepatch(task, kernel, {
    patches: [],
    rebuild: FUNCTIONS.map((name) => `${object}:${name}`),
    replace: false,
    unproven: false,
  });
  expect(manifest).toMatchObject({ proof: { proven: true }, notTaken: [] });
  expect(manifest.functions.map(({ name }) => name).sort()).toEqual([...FUNCTIONS].sort());
  expect(manifest.notes.map(({ text }) => text)).toEqual(
    expect.arrayContaining([expect.stringMatching(/^watchdog_start reads a static key/), expect.stringMatching(/five bytes/)]),
  );
  await guest.put("/run/livepatch.ko", bytes);

  // The livepatch first.
  await sh(LOAD);
  await loadModules();
  for (const on of [0, 1, 0, 1] as const) expect(await traced(on)).toEqual(on === 1 ? ALL : []);
  await sh(UNLOAD);
  expect(await traced(1)).toEqual(ALL);

  // The module first.
  await sh(LOAD);
  for (const on of [0, 1, 0] as const) expect(await traced(on)).toEqual(on === 1 ? ALL : []);
  await sh(UNLOAD);
  expect(guest.events()).toEqual([]);
});
