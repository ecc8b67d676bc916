/** A machine's place in a roll-out. */
import { sha256 } from "@suture/files";

/**
 * From 0 to 9,999, evenly, and with another salt in another order: a machine takes a livepatch if its place is below the share of its ring.
 * The first 12 digits of the SHA-256 of salt, a line end and the machine's id (/etc/machine-id without its line end), as a hexadecimal number modulo 10,000.
 */
export function placeOf(salt: string, machineId: string): number {
  return Number.parseInt(sha256(`${salt}\n${machineId}`).slice(0, 12), 16) % 10_000;
}
