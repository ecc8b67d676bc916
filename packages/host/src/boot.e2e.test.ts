/** Livepatches across reboots of a guest whose store is on a disk: kept, guarded, and whole whenever the power goes. */
import { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KERNELS } from "../../lab/test/kernel.ts";
import { MODULES, suture, Yard } from "../test/guest.ts";

const task = new Task();
/** Cuts of the power; each costs a boot. */
const CUTS = Number(process.env.SUTURE_POWER_CUTS ?? 3);
/** At most, on a machine that is busy with other things. */
const CUT_MS = 120_000;
const CMDLINE = `${MODULES}/host_cmdline.ko`;
const PANIC = `${MODULES}/host_panic.ko`;
let yard: Yard;

beforeAll(async () => {
  yard = await Yard.open(task, KERNELS[0]);
});
afterAll(() => yard?.close());

test("installed, loaded at boot, quarantined after a crash, and loaded again when it is installed anew", async () => {
  const disk = await yard.makeDisk("store");
  let guest = await yard.boot({ disk });
  expect(await suture(guest, `install ${CMDLINE}`)).toMatchObject({ code: 0, document: { name: "host_cmdline" } });
  expect(await suture(guest, `install ${MODULES}/plain.ko`)).toMatchObject({ document: { error: { code: "HOST_UNPROVEN" } } });
  expect(await suture(guest, "uninstall nothing")).toMatchObject({ code: 1, document: { error: { code: "HOST_NOT_INSTALLED" } } });
  await guest.stop();

  guest = await yard.boot({ disk });
  expect(await suture(guest, "boot")).toMatchObject({ code: 0, document: { patches: [{ name: "host_cmdline", outcome: "loaded" }] } });
  expect((await guest.run("cat /proc/cmdline")).output).toBe("one\n");
  expect(await suture(guest, "boot")).toMatchObject({ code: 0, document: { patches: [{ outcome: "loaded already" }] } });
  expect(await suture(guest, "boot --settled 1000")).toMatchObject({ document: { left: ["host_cmdline"] } });
  expect(await suture(guest, "boot --end")).toMatchObject({ code: 0 });
  expect((await suture(guest, `install ${PANIC}`)).code).toBe(0);
  await guest.stop();

  // Loaded in its turn, it stops the machine; the one before it went in only a moment earlier, and is not trusted either.
  guest = await yard.boot({ disk });
  await expect(suture(guest, "boot")).rejects.toMatchObject({ code: "LAB_PANIC" });

  guest = await yard.boot({ disk });
  const again = await suture(guest, "boot");
  expect(again.document.patches).toMatchObject([
    { name: "host_cmdline", outcome: "quarantined", why: expect.stringContaining("soon after it was loaded") },
    { name: "host_panic", outcome: "quarantined", why: "the machine went down while it was being loaded" },
  ]);
  expect((await suture(guest, "status")).document.installed.map((e: { quarantine?: string }) => e.quarantine !== undefined)).toEqual([
    true,
    true,
  ]);
  expect((await suture(guest, "uninstall host_panic")).code).toBe(0);
  expect((await suture(guest, `install ${CMDLINE}`)).code).toBe(0);
  expect((await suture(guest, "boot")).document.patches).toMatchObject([{ name: "host_cmdline", outcome: "loaded" }]);
  expect((await suture(guest, "boot --settled 0")).document.left).toEqual([]);
  await guest.stop();

  // It had settled: losing the power is no fault of it.
  guest = await yard.boot({ disk });
  expect((await suture(guest, "boot")).document.patches).toMatchObject([{ name: "host_cmdline", outcome: "loaded" }]);
  expect((await suture(guest, "boot --settled 0")).document.left).toEqual([]);
  expect((await suture(guest, "uninstall host_cmdline")).code).toBe(0);
  await guest.stop();

  // Installed after it was loaded, it is guarded from its load on.
  guest = await yard.boot({ disk });
  expect((await suture(guest, `load ${CMDLINE}`)).code).toBe(0);
  const { unsettled } = (await suture(guest, `install ${CMDLINE}`)).document;
  expect(unsettled).toMatchObject({ phase: "settling" });
  expect(unsettled.uptime).toBeLessThan(Number((await guest.run("cut -d' ' -f1 /proc/uptime")).output));
  await guest.stop();
  guest = await yard.boot({ disk });
  expect((await suture(guest, "boot")).document.patches).toMatchObject([{ name: "host_cmdline", outcome: "quarantined" }]);
  await guest.stop();
});

test(
  `the power goes ${CUTS} times, in install, uninstall, boot and load: the store is whole each time`,
  async () => {
    const disk = await yard.makeDisk("cut");
    const random = (below: number): number => Math.floor(Math.random() * below);
    for (let cut = 0; cut < CUTS; cut++) {
      const guest = await yard.boot({ disk, graceMs: 3000 });
      // Whatever the last cut left: it can be read, and what is installed is whole.
      const status = await suture(guest, "status");
      expect(status.code, JSON.stringify(status)).toBe(0);
      const boot = await suture(guest, "boot");
      for (const { outcome, why } of boot.document.patches) expect(["loaded", "quarantined"], why).toContain(outcome);
      const work = `for i in 1 2 3 4 5 6 7 8 9; do node /opt/suture.mjs install ${CMDLINE}; node /opt/suture.mjs unload host_cmdline;
      node /opt/suture.mjs boot; node /opt/suture.mjs uninstall host_cmdline; done >/dev/null 2>&1`;
      const running = guest.run(work, { timeoutMs: 100_000 }).catch((error: unknown) => {
        if (!(error instanceof SutureError)) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, 300 + random(9000)));
      await guest.stop();
      await running;
    }
  },
  CUT_MS * CUTS,
);
