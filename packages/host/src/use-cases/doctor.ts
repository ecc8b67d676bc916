/** What this machine can do with livepatches and what it cannot, with the command that mends each. */
import { existsSync } from "node:fs";
import { access, constants, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { archHere } from "@suture/arch";
import { onPath, SBIN } from "@suture/files";
import type { Finding } from "@suture/protocol";
import type { Task } from "@suture/task";
import { attachedFunctions } from "../machine/holders.ts";
import {
  lockdownMode,
  mayLoadModules,
  modulesDisabled,
  runningKernel,
  signaturesEnforced,
  switchedOff,
  taintOf,
} from "../machine/kernel.ts";
import { machineKeys } from "../machine/keys.ts";
import { hasLivepatchCore } from "../machine/livepatches.ts";
import { RUN_FOLDER } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { moduleTool } from "../module/module-tools.ts";
import { reasonOf } from "../store/disk.ts";
import { installed } from "../store/store.ts";
import { STORE_ROOT } from "../store/store-path.ts";
import { hasSystemd, missingPrograms, SERVICE, unitsInstalled } from "../store/units.ts";

export async function doctor(task: Task, machine: Machine): Promise<Finding[]> {
  const parts: [what: string, look: Promise<Finding | Finding[]>][] = [
    ["kernel", kernelOf(machine)],
    ["rights", rights(machine)],
    ["livepatch core", core(machine)],
    ["ftrace", ftrace(machine)],
    ["signatures", signatures(machine)],
    ["module tools", tools(task)],
    ["tracefs", tracing(machine)],
    ["livepatches", under(machine)],
    ["memory", memory(machine)],
    ["store", store(machine)],
    ["boot", boot(machine)],
    ["building", buildTools()],
  ];
  // One that cannot be told does not keep the others from being told.
  const found = await Promise.allSettled(parts.map(([, look]) => look));
  return parts.flatMap(([what], i) => {
    const outcome = found[i];
    if (outcome?.status === "fulfilled") return outcome.value;
    task.check();
    return limited(what, `cannot be told: ${reasonOf(outcome?.reason)}`, "see whether the file system is in order (dmesg)");
  });
}

const good = (what: string, found: string): Finding => ({ what, outcome: "good", found, mend: "" });
const limited = (what: string, found: string, mend: string): Finding => ({ what, outcome: "limited", found, mend });
const bad = (what: string, found: string, mend: string): Finding => ({ what, outcome: "bad", found, mend });

async function kernelOf(machine: Machine): Promise<Finding[]> {
  const { release, buildId } = runningKernel(machine);
  const taint = taintOf(machine);
  return [
    buildId === undefined
      ? bad("kernel", `${release} does not tell its build-id`, "mount -t sysfs sysfs /sys")
      : good("kernel", `${release}, build-id ${buildId}`),
    taint.letters.includes("D")
      ? limited("taint", `the kernel has oopsed (${taint.letters}): nothing should be loaded any more`, "reboot")
      : good("taint", taint.letters === "" ? "none" : taint.letters),
  ];
}

async function rights(machine: Machine): Promise<Finding[]> {
  return [
    mayLoadModules(machine) ? good("rights", "may load modules") : bad("rights", "may not load modules", "sudo suture doctor"),
    modulesDisabled(machine)
      ? bad("modules", "kernel.modules_disabled is 1: none goes in or out until the machine is booted again", "reboot")
      : good("modules", "may go in and out"),
  ];
}

async function core(machine: Machine): Promise<Finding> {
  if (hasLivepatchCore(machine)) return good("livepatch core", "present");
  return bad(
    "livepatch core",
    "the kernel has none, or /sys is not mounted",
    `apt-get install linux-image-cloud-${archHere()?.debian.name ?? "FLAVOUR"}, and reboot`,
  );
}

async function ftrace(machine: Machine): Promise<Finding> {
  const value = machine.line("/proc/sys/kernel/ftrace_enabled");
  return value === "1"
    ? good("ftrace", "on")
    : bad("ftrace", value === undefined ? "the kernel has none" : "off", "sysctl kernel.ftrace_enabled=1");
}

async function signatures(machine: Machine): Promise<Finding[]> {
  const [why, mode] = [signaturesEnforced(machine), lockdownMode(machine)];
  return [
    why === undefined
      ? good("signatures", "not enforced")
      : limited(
          "signatures",
          `${why}: livepatches must be signed; the kernel has keys of ${
            machineKeys(machine)
              ?.map(({ subject }) => subject)
              .join("; ") ?? "whom cannot be told"
          }`,
          "suture sign X.ko --key KEY --cert CERT; a new key: mokutil --import CERT.der",
        ),
    mode === undefined
      ? limited("lockdown", "cannot be told: securityfs is not mounted", "mount -t securityfs securityfs /sys/kernel/security")
      : good("lockdown", mode),
  ];
}

async function tools(task: Task): Promise<Finding[]> {
  const tool = await moduleTool(task);
  return [
    tool === undefined ? bad("module tools", "there is no insmod", "apt-get install kmod") : good("module tools", tool),
    (await onPath("flock", SBIN)) ? good("locks", "flock") : bad("locks", "there is no flock", "apt-get install util-linux"),
  ];
}

async function tracing(machine: Machine): Promise<Finding> {
  if (attachedFunctions(machine) !== undefined) return good("tracefs", "shows who holds a function");
  return limited(
    "tracefs",
    "not mounted: who holds a function is only known when the kernel refuses",
    "mount -t tracefs tracefs /sys/kernel/tracing",
  );
}

async function under(machine: Machine): Promise<Finding[]> {
  const { patches, idle, moving } = new Snapshot(machine);
  return [
    moving === undefined
      ? good("livepatches", patches.length === 0 ? "none" : patches.map(({ name }) => name).join(", "))
      : limited("livepatches", `${moving.name} is on its way to being ${moving.transition}`, "suture status --watch"),
    ...idle.map((name) => limited("livepatches", `${name} has no effect; its module is in the kernel`, `suture unload ${name}`)),
  ];
}

/** KiB that a load may need: the modules are small, the kernel's own tables for them are not free. */
const LEAST_MEMORY = 32 * 1024;

async function memory(machine: Machine): Promise<Finding[]> {
  const text = machine.line("/proc/meminfo") ?? "";
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  if (available === undefined) return [];
  const found = `${Math.round(Number(available) / 1024)} MiB available`;
  return [Number(available) < LEAST_MEMORY ? limited("memory", found, "free some memory first") : good("memory", found)];
}

async function store(machine: Machine): Promise<Finding[]> {
  const [{ entries: all, unreadable }, { release }] = [installed(machine), runningKernel(machine)];
  const here = all.filter((entry) => entry.release === release);
  const found: Finding[] = [
    unreadable.length > 0
      ? bad("store", `cannot be read: ${unreadable.join("; ")}`, "see what is wrong with the disk (dmesg, fsck)")
      : good("store", `${here.length} kept for this kernel, ${all.length - here.length} for others`),
  ];
  for (const { name, quarantine } of here)
    if (quarantine !== undefined)
      found.push(limited("store", `${name} is quarantined: ${quarantine}`, `suture uninstall ${name}, or install it again`));
  if (all.length > 0 && here.length === 0)
    found.push(limited("store", "nothing is kept for the kernel that runs", `suture build FIX.patch --kernel ${release}`));
  const written: [string, string][] = [
    [STORE_ROOT, "nothing can be kept, and what is kept is not loaded, as the crash guard cannot be set"],
    [RUN_FOLDER, "nothing can be loaded"],
  ];
  for (const [folder, so] of written) {
    const why = await unwritable(machine.path(folder));
    if (why !== undefined) found.push(limited("store", `${folder} ${why.found}: ${so}`, `${why.mend} ${machine.path(folder)}`));
  }
  return found;
}

async function boot(machine: Machine): Promise<Finding> {
  if (switchedOff(machine)) return limited("boot", "suture=off: nothing was loaded at boot", "boot without suture=off");
  if (!hasSystemd(machine))
    return limited("boot", "no systemd: nothing loads livepatches at boot", "run `suture boot` from the machine's own start-up");
  if (!unitsInstalled(machine)) return good("boot", "nothing is loaded at boot; `suture install` sees to that");
  const missing = missingPrograms(machine);
  if (missing.length > 0)
    return limited(
      "boot",
      `nothing is loaded at boot: ${SERVICE} runs ${missing.join(", ")}, which is not there`,
      "suture install FILE, once more",
    );
  return good("boot", "a systemd unit loads what is kept");
}

/** What the few files that are written there may take. */
const LEAST_SPACE = 1024 * 1024;

/** Why files cannot be written in a folder, or where it would be made. */
async function unwritable(path: string): Promise<{ found: string; mend: string } | undefined> {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  try {
    // Read-only for root as well if the file system is.
    await access(folder, constants.W_OK);
    const { bavail, bsize, files, ffree } = await statfs(folder);
    if (bavail * bsize < LEAST_SPACE || (files > 0 && ffree === 0)) return { found: "is full", mend: "df -h; df -i; free space in" };
    return undefined;
  } catch (error) {
    return {
      found: `cannot be written (${reasonOf(error)})`,
      mend: reasonOf(error) === "EACCES" ? "sudo ls -ld" : "mount -o remount,rw, where it is read-only:",
    };
  }
}

/** Only for building here; loading needs none of them. */
const BUILD_TOOLS: readonly (readonly [program: string, what: string])[] = [
  ["make", "make"],
  ["ld", "binutils"],
];

async function buildTools(): Promise<Finding[]> {
  const missing: string[] = [];
  const arch = archHere();
  const emulator = arch === undefined ? [] : [[arch.qemu.program, arch.qemu.package] as const];
  for (const [program, pack] of [...BUILD_TOOLS, ...emulator]) if (!(await onPath(program, SBIN))) missing.push(pack);
  if (missing.length === 0) return [good("building", "the tools are here")];
  return [
    limited(
      "building",
      `livepatches cannot be built or tried here, only loaded: no ${missing.join(", ")}`,
      `apt-get install ${missing.join(" ")}`,
    ),
  ];
}
