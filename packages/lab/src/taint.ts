/** The kernel's taint word (/proc/sys/kernel/tainted): one bit for each thing that makes its reports less to be trusted. */

import type { Taint } from "@suture/protocol";

/** By bit. Source: Documentation/admin-guide/tainted-kernels.rst. */
const BITS: readonly [letter: string, reason: string][] = [
  ["P", "a module without a GPL-compatible licence was loaded"],
  ["F", "a module was loaded by force"],
  ["S", "the kernel runs on hardware outside its specification"],
  ["R", "a module was unloaded by force"],
  ["M", "the processor reported a machine check"],
  ["B", "a page was in a bad state"],
  ["U", "a user asked for the taint"],
  ["D", "the kernel has oopsed"],
  ["A", "an ACPI table was overridden"],
  ["W", "the kernel has warned"],
  ["C", "a staging driver was loaded"],
  ["I", "a firmware bug was worked around"],
  ["O", "a module from outside the kernel's tree was loaded"],
  ["E", "an unsigned module was loaded"],
  ["L", "a soft lockup happened"],
  ["K", "a livepatch was loaded"],
  ["X", "the distribution's own mark is set"],
  ["T", "the kernel was built with structure layout randomisation"],
  ["N", "an in-kernel test was run"],
];

export function decodeTaint(value: number): Taint {
  const set: readonly [string, string][] = Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => Math.floor(value / 2 ** bit) % 2 === 1)
    .map((bit) => BITS[bit] ?? [`#${bit}`, `bit ${bit} is set`]);
  return { value, letters: set.map(([letter]) => letter).join(""), reasons: set.map(([, reason]) => reason) };
}
