/** The kernel that runs: which one it is, and what it lets us do. */
import { readNotes } from "@suture/kernel";
import { bytesOf, lineOf, type Machine, textOf } from "./machine.ts";

export interface RunningKernel {
  release: string;
  /** Hex; undefined where /sys/kernel/notes does not tell. */
  buildId: string | undefined;
  /** Changes with each boot; empty where the kernel does not tell. */
  bootId: string;
}

const NT_GNU_BUILD_ID = 3;
const NOTES = "/sys/kernel/notes";

export async function runningKernel(machine: Machine): Promise<RunningKernel> {
  const notes = await bytesOf(machine, NOTES);
  const id = notes === undefined ? undefined : buildIdIn(notes, NOTES);
  return {
    release: (await lineOf(machine, "/proc/sys/kernel/osrelease")) ?? "",
    buildId: id,
    bootId: (await lineOf(machine, "/proc/sys/kernel/random/boot_id")) ?? "",
  };
}

export function buildIdIn(notes: Uint8Array, file: string): string | undefined {
  const note = readNotes(notes, file, ".notes").find(({ name, type }) => name === "GNU" && type === NT_GNU_BUILD_ID);
  return note === undefined ? undefined : Buffer.from(note.descriptor).toString("hex");
}

/** Seconds since boot. */
export async function uptime(machine: Machine): Promise<number> {
  return Number((await lineOf(machine, "/proc/uptime"))?.split(" ")[0] ?? "0");
}

/** `suture=off` on the kernel's command line: nothing is loaded at boot. */
export async function switchedOff(machine: Machine): Promise<boolean> {
  return ((await lineOf(machine, "/proc/cmdline")) ?? "").split(/\s+/).includes("suture=off");
}

/** Why only signed modules are taken; undefined if any is. */
export async function signaturesEnforced(machine: Machine): Promise<string | undefined> {
  if ((await lineOf(machine, "/sys/module/module/parameters/sig_enforce")) === "Y") return "module.sig_enforce is on";
  const lockdown = await lockdownMode(machine);
  return lockdown === undefined || lockdown === "none" ? undefined : `the kernel is locked down (${lockdown})`;
}

/** "none", "integrity" or "confidentiality"; undefined if securityfs does not tell. */
export async function lockdownMode(machine: Machine): Promise<string | undefined> {
  return /\[(\w+)\]/.exec((await lineOf(machine, "/sys/kernel/security/lockdown")) ?? "")?.[1];
}

/** Whether no module goes in or out any more until the machine is booted again. */
export async function modulesDisabled(machine: Machine): Promise<boolean> {
  return (await lineOf(machine, "/proc/sys/kernel/modules_disabled")) === "1";
}

const CAP_SYS_MODULE = 16;

/** Whether this process may load modules: not a matter of the user alone, as containers show. */
export async function mayLoadModules(machine: Machine): Promise<boolean> {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec((await textOf(machine, "/proc/self/status")) ?? "")?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(CAP_SYS_MODULE)) & 1n) === 1n;
}

/** By bit. Source: Documentation/admin-guide/tainted-kernels.rst of the kernel. */
const TAINTS = "PFSRMBUDAWCIOELKXTN";

export async function taintOf(machine: Machine): Promise<{ value: number; letters: string }> {
  const value = Number((await lineOf(machine, "/proc/sys/kernel/tainted")) ?? "0");
  return { value, letters: [...TAINTS].filter((_, bit) => Math.floor(value / 2 ** bit) % 2 === 1).join("") };
}
