/** Whom a roll-out lets in, as each machine decides of itself. Pure. */
import type { Rollout } from "@suture/protocol";
import { placeOf } from "@suture/trust";

/** @param labels that it has by its enrolment, and names itself */
export function isInvited(
  { salt, rings }: { salt: string | null; rings: Rollout["rings"] },
  { machineId, labels }: { machineId: string; labels: readonly string[] },
): boolean {
  if (salt === null) return false;
  const ring = rings.find(({ label }) => label === "all" || labels.includes(label));
  return ring !== undefined && placeOf(salt, machineId) < ring.share;
}
