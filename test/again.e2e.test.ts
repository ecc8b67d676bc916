/** A module that a livepatch is for goes and comes again while the livepatch is there: patched each time, whatever the kernel leaves of the time before. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { SERIES } from "@suture/testkit/series";
import { afterAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-again-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** It refers to what only the module has. */
const SETUP: Edit = [
  "drivers/net/dummy.c",
  /(static void dummy_setup\([^}]*?ether_setup\(dev\);\n)([^}]*)\n\}/,
  "$1$2\n\tdev->mtu = 1234;\n}",
];

test.each(SERIES)(
  "on %s",
  async (_, releases) => {
    const kernel = await kernelOf(task, releases);
    try {
      const livepatch = await buildEdits(task, kernel, { folder, name: "again", edits: [SETUP] });
      expect(livepatch.manifest.symbols.some(({ symbol }) => symbol.startsWith(".klp.sym.dummy."))).toBe(true);
      const guest = await bootWith(task, kernel, [livepatch]);
      try {
        const come = "insmod /m/dummy.ko numdummies=1 && cat /sys/class/net/dummy0/mtu && rmmod dummy";
        expect(
          await said(
            guest,
            `${come}; load livepatch-again; for i in 1 2 3; do ${come}; done; unload livepatch_again; ${come}
          insmod /m/dummy.ko numdummies=1; load livepatch-again; rmmod dummy; ${come}; ${come}; unload livepatch_again; ${come}`,
          ),
        ).toBe("1500\n1234\n1234\n1234\n1500\n1234\n1234\n1500\n");
        expect(guest.events()).toEqual([]);
      } finally {
        await guest.stop();
      }
    } finally {
      kernel.close();
    }
  },
  600_000,
);
