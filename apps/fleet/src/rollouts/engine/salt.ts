/** The order of a roll-out's machines. */
import type { Stage } from "@suture/protocol";
import { newSalt, placeOf } from "@suture/trust";

/** Of a fleet in which each place has many machines there is none that is better than another. */
const DRAWS = 100;

/**
 * One by which stages that count machines let in as many as they say: the last that comes in and the first that does not have places of their own.
 * @param machinesOf those that are known, by label: their ids
 */
export function saltFor(stages: readonly Stage[], machinesOf: (label: string) => readonly string[], draw = newSalt): string {
  let salt = draw();
  for (let i = 1; i < DRAWS && !parts(salt, stages, machinesOf); i++) salt = draw();
  return salt;
}

function parts(salt: string, stages: readonly Stage[], machinesOf: (label: string) => readonly string[]): boolean {
  return stages.every(({ label, hosts }) => {
    if (hosts === undefined) return true;
    const places = machinesOf(label)
      .map((machine) => placeOf(salt, machine))
      .sort((a, b) => a - b);
    return places[hosts] === undefined || places[hosts] !== places[hosts - 1];
  });
}
