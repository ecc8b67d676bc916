/** The commands for the running machine, in a guest with a stock kernel: the bundled file, node, and nothing else. */
import type { Guest } from "@suture/lab";
import { Task } from "@suture/task";
import { type Answer, MODULES, suture, TRAMPOLINE, Yard } from "@suture/testkit/host-guest";
import { inFull, KERNELS } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const task = new Task();
const CMDLINE = `${MODULES}/host_cmdline.ko`;
const TARGET = `${MODULES}/host_target_patch.ko`;

describe.each([...new Set(KERNELS)])("%s", (metaPackage) => {
  let yard: Yard;
  let guest: Guest;
  const run = (line: string, timeoutMs?: number): Promise<Answer> => suture(guest, line, timeoutMs);
  const sh = async (command: string): Promise<string> => (await guest.run(command)).output.trim();
  const refused = async (line: string): Promise<{ code: string; why: string }> => {
    const { code, document } = await run(line);
    expect(code, line).toBe(1);
    return document.error;
  };

  beforeAll(async () => {
    yard = await Yard.open(task, metaPackage);
    guest = await yard.boot();
  });
  afterAll(async () => {
    await guest?.stop();
    await yard?.close();
  });

  test("doctor finds nothing that keeps livepatches out", async () => {
    const { code, document } = await run("doctor");
    expect(code).toBe(0);
    expect(document.findings.filter((d: { outcome: string }) => d.outcome === "bad")).toEqual([]);
  });

  test("load, look, disable, enable, unload", async () => {
    const before = await sh("cat /proc/cmdline");
    const loaded = await run(`load ${CMDLINE}`);
    expect(loaded).toMatchObject({ code: 0, document: { name: "host_cmdline", transition: { outcome: "done", stragglers: [] } } });
    expect(loaded.document.checks.map(({ outcome }: { outcome: string }) => outcome)).not.toContain("refused");
    expect(loaded.document.log).toContain("livepatch: 'host_cmdline': patching complete");
    expect(await sh("cat /proc/cmdline")).toBe("one");
    const { document: status } = await run("status");
    expect(status).toMatchObject({
      kernel: { release: yard.kernel.release },
      taint: { letters: "OEK" },
      patches: [
        {
          name: "host_cmdline",
          enabled: true,
          proven: true,
          objects: [{ name: "vmlinux", loaded: true, functions: [{ name: "cmdline_proc_show", sympos: 1, owner: "host_cmdline" }] }],
        },
      ],
      fixes: [{ patch: "host_cmdline", cves: ["CVE-2026-0001"] }],
    });
    expect(await run("disable host_cmdline")).toMatchObject({ code: 0, document: { transition: { outcome: "done" }, removed: false } });
    expect(await sh("cat /proc/cmdline")).toBe(before);
    expect((await run("list")).document.livepatches).toMatchObject([{ name: "host_cmdline", state: "disabled" }]);
    expect(await run("enable host_cmdline")).toMatchObject({ code: 0 });
    expect(await sh("cat /proc/cmdline")).toBe("one");
    expect(await run("unload host_cmdline")).toMatchObject({ code: 0, document: { removed: true } });
    expect(await sh("cat /proc/cmdline; ls /sys/kernel/livepatch; grep host_ /proc/modules; ls /run/suture/loaded")).toBe(before);
  });

  if (!inFull(metaPackage)) return;

  test("a kernel thread that never leaves: shown, and turned back", async () => {
    await sh(`insmod ${MODULES}/host_target.ko thread=1; sleep 1`);
    const { code, document, stderr } = await run(`load ${TARGET} --timeout 3`);
    expect([code, document.error.code]).toEqual([1, "HOST_STUCK"]);
    expect(document.error.why).toMatch(/host_server \(\d+, kernel thread\): in host_serve\+.*/);
    expect(document.error.why).toContain("Now: host_target_patch is not in the kernel");
    expect(stderr).toContain("host_server");
    expect(await sh("ls /sys/kernel/livepatch; grep host_target_patch /proc/modules")).toBe("");
    await sh("rmmod host_target");
  });

  test("a task that sleeps in a function: shown with its stack, and turned back", async () => {
    await sh(`insmod ${MODULES}/host_target.ko; cat /proc/host_wait & echo $! >/tmp/waiter; sleep 1`);
    const { why, code } = await refused(`load ${TARGET} --timeout 3`);
    expect(code).toBe("HOST_STUCK");
    expect(why).toMatch(/cat \(\d+\): in host_wait\+.*/);
    expect(why).toContain("Now: host_target_patch is not in the kernel");
    expect(
      await sh("kill $(cat /tmp/waiter); sleep 1; ls /sys/kernel/livepatch; grep host_target_patch /proc/modules; rmmod host_target"),
    ).toBe("");
  });

  test("a function under a BPF trampoline is patched, and said to be under one", async () => {
    for (const place of ["entry", "exit"]) {
      const hold = `rm -f /tmp/t; ${TRAMPOLINE} ${place} cmdline_proc_show >/tmp/t 2>&1 & echo $! >/tmp/holder
until [ -s /tmp/t ]; do sleep 0.1; done; cat /tmp/t`;
      const letGo = `kill $(cat /tmp/holder); while grep -q '^cmdline_proc_show .* D' /sys/kernel/tracing/enabled_functions; do sleep 0.1; done`;
      expect(await sh(hold)).toBe("holding");
      const { code, document } = await run(`load ${CMDLINE}`);
      expect([code, document.error]).toEqual([0, undefined]);
      const holders = document.checks.find(({ what }: { what: string }) => what === "holders");
      expect(holders).toMatchObject({ outcome: "unknown", found: expect.stringContaining("a BPF trampoline is on cmdline_proc_show") });
      expect(await sh("cat /proc/cmdline")).toBe("one");
      // It may come and go while the livepatch is there.
      expect(await sh(`${letGo}; cat /proc/cmdline; ${hold}; cat /proc/cmdline`)).toBe("one\nholding\none");
      expect((await run("unload host_cmdline")).code).toBe(0);
      expect(await sh(`${letGo}; grep -c ^one /proc/cmdline`)).toBe("0");
    }
    expect(guest.events()).toEqual([]);
  });

  test("what is refused is refused before anything is changed, and only what a load put in is taken out again", async () => {
    for (const file of ["bad_modules", "bad_fixes", "bad_handed"])
      expect(await refused(`load ${MODULES}/${file}.ko`)).toMatchObject({ code: "KLP_BAD_MODULE" });
    expect(await refused(`install ${MODULES}/bad_fixes.ko`)).toMatchObject({ code: "KLP_BAD_MODULE" });
    // Another tool loads one of the same name after the checks.
    await sh(
      `mkdir -p /tmp/bin; echo 'busybox insmod ${MODULES}/plain.ko; exec busybox insmod "$@"' >/tmp/bin/insmod; chmod +x /tmp/bin/insmod`,
    );
    const race = await suture(guest, `load ${CMDLINE}`, undefined, "PATH=/tmp/bin:$PATH");
    await sh("rm -r /tmp/bin");
    expect(race.document.error).toMatchObject({ code: "HOST_ALREADY_LOADED", why: expect.stringContaining("was left alone") });
    expect(await sh("cat /proc/cmdline; cat /sys/kernel/livepatch/host_cmdline/enabled; ls /run/suture/loaded")).toBe("one\n1");
    expect((await run("unload host-cmdline.ko")).code).toBe(0);
    // Several, and a path.
    const loaded = await run(`load ${CMDLINE} ${TARGET}`);
    expect(loaded.document.loaded.map(({ name }: { name: string }) => name)).toEqual(["host_cmdline", "host_target_patch"]);
    expect((await run(`disable ${CMDLINE}`)).code).toBe(0);
    await sh("sysctl -w kernel.ftrace_enabled=0");
    expect(await refused("enable livepatch-host-cmdline")).toMatchObject({ code: expect.stringMatching(/^HOST_FTRACE_OFF|HOST_REFUSED$/) });
    await sh("sysctl -w kernel.ftrace_enabled=1");
    expect((await run("enable host-cmdline")).code).toBe(0);
    // A damaged record counts as none, and is told.
    await sh(": >/run/suture/loaded/host_cmdline.ko");
    expect((await run("list")).code).toBe(0);
    expect((await run("status")).document.patches).toMatchObject([{}, { damage: expect.stringContaining("is damaged") }]);
    const all = await run("unload --all");
    expect(all.document.unloaded.map(({ name }: { name: string }) => name)).toEqual(["host_cmdline", "host_target_patch"]);
    expect(all.stderr).toContain("whether host_cmdline leaves something behind is not known");
    expect(await sh("ls /sys/kernel/livepatch; grep host_ /proc/modules; ls /run/suture/loaded")).toBe("");
  });

  test("a load that was killed in its transition: seen through by boot, and said to others", async () => {
    await sh(`insmod ${MODULES}/host_target.ko thread=1`);
    expect((await run(`load ${CMDLINE}`)).code).toBe(0);
    expect((await run(`install ${TARGET}`)).code).toBe(0);
    await sh(`node /opt/suture.mjs --json load ${TARGET} >/tmp/loaded 2>/dev/null & echo $! >/tmp/pid`);
    await expect.poll(() => sh("cat /sys/kernel/livepatch/host_target_patch/transition"), { timeout: 60_000 }).toBe("1");
    await sh("kill -9 $(cat /tmp/pid)");
    expect(await refused(`load ${TARGET}`)).toMatchObject({
      code: "HOST_ALREADY_LOADED",
      why: expect.stringContaining("on its way to being patched"),
    });
    // The kernel is busy with it, whoever does not see that.
    await sh("echo 0 >/tmp/zero; mount -o bind /tmp/zero /sys/kernel/livepatch/host_target_patch/transition");
    expect(await refused("disable host_cmdline")).toMatchObject({
      code: "HOST_TRANSITION",
      why: expect.stringContaining("another transition is under way"),
    });
    await sh("umount /sys/kernel/livepatch/host_target_patch/transition");
    const marker = "ls /var/lib/suture/patches/*/*.loading 2>/dev/null";
    expect(await sh(marker)).toContain("host_target_patch.loading");
    const boot = await run("boot --timeout 2");
    expect(boot).toMatchObject({ code: 1, document: { patches: [{ outcome: "failed", why: expect.stringContaining("host_server") }] } });
    expect(await sh(marker)).toBe("");
    expect((await run("unload --all")).document.unloaded).toMatchObject([{ name: "host_cmdline" }, { name: "host_target_patch" }]);
    expect((await run("uninstall host-target-patch")).code).toBe(0);
    expect(await sh("ls -A /var/lib; ls -A /run/suture/loaded; rmmod host_target")).toBe("");
  });

  test("one on top of another, and one instead of all", async () => {
    expect((await run(`load ${CMDLINE}`)).code).toBe(0);
    expect(await refused(`load ${CMDLINE}`)).toMatchObject({
      code: "HOST_ALREADY_LOADED",
      why: expect.stringContaining("Now: host_cmdline is in effect"),
    });
    expect(await refused(`load ${MODULES}/host_cmdline_again.ko`)).toMatchObject({ code: "HOST_FUNCTION_HELD" });
    expect((await run(`load --stack ${MODULES}/host_cmdline_again.ko`)).code).toBe(0);
    expect(await sh("cat /proc/cmdline")).toBe("two");
    const { patches } = (await run("status")).document;
    expect(patches.map(({ name }: { name: string }) => name)).toEqual(["host_cmdline", "host_cmdline_again"]);
    expect(patches[0].objects[0].functions[0].owner).toBe("host_cmdline_again");
    expect(await refused("unload host_cmdline")).toMatchObject({ code: "HOST_IN_USE" });
    expect(await refused(`load ${MODULES}/host_all.ko`)).toMatchObject({ code: "HOST_REPLACES" });
    expect(await refused(`replace ${MODULES}/plain.ko --unproven`)).toMatchObject({ code: "HOST_ALREADY_LOADED" });
    const replaced = await run(`replace ${MODULES}/host_all.ko`);
    expect(replaced).toMatchObject({ code: 0, document: { replaced: ["host_cmdline", "host_cmdline_again"] } });
    expect(await sh("cat /proc/cmdline; ls /sys/kernel/livepatch; grep -c host_ /proc/modules")).toBe("all\nhost_all\n1");
    expect((await run("unload host_all")).code).toBe(0);
    expect(await refused("unload host_all")).toMatchObject({ code: "HOST_NOT_LOADED" });
    expect(await refused(`replace ${CMDLINE}`)).toMatchObject({ code: "HOST_NOT_REPLACING" });
  });

  test("one that leaves addresses behind stays in the kernel unless that is accepted", async () => {
    expect((await run(`load ${MODULES}/leaving.ko`)).code).toBe(0);
    const behind = { code: "HOST_LEFT_BEHIND", why: expect.stringContaining("host_cmdline_show gives away the function host_helper") };
    expect(await refused("unload host_cmdline")).toMatchObject(behind);
    expect(await sh("cat /proc/cmdline")).toBe("one");
    expect((await run("disable host_cmdline")).code).toBe(0);
    expect(await refused("enable host_cmdline")).toMatchObject(behind);
    expect(await refused(`load ${MODULES}/leaving.ko`)).toMatchObject({
      ...{ code: "HOST_ALREADY_LOADED", why: expect.stringContaining("host_cmdline_show gives away the function host_helper") },
      mend: expect.stringContaining("--name"),
    });
    expect((await run("unload host_cmdline --left-behind")).code).toBe(0);
    expect(await sh("ls /sys/kernel/livepatch; grep host_ /proc/modules; ls /run/suture/loaded")).toBe("");
  });

  test("what must not be loaded is not, and each refusal says why and how things stand", async () => {
    const now = expect.stringContaining("Now: host_cmdline is not in the kernel; no other livepatch is.");
    expect(await refused(`load ${MODULES}/other_build.ko`)).toMatchObject({ code: "HOST_OTHER_KERNEL", why: now });
    expect(await refused(`load ${MODULES}/plain.ko`)).toMatchObject({ code: "HOST_UNPROVEN", why: now });
    const none = expect.stringContaining("Now: no livepatch is in effect.");
    expect(await refused(`load ${MODULES}/other_release.ko`)).toMatchObject({ code: "HOST_OTHER_KERNEL", why: now });
    expect(await refused(`load ${MODULES}/cut.ko`)).toMatchObject({ code: "ELF_TRUNCATED", why: none });
    expect(await refused(`load ${MODULES}/tampered.ko --unproven`)).toMatchObject({ code: "HOST_BAD_MODULE", why: none });
    expect(await refused(`load ${MODULES}/no_klp.ko --unproven`)).toMatchObject({
      code: "HOST_BAD_MODULE",
      why: expect.stringContaining("saved_command_line_len is not among its livepatch symbols"),
    });
    expect(await refused(`load ${MODULES}/host_target.ko`)).toMatchObject({ code: "HOST_BAD_MODULE", why: none });
    expect(await refused("load /nowhere.ko")).toMatchObject({ code: "CLI_FILE", why: none });
    expect(await refused(`load ${MODULES}/host_refusing.ko`)).toMatchObject({
      code: "HOST_REFUSED",
      why: expect.stringMatching(
        /its callback host_refusing_before for vmlinux returned that error\. Now: host_refusing is not in the kernel; no other livepatch is\./,
      ),
    });
    await sh("sysctl -w kernel.ftrace_enabled=0");
    expect(await refused(`load ${CMDLINE}`)).toMatchObject({ code: "HOST_FTRACE_OFF", why: now });
    await sh("sysctl -w kernel.ftrace_enabled=1");
    await sh(`insmod ${MODULES}/host_probe.ko`);
    expect(await refused(`load ${CMDLINE}`)).toMatchObject({
      code: "HOST_FUNCTION_HELD",
      why: expect.stringContaining("a kprobe with a post-handler holds cmdline_proc_show"),
    });
    await sh("rmmod host_probe");
    const plain = await guest.run(`su nobody -c 'node /opt/suture.mjs --json load ${CMDLINE}'`);
    expect(plain.output).toContain("HOST_NOT_ROOT");
    expect(plain.output).toMatch(/Nothing was changed|Now: /);
    await sh("(flock 9; exec sleep 1000) 9>>/run/suture/lock & echo $! >/tmp/holder");
    expect(await refused(`load ${CMDLINE}`)).toMatchObject({ code: "HOST_BUSY" });
    await sh("kill $(cat /tmp/holder)");
    expect(await sh("ls /sys/kernel/livepatch; grep host_ /proc/modules; ls /run/suture/loaded")).toBe("");
  });

  test("a task that sleeps in a function: shown, nudged, and patched", async () => {
    await sh(`insmod ${MODULES}/host_target.ko; (cat /proc/host_wait >/tmp/waited) & sleep 1`);
    await sh(`node /opt/suture.mjs --json load ${TARGET} --timeout 100 >/tmp/loaded 2>/dev/null & sleep 1`);
    await expect.poll(() => sh("cat /sys/kernel/livepatch/host_target_patch/transition"), { timeout: 60_000 }).toBe("1");
    // The kernel looks at the idle tasks once in a second.
    await sh("sleep 2");
    const held = (await run("status")).document.patches[0].transition;
    expect(held).toMatchObject({ to: "patched", stragglers: [{ name: "cat", kernelThread: false }] });
    expect(held.stragglers[0].stack.join(" ")).toContain("host_wait+");
    expect(await refused("force host_target_patch")).toMatchObject({ code: "HOST_FORCE", why: expect.stringContaining("host_wait+") });
    expect(await run("signal --stop")).toMatchObject({ code: 0, document: { how: "stop", signalled: 1, ended: true } });
    await expect.poll(() => sh("cat /tmp/loaded"), { timeout: 60_000 }).toContain('"outcome": "done"');
    // The interrupted read began anew, in the new function.
    expect(await sh("cat /tmp/waited")).toBe("patched");
    // The object goes, and comes again: the kernel patches it each time.
    expect(await sh(`rmmod host_target; insmod ${MODULES}/host_target.ko; cat /proc/host_wait`)).toBe("patched");
    expect((await run("unload host_target_patch")).code).toBe(0);
    await sh("rmmod host_target");
  });

  test("cancelled in the transition, and watched: the machine is as it was", async () => {
    await sh(`insmod ${MODULES}/host_target.ko thread=1; sleep 1`);
    await sh("node /opt/suture.mjs --json status --watch >/tmp/watched & echo $! >/tmp/watcher");
    await expect.poll(() => sh("wc -l </tmp/watched"), { timeout: 60_000 }).toBe("1");
    await sh(`node /opt/suture.mjs --json load ${TARGET} >/tmp/loaded 2>/dev/null & echo $! >/tmp/pid`);
    await expect.poll(() => sh("cat /sys/kernel/livepatch/host_target_patch/transition"), { timeout: 60_000 }).toBe("1");
    await expect.poll(() => sh("tail -n 1 /tmp/watched"), { timeout: 60_000 }).toContain('"to":"patched"');
    await sh("kill -INT $(cat /tmp/pid)");
    await expect.poll(() => sh("cat /tmp/loaded"), { timeout: 60_000 }).toContain("CANCELLED");
    expect(await sh("ls /sys/kernel/livepatch; grep host_target_patch /proc/modules; rmmod host_target")).toBe("");
    // It saw the transition begin and end, and goes on until it is told to end.
    await expect.poll(() => sh("tail -n 1 /tmp/watched"), { timeout: 60_000 }).toContain('"patches":[]');
    expect(await sh("kill -INT $(cat /tmp/watcher) && wc -l </tmp/watched")).toMatch(/^[3-9]|\d\d$/);
    const seen = (await sh("cat /tmp/watched")).split("\n").map((line) => JSON.parse(line).patches[0]?.transition?.to);
    expect(seen).toContain("patched");
  });

  test("forced, when that is asked for: it stays in the kernel for good", async () => {
    await sh(`insmod ${MODULES}/host_target.ko thread=1; sleep 1`);
    const forced = await run(`load ${TARGET} --timeout 2 --on-timeout force`);
    expect(forced).toMatchObject({ code: 0, document: { transition: { outcome: "forced", stragglers: [{ name: "host_server" }] } } });
    expect(forced.stderr).toContain("can never be unloaded");
    expect(guest.events()).toEqual([]);
  });

  test("a kernel that takes signed modules only", async () => {
    // From now on, until it is booted again.
    await sh("echo Y >/sys/module/module/parameters/sig_enforce");
    expect(await refused(`load ${CMDLINE}`)).toMatchObject({
      code: "HOST_UNSIGNED",
      why: expect.stringContaining("module.sig_enforce is on"),
    });
  });
});
