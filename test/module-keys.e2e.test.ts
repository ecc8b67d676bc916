/**
 * Static keys of modules in patched code: functions of a module that branch on its own tracepoints' keys, in two bytes as the kernel's build
 * makes them, are replaced by themselves. The keys work as before, whether the livepatch or the module is loaded first.
 */

import { KernelContext } from "@suture/kbuild";
import { boot, type Guest, loadOrder } from "@suture/lab";
import { buildLivepatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { SERIES } from "@suture/testkit/series";
import { expect, test } from "vitest";

const FUNCTIONS = ["watchdog_start", "watchdog_stop", "__watchdog_ping"];
const task = new Task();
async function sh(guest: Guest, command: string): Promise<string> {
  const { code, output, events } = await guest.run(command);
  expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
  return output;
}

async function loadModules(guest: Guest, tree: string): Promise<void> {
  for (const { name, data } of await loadOrder(task, tree, ["softdog"])) {
    await guest.put("/run/module.ko", data);
    await sh(guest, `grep -q '^${name} ' /proc/modules || insmod /run/module.ko`);
  }
}

/** What the tracepoints said while the watchdog was started, pinged and stopped. */
async function traced(guest: Guest, on: 0 | 1): Promise<string[]> {
  const said = await sh(
    guest,
    `cd /sys/kernel/debug/tracing; echo ${on} >events/watchdog/enable; echo >trace
    echo V >/dev/watchdog0; echo 0 >events/watchdog/enable; cat trace`,
  );
  return [...said.matchAll(/ (watchdog_\w+): /g)].map(([, name = ""]) => name);
}

/** This watchdog is pinged by starting it again. */
const ALL = ["watchdog_start", "watchdog_start", "watchdog_stop"];
const LOAD = `insmod /run/livepatch.ko; while grep -q 1 /sys/kernel/livepatch/*/transition; do usleep 50000; done`;
const UNLOAD = `p=$(echo /sys/kernel/livepatch/*); echo 0 >$p/enabled; i=0
  while ! rmmod \${p##*/} 2>/dev/null; do i=$((i+1)); [ $i -lt 200 ] || exit 1; usleep 100000; done`;

test.each(SERIES)("a module's tracepoints can be switched in functions that were replaced: %s", async (_, pattern) => {
  const cache = cacheRoot(process.env);
  const kernel = await KernelContext.open(task, await prepareTarget(task, await newestKernel(task, pattern), { cache }), cache);
  try {
    await seen(kernel, cache);
  } finally {
    kernel.close();
  }
});

async function seen(kernel: KernelContext, cache: string): Promise<void> {
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
  const { image, modules = "" } = kernel.target;
  const guest = await boot(task, { image, cpus: 1, cache });
  try {
    await guest.put("/run/livepatch.ko", bytes);

    // The livepatch first.
    await sh(guest, LOAD);
    await loadModules(guest, modules);
    for (const on of [0, 1, 0, 1] as const) expect(await traced(guest, on)).toEqual(on === 1 ? ALL : []);
    await sh(guest, UNLOAD);
    expect(await traced(guest, 1)).toEqual(ALL);

    // The module first.
    await sh(guest, LOAD);
    for (const on of [0, 1, 0] as const) expect(await traced(guest, on)).toEqual(on === 1 ? ALL : []);
    await sh(guest, UNLOAD);
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
}
