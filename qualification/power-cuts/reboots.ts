/** What a person sees who installs a livepatch and reboots. */
import { SutureError } from "@suture/errors";
import { MODULES } from "@suture/testkit/host-guest";
import type { SystemMachine } from "./system-machine.ts";

const CMDLINE = `${MODULES}/host_cmdline.ko`;
/** One that stops the machine while it is loaded, and one that does so when its function is called for the first time. */
const BAD = ["host_panic", "host_crash"];
const UNITS = ["systemd-remount-fs.service", "local-fs.target", "suture.service", "sysinit.target", "basic.target", "multi-user.target"];
const UP = "systemctl is-system-running --wait";

function holds(what: string, is: boolean): void {
  console.log(`  ${is ? "ok    " : "NOT OK"} ${what}`);
  if (!is) throw new Error(what);
}

/** Seconds since the start of the kernel at which each unit was up. */
async function unitTimes(machine: SystemMachine): Promise<string[]> {
  const lines = (await machine.run(`systemctl show -p Id,ActiveEnterTimestampMonotonic ${UNITS.join(" ")}`)).split("\n\n");
  return lines
    .map((text) => ({ id: /^Id=(.*)$/m.exec(text)?.[1] ?? "", at: Number(/Monotonic=(\d+)/.exec(text)?.[1] ?? "0") / 1e6 }))
    .sort((a, b) => a.at - b.at)
    .map(({ id, at }) => `           ${at.toFixed(2).padStart(7)} s  ${id}`);
}

export async function demonstrate(machine: SystemMachine): Promise<void> {
  console.log("\ninstall, reboot");
  await machine.boot();
  await machine.run(UP);
  holds("installed", (await machine.suture(`install ${CMDLINE}`)).code === 0);
  holds("loaded by hand", (await machine.suture(`load ${CMDLINE}`)).code === 0);
  // At once: the guard is told of it, though the service has not run yet.
  await machine.reboot();
  const state = await machine.run(UP);
  holds(`patched after the reboot (the system is ${state})`, (await machine.run("cat /proc/cmdline")) === "one");
  for (const line of await unitTimes(machine)) console.log(line);
  const [patched] = (await machine.run('dmesg | grep "host_cmdline\': patching complete"')).split("\n");
  console.log(`           the kernel: ${patched}`);
  console.log("\nsuture=off");
  await machine.reboot(["suture=off"]);
  await machine.run(UP);
  holds("not patched", (await machine.run("cat /proc/cmdline")) !== "one");
  const { document } = await machine.suture("status");
  holds("status says that it was switched off", document.off === true && document.installed.length === 1);
  for (const name of BAD) await bad(machine, name);
}

async function bad(machine: SystemMachine, name: string): Promise<void> {
  console.log(`\na livepatch that brings the machine down: ${name}`);
  await machine.reboot();
  await machine.run(UP);
  // So long after boot the good one has settled.
  await machine.suture("boot --settled 0");
  holds("installed", (await machine.suture(`install ${MODULES}/${name}.ko`)).code === 0);
  if (name === "host_crash") await machine.suture("uninstall host_cmdline");
  const died = await machine.reboot().then(async () => machine.run(`${UP}; cat /proc/cmdline`).then(() => undefined, codeOf), codeOf);
  holds(`the next boot ends: ${died}`, died === "LAB_PANIC");
  await machine.cut();
  await machine.boot();
  holds(`the boot after it is up: ${await machine.run(UP)}`, true);
  const { document } = await machine.suture("status");
  const kept = document.installed as { name: string; quarantine?: string }[];
  for (const { name: which, quarantine } of kept) console.log(`           ${which}: ${quarantine ?? "kept"}`);
  holds("it is quarantined", kept.find((entry) => entry.name === name)?.quarantine !== undefined);
  holds("and not in the kernel", !(await machine.run("cat /proc/modules")).includes(name));
  await machine.reboot();
  holds(`and stays so at the next boot, which is up: ${await machine.run(UP)}`, !(await machine.run("cat /proc/modules")).includes(name));
  await machine.suture(`uninstall ${name}`);
  await machine.suture(`install ${CMDLINE}`);
}

function codeOf(error: unknown): string {
  if (error instanceof SutureError) return error.code;
  throw error;
}
