/** One roll-out to the simulated fleet, good or bad, from its start until it is over; and what it did to the machines. */
import { randomFrom } from "../power-cuts/cuts.ts";
import type { Found } from "../run.ts";
import type { Harm, SimulatedMachine } from "./machine.ts";
import { CANARIES, USUAL, type World } from "./world.ts";

export interface Scenario {
  name: string;
  /** Of all machines those on which it goes wrong, and how. */
  bad: number;
  harms: readonly Harm[];
  /** Of all machines those that reach nothing for a while, once the third stage is on. */
  cut?: number;
}

const ALL_HARMS: readonly Harm[] = ["trouble", "panic", "death"];

export const SCENARIOS: readonly Scenario[] = [
  { name: "good", bad: 0, harms: [] },
  { name: "1 % bad", bad: 0.01, harms: ALL_HARMS },
  { name: "0.1 % bad", bad: 0.001, harms: ALL_HARMS },
  { name: "1 % silent after the announced load", bad: 0.01, harms: ["death"] },
  { name: "good, and 60 % cut off", bad: 0, harms: [], cut: 0.6 },
  { name: "good, and 30 % cut off", bad: 0, harms: [], cut: 0.3 },
];

const SOAK = 900;
const STAGES = [
  { name: "canary", label: "canary", percent: 100, leastHosts: CANARIES - 5, leastHours: 1 },
  { name: "one", percent: 1, leastHosts: 50, leastHours: 1 },
  { name: "five", percent: 5, leastHosts: 200, leastHours: 1 },
  { name: "quarter", percent: 25, leastHosts: 1000, leastHours: 1 },
  { name: "all", percent: 100, leastHosts: 1000, leastHours: 1 },
];
/** Of the cut, after the third stage began and in which it lasts. */
const CUT = { after: 12, minutes: 90 };
/** People look after so long at a canary that waits, and let it go on. */
const PATIENCE = 240;
const BEFORE = 60;
const LONGEST = 30 * 60;
/** So long after a halt machines may still load what they had fetched before. */
const AFTER = 60;

function draw(machines: readonly SimulatedMachine[], { bad, harms }: Scenario, now: number, random: () => number): void {
  for (const machine of machines) {
    const isBad = random() < bad;
    const kind = harms[Math.floor(random() * harms.length)];
    const after = random() * SOAK * 1000;
    machine.renew(now, isBad && kind !== undefined ? { kind, after } : undefined);
  }
}

export async function played(world: World, scenario: Scenario, id: string, seed: number): Promise<Found> {
  const random = randomFrom(seed);
  for (let i = 0; i < 20; i++) random();
  draw(world.machines, scenario, world.now, random);
  // Everyday life, so that the server knows what is usual.
  for (let i = 0; i < BEFORE; i++) await world.minute(random, USUAL);
  await world.begun(id, { soak: SOAK, stages: STAGES });
  const began = world.now;
  const exposed = (): SimulatedMachine[] => world.machines.filter((machine) => machine.hasIt);
  const harmed = (): number => exposed().filter((machine) => machine.harm !== undefined).length;
  let skipped = 0;
  let thirdAt: number | undefined;
  let loadedInPause = 0;
  let shown = await world.shown(id);
  for (let minute = 1; minute <= LONGEST && shown.phase !== "held" && shown.phase !== "done"; minute++) {
    const before = exposed().length;
    const wasPaused = shown.phase === "paused";
    await world.minute(random, USUAL);
    shown = await world.shown(id);
    if (wasPaused && shown.phase === "paused") loadedInPause += exposed().length - before;
    if (shown.stage === 2) thirdAt ??= minute;
    if (scenario.cut !== undefined && thirdAt !== undefined) {
      if (minute === thirdAt + CUT.after) for (const machine of world.machines) machine.cut = random() < scenario.cut;
      if (minute === thirdAt + CUT.after + CUT.minutes) for (const machine of world.machines) machine.cut = false;
    }
    const isStuck = shown.phase === "rolling" && shown.stage === 0 && minute >= PATIENCE;
    if (isStuck) {
      await world.agreed(id, "skip");
      if ((await world.does("ada", id, "skip", { stage: 0 })) === 200) skipped += 1;
      shown = await world.shown(id);
    }
  }
  const minutes = Math.round((world.now - began) / 60_000);
  const atEnd = exposed().length;
  if (shown.phase === "held") for (let i = 0; i < AFTER; i++) await world.minute(random, USUAL);
  const deeds = await world.deeds(id);
  const more = {
    scenario: scenario.name,
    seed,
    phase: shown.phase,
    why: shown.why,
    stage: STAGES[shown.stage]?.name ?? "",
    minutes,
    exposed: atEnd,
    exposedEver: exposed().length,
    harmed: harmed(),
    halts: deeds.filter((what) => what === "roll-out halted").length,
    pauses: deeds.filter((what) => what === "roll-out paused").length,
    loadedInPause,
    skipped,
  };
  const wrong = faults(scenario, more);
  await world.does("ada", id, "withdraw");
  const outcome =
    `${more.phase} in stage ${more.stage} after ${minutes} min, exposed ${more.exposedEver} (${atEnd} at that moment), harmed ${more.harmed}` +
    `${more.pauses > 0 ? `, paused ${more.pauses} times` : ""}${skipped > 0 ? ", its canary skipped by people" : ""}: ${more.why}`;
  return { good: wrong.length === 0, outcome, ...(wrong.length === 0 ? {} : { why: wrong.join("; ") }), more };
}

interface Seen {
  phase: string;
  halts: number;
  pauses: number;
  loadedInPause: number;
}

function faults({ bad, cut }: Scenario, { phase, halts, pauses, loadedInPause }: Seen): string[] {
  const wrong: string[] = [];
  if (bad > 0 && halts !== 1) wrong.push(`it was not stopped: ${phase}`);
  if (bad === 0 && halts > 0) wrong.push("a false halt");
  if (bad === 0 && phase !== "done") wrong.push(`it was good and did not come to its end: ${phase}`);
  if (cut !== undefined && cut > 0.5 && pauses === 0) wrong.push("it did not pause");
  if (loadedInPause > 0) wrong.push(`${loadedInPause} machines loaded it while it was paused`);
  return wrong;
}
