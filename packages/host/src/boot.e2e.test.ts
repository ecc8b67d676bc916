/** Livepatches across reboots of a guest whose store is on a disk: kept, guarded, and whole whenever the power goes. */
import { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import { MODULES, suture, Yard } from "@suture/testkit/host-guest";
import { KERNELS } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
/** Cuts of the power; each costs a boot. */
const CUTS = Number(process.env.SUTURE_POWER_CUTS ?? 1);
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

test("what cannot be read is not loaded, what cannot be guarded neither, and each is told; without modules nothing is taken out", async () => {
  const disk = await yard.makeDisk("faults");
  let guest = await yard.boot({ disk });
  const patches = async (more = ""): Promise<{ code: number; outcomes: string[] }> => {
    const { code, document } = await suture(guest, "boot", undefined, more);
    return { code, outcomes: document.patches.map(({ name, outcome, why }: Record<string, string>) => `${name}: ${outcome}, ${why}`) };
  };
  const sh = async (command: string): Promise<string> => (await guest.run(command)).output.trim();
  const store = `/var/lib/suture/patches/${yard.kernel.release}`;
  for (const file of [PANIC, CMDLINE]) expect((await suture(guest, `install ${file}`)).code).toBe(0);
  await sh(`echo "it brought the machine down" >${store}/host_panic.quarantine; sync; umount /var/lib/suture`);
  await guest.stop();

  guest = await yard.boot({ disk: await yard.failingAt(disk, `/patches/${yard.kernel.release}/host_panic.quarantine`) });
  expect(await sh(`cat ${store}/host_panic.quarantine`)).toContain("Input/output error");
  const panic = "host_panic: quarantined, whether it is quarantined cannot be read: EIO";
  expect(await patches()).toEqual({ code: 1, outcomes: [panic, "host_cmdline: loaded, "] });
  expect((await suture(guest, "status")).document.installed[0]).toMatchObject({
    name: "host_panic",
    quarantine: expect.stringContaining("EIO"),
  });
  expect((await suture(guest, "unload host_cmdline")).code).toBe(0);
  expect(await sh(`ls ${store}`)).not.toContain("loading");

  const refused = (code: string): { code: number; outcomes: unknown[] } => ({
    code: 1,
    outcomes: [panic, expect.stringMatching(new RegExp(`^host_cmdline: failed, ${code}`))],
  });
  const said = async (): Promise<string> => JSON.stringify((await suture(guest, "doctor")).document);
  await sh("mount -o remount,ro /var/lib/suture");
  expect(await patches()).toEqual(refused("HOST_NO_GUARD.*EROFS"));
  expect(await said()).toContain("/var/lib/suture cannot be written (EROFS)");
  const fill = "dd if=/dev/zero of=/var/lib/suture/fill bs=1k 2>/dev/null; sync";
  await sh(`mount -o remount,rw /var/lib/suture; ${fill}`);
  expect(await patches()).toEqual(refused("HOST_NO_GUARD.*ENOSPC"));
  expect(await said()).toContain("/var/lib/suture is full");
  await sh("rm /var/lib/suture/fill; mount -t tmpfs -o size=16k tmpfs /run/suture; dd if=/dev/zero of=/run/suture/fill bs=1k 2>/dev/null");
  expect(await patches()).toEqual(refused("HOST_RUN_FOLDER.*ENOSPC"));
  await sh("umount /run/suture");
  // Full from the moment on in which it goes in: it is loaded, and its guard stands.
  await sh(`mkdir /tmp/bin; echo '${fill}; exec busybox insmod "$@"' >/tmp/bin/insmod; chmod +x /tmp/bin/insmod`);
  expect(await patches("PATH=/tmp/bin:$PATH")).toEqual({ code: 1, outcomes: [panic, "host_cmdline: loaded, "] });
  expect(await sh(`rm -r /tmp/bin /var/lib/suture/fill; cat /proc/cmdline ${store}/host_cmdline.loading`)).toMatch(/^one\n.*"loading"/);
  expect((await suture(guest, "boot --settled 0")).document.left).toEqual([]);

  // No module goes in or out any more: the one that is turned back stays, and what is in effect is not taken out.
  await sh(`insmod ${MODULES}/host_target.ko thread=1`);
  await sh(`node /opt/suture.mjs --json load ${MODULES}/host_target_patch.ko --timeout 4 >/tmp/loaded 2>/dev/null &`);
  await expect.poll(() => sh("cat /sys/kernel/livepatch/host_target_patch/transition"), { timeout: 60_000 }).toBe("1");
  await sh("sysctl -w kernel.modules_disabled=1");
  await expect.poll(() => sh("cat /tmp/loaded"), { timeout: 60_000 }).toContain("HOST_STUCK");
  expect(await sh("cat /tmp/loaded")).toMatch(/still in the kernel, without effect, as it cannot be removed \(Operation not permitted\)/);
  expect(await sh("ls /run/suture/loaded")).toContain("host_target_patch.ko");
  expect(await said()).toContain("kernel.modules_disabled is 1");
  for (const line of ["disable host_cmdline", "unload --all", "enable host_target_patch", `load ${MODULES}/host_all.ko`])
    expect((await suture(guest, line)).document.error, line).toMatchObject({ code: "HOST_MODULES_DISABLED" });
  expect(await sh("cat /proc/cmdline")).toBe("one");
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
