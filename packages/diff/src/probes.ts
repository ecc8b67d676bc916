/** Which functions somebody wants probes of, by the kernel's name, and where the kernel puts none. Source: kernel/kprobes.c (populate_kprobe_blacklist), arch_populate_kprobe_blacklist of the processors. */
import type { Section } from "@suture/elf";

export type AcceptRedirect = (name: string) => boolean;

const NEVER = /^\.(kprobes|noinstr|entry|irqentry|softirqentry|static_call|cpuidle|head|init|exit)\.text/;

/** What each processor forbids is more in one kernel than in another: this is the most. The kernel refuses the rest when the livepatch is loaded. */
export function mayProbe({ name }: Section): boolean {
  return !NEVER.test(name);
}

/** What NOKPROBE_SYMBOL() writes to. */
export function isBlacklist({ name }: Section): boolean {
  return name === "_kprobe_blacklist";
}
