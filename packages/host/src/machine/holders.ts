/** Who else redirects or probes functions: kprobes and ftrace's table of attached functions. Both are read where they can be. */
import type { Machine } from "./machine.ts";

export interface Holder {
  name: string;
  /** Of the function; "vmlinux" for the kernel. */
  object: string;
  /** Something changes where calls of the function go: a livepatch, or a kprobe with a post-handler. Only one can. */
  redirected: boolean;
  /** Something is called directly: a BPF trampoline. The kernel decides whether both can be. */
  direct: boolean;
}

const TABLES = ["/sys/kernel/tracing/enabled_functions", "/sys/kernel/debug/tracing/enabled_functions"];

/** Functions that something is attached to; undefined where tracefs is not mounted. Format: Documentation/trace/ftrace.rst. */
export function attachedFunctions(machine: Machine): Holder[] | undefined {
  for (const path of TABLES) {
    const text = machine.text(path);
    if (text === undefined) continue;
    return text.split("\n").flatMap((line) => {
      const [, name, object = "vmlinux", flags] = /^(\S+)(?: \[(\w+)\])? \(\d+\)([ A-Z]*)/.exec(line) ?? [];
      if (name === undefined || flags === undefined) return [];
      const letters = new Set(flags.split(" "));
      return [{ name, object, redirected: letters.has("I"), direct: letters.has("D") }];
    });
  }
  return undefined;
}

export interface Probe {
  symbol: string;
  offset: number;
  kind: "kprobe" | "kretprobe";
}

/** Undefined where debugfs is not mounted. Format: Documentation/trace/kprobes.rst, "the kprobes debugfs interface". */
export function kprobes(machine: Machine): Probe[] | undefined {
  const text = machine.text("/sys/kernel/debug/kprobes/list");
  return text?.split("\n").flatMap((line) => {
    const [, kind, symbol, offset] = /^\S+\s+([kr])\s+([^\s+]+)\+0x([0-9a-f]+)/.exec(line) ?? [];
    if (symbol === undefined || offset === undefined) return [];
    return [{ symbol, offset: Number.parseInt(offset, 16), kind: kind === "r" ? "kretprobe" : "kprobe" }];
  });
}
