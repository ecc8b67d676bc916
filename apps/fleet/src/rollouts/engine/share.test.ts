/** How many a stage lets in. */
import type { Stage } from "@suture/protocol";
import { placeOf } from "@suture/trust";
import fc from "fast-check";
import { expect, test } from "vitest";
import { saltFor } from "./salt.ts";
import { ringsOf, shareOf } from "./share.ts";

const counted = (hosts: number, label = "all"): Stage => ({ name: "some", hosts, label, leastHosts: 1, leastHours: 0 });
const machines = Array.from({ length: 40 }, (_, i) => String(i).padStart(32, "0"));
const letIn = (stage: Stage, salt: string): number => {
  const places = machines.map((machine) => placeOf(salt, machine));
  return places.filter((place) => place < shareOf(stage, places)).length;
};
/** The fourth and the fifth of the machines have one place. */
const tied = ((): string => {
  for (let i = 0; ; i++) {
    const salt = String(i).padStart(32, "0");
    if (letIn(counted(4), salt) < 4) return salt;
  }
})();

test("a stage that counts machines lets in no more where two have one place, and its salt is one by which they do not", () => {
  expect(letIn(counted(4), tied)).toBe(3);
  const draws = [tied, "f".repeat(32)];
  expect(
    saltFor(
      [counted(4)],
      () => machines,
      () => draws.shift() ?? "",
    ),
  ).toBe("f".repeat(32));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), (hosts) => {
      const stage = counted(hosts);
      expect(
        letIn(
          stage,
          saltFor([stage], () => machines),
        ),
      ).toBe(Math.min(hosts, machines.length));
    }),
  );
});

test("a salt is drawn where none is better than another: of more machines than places", () => {
  expect(saltFor([counted(1)], () => Array.from({ length: 40 }, () => "the same"))).toMatch(/^[0-9a-f]{32}$/);
});

test("a label that was let in stays so, and has no smaller share than all have", () => {
  const stages = [counted(2, "canary"), { name: "all", label: "all", percent: 50, leastHosts: 1, leastHours: 0 }];
  expect(ringsOf(stages, 0, () => [10, 20, 30])).toEqual([
    { label: "canary", share: 30 },
    { label: "all", share: 0 },
  ]);
  expect(ringsOf(stages, 1, () => [10, 20, 30])).toEqual([
    { label: "canary", share: 5000 },
    { label: "all", share: 5000 },
  ]);
});
