/**
 * What replaced code hands to the rest of the kernel must outlive the livepatch: strings that the kernel has are the kernel's. kernel/module/sysfs.o,
 * replaced by itself, names the folder `sections` of each module that is loaded meanwhile; the livepatch goes first, the module after it.
 */

import { readElf, relocationSections } from "@suture/elf";
import { KernelContext } from "@suture/kbuild";
import { boot, loadOrder } from "@suture/lab";
import { buildLivepatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { SERIES } from "@suture/testkit/series";
import { expect, test } from "vitest";

const task = new Task();
const LOAD = `insmod /run/livepatch.ko; while grep -q 1 /sys/kernel/livepatch/*/transition; do usleep 50000; done`;
const UNLOAD = `p=$(echo /sys/kernel/livepatch/*); echo 0 >$p/enabled; i=0
  while ! rmmod \${p##*/} 2>/dev/null; do i=$((i+1)); [ $i -lt 200 ] || exit 1; usleep 100000; done`;
/** Every file of the module's folder in /sys: names are read where they were stored. */
const READ = `cd /sys/module/softdog && ls . sections notes && cat sections/.text`;

test.each(SERIES)("a livepatch that was loaded first goes first, and what it named stays: %s", async (_, pattern) => {
  const cache = cacheRoot(process.env);
  const release = await newestKernel(task, pattern);
  const kernel = await KernelContext.open(task, await prepareTarget(task, release, { cache }), cache);
  try {
    const { image, modules = "" } = kernel.target;
    const { bytes, manifest } = await buildLivepatch(task, kernel, {
      patches: [],
      rebuild: ["kernel/module/sysfs.o"],
      replace: false,
      unproven: false,
    });
    expect(manifest.functions.map(({ name }) => name)).toContain("mod_sysfs_setup");
    // No string of the kernel is in the module.
    const literals = [...relocationSections(readElf(bytes, "livepatch.ko"))].filter(([{ name }]) => /^\.rodata\.str/.test(name));
    expect(literals).toEqual([]);

    const guest = await boot(task, { image, cpus: 1, cache });
    try {
      const sh = async (command: string): Promise<string> => {
        const { code, output, events } = await guest.run(command);
        expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
        return output;
      };
      await guest.put("/run/livepatch.ko", bytes);
      await sh(LOAD);
      for (const { name, data } of await loadOrder(task, modules, ["softdog"])) {
        await guest.put("/run/module.ko", data);
        await sh(`grep -q '^${name} ' /proc/modules || insmod /run/module.ko`);
      }
      const before = await sh(READ);
      expect(before).toMatch(/sections:\n/);
      await sh(UNLOAD);
      // Memory that was freed is used for something else.
      await sh("dd if=/dev/zero of=/run/filler bs=1M count=32 2>/dev/null; ls -R /sys >/dev/null; rm /run/filler");
      expect(await sh(READ)).toBe(before);
      await sh("rmmod softdog; ! test -e /sys/module/softdog");
      expect(guest.events()).toEqual([]);
    } finally {
      await guest.stop();
    }
  } finally {
    kernel.close();
  }
});
