import type { Stage, Tally } from "@suture/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chanceOf, lowerBound, surplus } from "./chance.ts";
import { ringsOf, shareOf } from "./share.ts";
import { type Course, verdictOf } from "./verdict.ts";

const LIMITS = { failures: 3, failurePercent: 0.5, refusalPercent: 5, silentMinutes: 25 };
const TALLY: Tally = {
  exposed: 0,
  succeeded: 0,
  soaking: 0,
  failed: 0,
  crashed: 0,
  booted: 0,
  refused: 0,
  silent: 0,
  lost: 0,
  eligible: 1000,
};
const stage = (name: string, more: Partial<Stage> = {}): Stage => ({
  name,
  label: "all",
  percent: 1,
  leastHosts: 10,
  leastHours: 1,
  ...more,
});
const STAGES = [stage("canary"), stage("some", { percent: 5 }), stage("all", { percent: 100 })];
const QUIET = { known: 1000, lost: 5, expected: 1000, heard: 995, recent: 1000, overdue: 5, bootRate: 0.0014 };

function course(tally: Partial<Tally>, more: Partial<Course> = {}): Course {
  const whole = { ...TALLY, ...tally };
  return {
    stages: STAGES,
    limits: LIMITS,
    stage: 0,
    stageHours: 2,
    soakSeconds: 900,
    tally: whole,
    // As in a first stage.
    here: {
      succeeded: whole.succeeded,
      wrong: whole.failed + whole.crashed + whole.booted + whole.refused,
      open: whole.soaking + whole.silent,
      exposed: whole.exposed,
    },
    usual: QUIET,
    ...more,
  };
}
const verdict = (tally: Partial<Tally>, more: Partial<Course> = {}): string => verdictOf(course(tally, more)).do;

const n = fc.nat({ max: 2000 });
const tallies: fc.Arbitrary<Tally> = fc
  .record({
    succeeded: n,
    soaking: n,
    failed: fc.nat({ max: 20 }),
    crashed: fc.nat({ max: 5 }),
    booted: fc.nat({ max: 20 }),
    refused: fc.nat({ max: 100 }),
    silent: fc.nat({ max: 50 }),
    lost: fc.nat({ max: 20 }),
    eligible: n,
  })
  .map((tally) => ({ ...tally, exposed: tally.succeeded + tally.soaking + tally.failed + tally.crashed + tally.booted + tally.silent }));
const usuals = fc
  .record({
    expected: fc.nat({ max: 5000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    late: fc.double({ min: 0, max: 1, noNaN: true }),
    bootRate: fc.double({ min: 0, max: 0.1, noNaN: true }),
  })
  .map(({ expected, share, late, bootRate }) => ({
    known: expected,
    lost: 0,
    expected,
    heard: Math.round(expected * share),
    recent: expected,
    overdue: Math.round(expected * late),
    bootRate,
  }));
const courses: fc.Arbitrary<Course> = fc
  .record({ tally: tallies, usual: usuals, at: fc.nat({ max: 2 }), hours: fc.double({ min: 0, max: 100, noNaN: true }), here: n })
  .map(({ tally, usual, at, hours, here }) =>
    course(tally, {
      usual,
      stage: at,
      stageHours: hours,
      here: { succeeded: Math.min(here, tally.succeeded), wrong: tally.failed, open: tally.soaking, exposed: tally.exposed },
    }),
  );
const goesOn = (of: Course): boolean => ["advance", "done"].includes(verdictOf(of).do);

describe("a stage", () => {
  test("is passed by successes and by time, never by one of them alone", () => {
    expect(verdict({ exposed: 12, succeeded: 12 })).toBe("advance");
    expect(verdict({ exposed: 9, succeeded: 9 })).toBe("wait");
    expect(verdict({ exposed: 12, succeeded: 12 }, { stageHours: 0.9 })).toBe("wait");
    expect(verdict({ exposed: 30, succeeded: 12, soaking: 18 })).toBe("wait");
    expect(verdict({ exposed: 12, succeeded: 12 }, { stage: 2 })).toBe("done");
    fc.assert(fc.property(courses, (of) => !goesOn({ ...of, here: { ...of.here, succeeded: 0 } })));
    fc.assert(fc.property(courses, (of) => !goesOn({ ...of, stageHours: 0.99 })));
  });

  test("that has fewer machines than it asks for is passed by all of them", () => {
    expect(verdict({ exposed: 4, succeeded: 4, eligible: 4 })).toBe("advance");
    expect(verdict({ exposed: 3, succeeded: 3, eligible: 4 })).toBe("wait");
    expect(verdict({ exposed: 4, succeeded: 3, failed: 1, eligible: 4 }, { stage: 1 })).toBe("advance");
    expect(verdict({ eligible: 0 })).toBe("wait");
    expect(verdictOf(course({ eligible: 0 })).why).toContain("lets no machine in");
    // What earlier stages have failed on says nothing of how many this one has.
    const here = { succeeded: 4, wrong: 0, open: 0, exposed: 4 };
    expect(verdict({ exposed: 902, succeeded: 900, failed: 2, eligible: 6 }, { stage: 1, here })).toBe("wait");
  });

  test("waits for a person where it failed on one of the first, or one of them would not take it", () => {
    expect(verdict({ exposed: 12, succeeded: 11, failed: 1 })).toBe("wait");
    expect(verdict({ exposed: 12, succeeded: 11, refused: 1 })).toBe("wait");
    expect(verdict({ exposed: 12, succeeded: 11, failed: 1 }, { stage: 1 })).toBe("advance");
  });

  test("waits for those that are on their way in it, however many came before", () => {
    const here = { succeeded: 20, wrong: 0, open: 5, exposed: 25 };
    expect(verdict({ exposed: 900, succeeded: 895, soaking: 5 }, { stage: 1, here })).toBe("wait");
    expect(verdict({ exposed: 900, succeeded: 895, soaking: 5 }, { stage: 1, here: { ...here, open: 2, exposed: 22 } })).toBe("advance");
  });

  test("is not passed because more went wrong, and a halt is not lifted by it", () => {
    const worse = fc.constantFrom("failed", "crashed" as const);
    fc.assert(
      fc.property(courses, worse, fc.integer({ min: 1, max: 5 }), (of, what, more) => {
        const then = { ...of, tally: { ...of.tally, [what]: of.tally[what] + more, exposed: of.tally.exposed + more } };
        if (verdictOf(of).do === "halt" && of.tally.refused < 5 && of.tally.booted + of.tally.silent === 0)
          expect(verdictOf(then).do).toBe("halt");
        if (!goesOn(of)) expect(goesOn(then) && verdictOf(of).do === "halt").toBe(false);
      }),
    );
  });
});

describe("it halts", () => {
  test("by one machine with trouble in the canary, and by the number that was given later", () => {
    expect(verdict({ exposed: 50, succeeded: 49, crashed: 1 })).toBe("halt");
    expect(verdict({ exposed: 900, succeeded: 898, crashed: 2 }, { stage: 1 })).not.toBe("halt");
    expect(verdict({ exposed: 900, succeeded: 897, crashed: 2, failed: 1 }, { stage: 1 })).toBe("halt");
    fc.assert(fc.property(courses, (of) => of.tally.crashed + of.tally.failed < LIMITS.failures || verdictOf(of).do === "halt"));
  });

  test("by the rate, as far as it is certain", () => {
    const limits = { ...LIMITS, failures: 1000 };
    expect(verdict({ exposed: 22, succeeded: 20, failed: 2 }, { stage: 1, limits })).toBe("halt");
    expect(verdict({ exposed: 201, succeeded: 200, failed: 1 }, { stage: 1, limits })).not.toBe("halt");
    expect(verdict({ exposed: 10, succeeded: 8, failed: 2 }, { stage: 1, limits })).not.toBe("halt");
  });

  test("by silence that is not usual, and not by a cut network, which pauses it", () => {
    expect(verdict({ exposed: 50, succeeded: 47, silent: 3 })).toBe("halt");
    expect(verdict({ exposed: 50, succeeded: 49, silent: 1 })).toBe("wait");
    expect(verdict({ exposed: 500, succeeded: 490, silent: 10 }, { stage: 1 })).toBe("halt");
    expect(verdict({ exposed: 500, succeeded: 300, silent: 200 }, { stage: 1, usual: { ...QUIET, heard: 300 } })).toBe("pause");
    // One in ten is missing everywhere.
    expect(verdict({ exposed: 50, succeeded: 45, silent: 5 }, { usual: { ...QUIET, heard: 900 } })).not.toBe("halt");
    // It is there again: those that are back report all at once, and those that are not yet are late.
    const back = { ...QUIET, heard: 1500, overdue: 300 };
    expect(verdict({ exposed: 121, succeeded: 67, soaking: 27, silent: 27 }, { stage: 2, usual: back })).not.toBe("halt");
    expect(verdict({ exposed: 121, succeeded: 67, soaking: 27, silent: 27 }, { stage: 2, usual: { ...back, overdue: 5 } })).toBe("halt");
    expect(verdict({ exposed: 121, succeeded: 67, silent: 54 }, { stage: 2, usual: { ...back, overdue: 550 } })).toBe("pause");
    // Few others: nothing tells that it is the network.
    expect(verdict({ exposed: 3, succeeded: 2, silent: 1 }, { usual: { ...QUIET, known: 2, expected: 2, heard: 0, bootRate: 0 } })).toBe(
      "halt",
    );
  });

  test("by machines that took it and are not heard of since, more than of all others", () => {
    const few = { known: 0, lost: 0, expected: 0, heard: 0, recent: 0, overdue: 0, bootRate: 0 };
    expect(verdict({ exposed: 40, succeeded: 34, lost: 6 }, { stage: 2, usual: few })).toBe("halt");
    expect(verdict({ exposed: 40, succeeded: 38, lost: 2 }, { stage: 2, usual: few })).not.toBe("halt");
    expect(verdict({ exposed: 5, succeeded: 3, lost: 2 }, { usual: few })).toBe("halt");
    expect(verdict({ exposed: 1000, succeeded: 990, lost: 10 }, { stage: 1 })).not.toBe("halt");
    expect(verdict({ exposed: 1000, succeeded: 970, lost: 30 }, { stage: 1 })).toBe("halt");
    // A tenth of all is switched off for the night.
    expect(verdict({ exposed: 1000, succeeded: 890, lost: 110 }, { stage: 1, usual: { ...QUIET, lost: 100 } })).not.toBe("halt");
  });

  test("a cut network never takes it further", () => {
    fc.assert(fc.property(courses, (of) => !goesOn({ ...of, usual: { ...of.usual, expected: 100, heard: 49 } })));
  });

  test("by boots in the soak beyond those of every day", () => {
    expect(verdict({ exposed: 20, succeeded: 19, booted: 1 })).toBe("halt");
    expect(verdict({ exposed: 9000, succeeded: 8997, booted: 3 }, { stage: 2 })).not.toBe("halt");
    expect(verdict({ exposed: 9000, succeeded: 8980, booted: 20 }, { stage: 2 })).toBe("halt");
  });

  test("by refusals: the build is bad", () => {
    expect(verdict({ exposed: 0, succeeded: 3, refused: 5 })).toBe("halt");
    expect(verdict({ exposed: 1000, succeeded: 1000, refused: 5 }, { stage: 1 })).not.toBe("halt");
  });
});

describe("chance", () => {
  test("bounds are bounds", () => {
    fc.assert(
      fc.property(n, n, (a, b) => {
        const [bad, all] = [Math.min(a, b), Math.max(a, b)];
        const bound = lowerBound(bad, all);
        expect(bound).toBeGreaterThanOrEqual(0);
        expect(bound).toBeLessThanOrEqual(all === 0 ? 0 : bad / all + 1e-12);
        expect(lowerBound(bad + 1, all + 1)).toBeGreaterThanOrEqual(bound);
      }),
    );
  });

  test("of Poisson, as tables have it, and without end for what is large", () => {
    expect(chanceOf(1, 0.01)).toBeCloseTo(0.00995, 5);
    expect(chanceOf(5, 2)).toBeCloseTo(0.05265, 4);
    expect(chanceOf(0, 5)).toBe(1);
    expect(chanceOf(1, 0)).toBe(0);
    expect(chanceOf(1000, 1000)).toBeCloseTo(0.5, 1);
    expect(surplus(5, 5, 0.01)).toBe(0);
    expect(surplus(50, 5, 0.01)).toBe(45);
  });
});

describe("shares", () => {
  const places = fc.array(fc.nat({ max: 9999 }), { maxLength: 300 });

  test("of a number of machines let in no more than that, and all if there are no more", () => {
    fc.assert(
      fc.property(places, fc.integer({ min: 1, max: 400 }), (all, hosts) => {
        const { percent: _, ...rest } = stage("x");
        const share = shareOf({ ...rest, hosts }, all);
        const let_in = all.filter((place) => place < share).length;
        expect(let_in).toBeLessThanOrEqual(hosts);
        if (hosts >= all.length) expect(let_in).toBe(all.length);
        // Nobody who comes later, and lies behind them.
        if (hosts >= all.length) expect(share).toBe(Math.max(-1, ...all) + 1);
        if (new Set(all).size === all.length) expect(let_in).toBe(Math.min(hosts, all.length));
      }),
    );
  });

  test("never fall from stage to stage, for a machine of any labels", () => {
    const labels = ["all", "canary", "web"];
    const stages = fc.array(fc.record({ label: fc.constantFrom(...labels), percent: fc.integer({ min: 1, max: 100 }) }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(stages, fc.subarray(labels), (given, bears) => {
        const all = given.map(({ label, percent }, i) => stage(`s${i}`, { label, percent }));
        const mine = (on: number): number =>
          ringsOf(all, on, () => []).find(({ label }) => label === "all" || bears.includes(label))?.share ?? 0;
        // A label that comes later may take a machine out of a ring that came before it; what counts is that its share is no smaller.
        for (let on = 1; on < all.length; on++) expect(mine(on)).toBeGreaterThanOrEqual(mine(on - 1));
      }),
    );
  });
});
