/** The keys that the kernel has of others' signatures. */
import type { Machine } from "./machine.ts";

export interface MachineKey {
  subject: string;
  /** Subject key identifier of its certificate, in hex; the certificate's number where it has none. */
  id: string;
}

/**
 * In whatever keyring: which ones count for modules is the kernel's to say, so that one that is here may still be refused, and one that is not here is.
 * @returns undefined where they cannot be read, or where there is none at all: this process may then not see them
 */
export function machineKeys(machine: Machine): MachineKey[] | undefined {
  const lines = machine.text("/proc/keys")?.split("\n") ?? [];
  const keys = lines.flatMap((line): MachineKey[] => {
    const [, subject, id] = /\sasymmetri (.*): ([0-9a-f]+): X509\./.exec(line) ?? [];
    return subject === undefined || id === undefined ? [] : [{ subject, id }];
  });
  return keys.length === 0 ? undefined : keys;
}

/** A number as the kernel describes a key by it: without a first byte of nothing. */
export function asKeyDescription(hex: string): string {
  return hex.length > 2 && hex.startsWith("00") ? hex.slice(2) : hex;
}
