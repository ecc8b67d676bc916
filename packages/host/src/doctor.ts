/** What this machine can do with livepatches and what it cannot, with the command that mends each. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Task } from "@suture/task";
import { attachedFunctions } from "./holders.ts";
import { idleLivepatches } from "./idle.ts";
import { lockdownMode, mayLoadModules, runningKernel, signaturesEnforced, switchedOff, taintOf } from "./kernel.ts";
import { lineOf, type Machine, pathOf } from "./machine.ts";
import { moduleTool } from "./module-tools.ts";
import { installed } from "./store.ts";
import { hasLivepatchCore, livePatches } from "./sysfs.ts";
import { hasSystemd, unitsInstalled } from "./units.ts";

export interface Diagnosis {
  what: string;
  /** "bad" keeps livepatches from being loaded; "limited" takes something away. */
  outcome: "good" | "limited" | "bad";
  found: string;
  /** The command that mends it; empty where nothing is to be mended. */
  mend: string;
}

export async function doctor(task: Task, machine: Machine): Promise<Diagnosis[]> {
  return (
    await Promise.all([
      kernelOf(machine),
      rights(machine),
      core(machine),
      ftrace(machine),
      signatures(machine),
      tools(task),
      tracing(machine),
      under(machine),
      memory(machine),
      store(machine),
      buildTools(),
    ])
  ).flat();
}

const good = (what: string, found: string): Diagnosis => ({ what, outcome: "good", found, mend: "" });
const limited = (what: string, found: string, mend: string): Diagnosis => ({ what, outcome: "limited", found, mend });
const bad = (what: string, found: string, mend: string): Diagnosis => ({ what, outcome: "bad", found, mend });

async function kernelOf(machine: Machine): Promise<Diagnosis[]> {
  const { release, buildId } = await runningKernel(machine);
  const taint = await taintOf(machine);
  return [
    buildId === undefined
      ? bad("kernel", `${release} does not tell its build-id`, "mount -t sysfs sysfs /sys")
      : good("kernel", `${release}, build-id ${buildId}`),
    taint.letters.includes("D")
      ? limited("taint", `the kernel has oopsed (${taint.letters}): nothing should be loaded any more`, "reboot")
      : good("taint", taint.letters === "" ? "none" : taint.letters),
  ];
}

async function rights(machine: Machine): Promise<Diagnosis> {
  return (await mayLoadModules(machine)) ? good("rights", "may load modules") : bad("rights", "may not load modules", "sudo suture doctor");
}

async function core(machine: Machine): Promise<Diagnosis> {
  if (await hasLivepatchCore(machine)) return good("livepatch core", "present");
  return bad("livepatch core", "the kernel has none, or /sys is not mounted", "apt-get install linux-image-cloud-amd64, and reboot");
}

async function ftrace(machine: Machine): Promise<Diagnosis> {
  const value = await lineOf(machine, "/proc/sys/kernel/ftrace_enabled");
  return value === "1"
    ? good("ftrace", "on")
    : bad("ftrace", value === undefined ? "the kernel has none" : "off", "sysctl kernel.ftrace_enabled=1");
}

async function signatures(machine: Machine): Promise<Diagnosis[]> {
  const [why, mode] = await Promise.all([signaturesEnforced(machine), lockdownMode(machine)]);
  return [
    why === undefined
      ? good("signatures", "not enforced")
      : limited("signatures", `${why}: livepatches must be signed`, "mokutil --import KEY.der"),
    mode === undefined
      ? limited("lockdown", "cannot be told: securityfs is not mounted", "mount -t securityfs securityfs /sys/kernel/security")
      : good("lockdown", mode),
  ];
}

async function tools(task: Task): Promise<Diagnosis[]> {
  const tool = await moduleTool(task);
  return [
    tool === undefined ? bad("module tools", "there is no insmod", "apt-get install kmod") : good("module tools", tool),
    (await onPath("flock")) ? good("locks", "flock") : bad("locks", "there is no flock", "apt-get install util-linux"),
  ];
}

async function tracing(machine: Machine): Promise<Diagnosis> {
  if ((await attachedFunctions(machine)) !== undefined) return good("tracefs", "shows who holds a function");
  return limited(
    "tracefs",
    "not mounted: who holds a function is only known when the kernel refuses",
    "mount -t tracefs tracefs /sys/kernel/tracing",
  );
}

async function under(machine: Machine): Promise<Diagnosis[]> {
  const [patches, idle] = await Promise.all([livePatches(machine), idleLivepatches(machine)]);
  const moving = patches.find(({ transition }) => transition !== undefined);
  return [
    moving === undefined
      ? good("livepatches", patches.length === 0 ? "none" : patches.map(({ name }) => name).join(", "))
      : limited("livepatches", `${moving.name} is on its way to being ${moving.transition}`, "suture status --watch"),
    ...idle.map((name) => limited("livepatches", `${name} has no effect; its module is in the kernel`, `suture unload ${name}`)),
  ];
}

/** KiB that a load may need: the modules are small, the kernel's own tables for them are not free. */
const LEAST_MEMORY = 32 * 1024;

async function memory(machine: Machine): Promise<Diagnosis[]> {
  const text = (await lineOf(machine, "/proc/meminfo")) ?? "";
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  if (available === undefined) return [];
  const found = `${Math.round(Number(available) / 1024)} MiB available`;
  return [Number(available) < LEAST_MEMORY ? limited("memory", found, "free some memory first") : good("memory", found)];
}

async function store(machine: Machine): Promise<Diagnosis[]> {
  const [all, off, systemd, units, { release }] = await Promise.all([
    installed(machine),
    switchedOff(machine),
    hasSystemd(machine),
    unitsInstalled(machine),
    runningKernel(machine),
  ]);
  const here = all.filter((entry) => entry.release === release);
  const kept = `${here.length} kept for this kernel, ${all.length - here.length} for others`;
  const found: Diagnosis[] = [good("store", kept)];
  for (const { name, quarantine } of here)
    if (quarantine !== undefined)
      found.push(limited("store", `${name} is quarantined: ${quarantine}`, `suture uninstall ${name}, or install it again`));
  if (all.length > 0 && here.length === 0)
    found.push(limited("store", "nothing is kept for the kernel that runs", `suture build FIX.patch --kernel ${release}`));
  if (off) found.push(limited("boot", "suture=off: nothing was loaded at boot", "boot without suture=off"));
  else if (!systemd)
    found.push(limited("boot", "no systemd: nothing loads livepatches at boot", "run `suture boot` from the machine's own start-up"));
  else
    found.push(
      units ? good("boot", "a systemd unit loads what is kept") : good("boot", "nothing is loaded at boot; `suture install` sees to that"),
    );
  if (!(await writable(pathOf(machine, "/var/lib"))))
    found.push(limited("store", "/var/lib cannot be written: nothing can be kept", "mount -o remount,rw /"));
  return found;
}

/** Only for building here; loading needs none of them. */
const BUILD_TOOLS: readonly (readonly [program: string, what: string])[] = [
  ["make", "make"],
  ["ld", "binutils"],
  ["qemu-system-x86_64", "qemu-system-x86"],
];

async function buildTools(): Promise<Diagnosis[]> {
  const missing: string[] = [];
  for (const [program, pack] of BUILD_TOOLS) if (!(await onPath(program))) missing.push(pack);
  if (missing.length === 0) return [good("building", "the tools are here")];
  return [
    limited(
      "building",
      `livepatches cannot be built or tried here, only loaded: no ${missing.join(", ")}`,
      `apt-get install ${missing.join(" ")}`,
    ),
  ];
}

async function onPath(program: string): Promise<boolean> {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"])
    if (folder !== "" && (await usable(join(folder, program), constants.X_OK))) return true;
  return false;
}

function writable(path: string): Promise<boolean> {
  return usable(path, constants.W_OK);
}

function usable(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
