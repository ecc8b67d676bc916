/** The kernel that runs: which one it is, and what it lets us do. */
import { ownOrder } from "@suture/elf";
import { readNotes } from "@suture/kernel";
import type { Machine } from "./machine.ts";

export interface RunningKernel {
  release: string;
  /** Hex; undefined where /sys/kernel/notes does not tell. */
  buildId: string | undefined;
  /** Changes with each boot; empty where the kernel does not tell. */
  bootId: string;
}

const NT_GNU_BUILD_ID = 3;
const NOTES = "/sys/kernel/notes";

export function runningKernel(machine: Machine): RunningKernel {
  const notes = machine.bytes(NOTES);
  const id = notes === undefined ? undefined : buildIdIn(notes, NOTES);
  return {
    release: machine.line("/proc/sys/kernel/osrelease") ?? "",
    buildId: id,
    bootId: machine.line("/proc/sys/kernel/random/boot_id") ?? "",
  };
}

export function buildIdIn(notes: Uint8Array, file: string): string | undefined {
  const note = readNotes(notes, ownOrder, file, ".notes").find(({ name, type }) => name === "GNU" && type === NT_GNU_BUILD_ID);
  return note === undefined ? undefined : Buffer.from(note.descriptor).toString("hex");
}

/** Seconds since boot. */
export function uptime(machine: Machine): number {
  return Number(machine.line("/proc/uptime")?.split(" ")[0] ?? "0");
}

/** `suture=off` on the kernel's command line: nothing is loaded at boot. */
export function switchedOff(machine: Machine): boolean {
  return (machine.line("/proc/cmdline") ?? "").split(/\s+/).includes("suture=off");
}

/** Why only signed modules are taken; undefined if any is. */
export function signaturesEnforced(machine: Machine): string | undefined {
  if (machine.line("/sys/module/module/parameters/sig_enforce") === "Y") return "module.sig_enforce is on";
  const lockdown = lockdownMode(machine);
  return lockdown === undefined || lockdown === "none" ? undefined : `the kernel is locked down (${lockdown})`;
}

/** "none", "integrity" or "confidentiality"; undefined if securityfs does not tell. */
export function lockdownMode(machine: Machine): string | undefined {
  return /\[(\w+)\]/.exec(machine.line("/sys/kernel/security/lockdown") ?? "")?.[1];
}

/** Whether no module goes in or out any more until the machine is booted again. */
export function modulesDisabled(machine: Machine): boolean {
  return machine.line("/proc/sys/kernel/modules_disabled") === "1";
}

const CAP_SYS_MODULE = 16;

/** Whether this process may load modules: not a matter of the user alone, as containers show. */
export function mayLoadModules(machine: Machine): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(machine.text("/proc/self/status") ?? "")?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(CAP_SYS_MODULE)) & 1n) === 1n;
}

/** By bit. Source: Documentation/admin-guide/tainted-kernels.rst of the kernel. */
const TAINTS = "PFSRMBUDAWCIOELKXTN";

export function taintOf(machine: Machine): { value: number; letters: string } {
  const value = Number(machine.line("/proc/sys/kernel/tainted") ?? "0");
  return { value, letters: [...TAINTS].filter((_, bit) => Math.floor(value / 2 ** bit) % 2 === 1).join("") };
}
