import { hostReportStateSchema } from "@suture/protocol";
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { beatIsDue, reportState, stateDigest } from "./state.ts";

const RUNNING = {
  fleet: "prod",
  channel: "stable",
  labels: [],
  beatSeconds: 3600,
  release: "6.1.0-1-amd64",
  buildId: "5a".repeat(20),
  version: "6.1.20-1",
  hold: undefined,
  bootId: "boot",
  present: [{ name: "fix", sha256: undefined, inEffect: false }],
  kept: [],
};
const SHA = "ab".repeat(32);
const RUN = {
  at: "2026-03-01T12:00:00.000Z",
  kernel: { release: RUNNING.release, buildId: RUNNING.buildId, bootId: RUNNING.bootId },
  fleet: "prod",
  channel: "stable",
  why: "",
  done: [{ what: "load", name: "fix", outcome: "failed", code: "HOST_STUCK", why: "it hangs" }],
  warnings: [],
  repository: { roles: [] },
  livepatches: [{ path: "patches/x/fix.ko", sha256: SHA, counter: 3, rollout: "fix", obstacle: "refused before", why: "it hangs" }],
  present: [{ name: "fix", sha256: SHA, inEffect: false, kept: false }],
  rebootWanted: [],
  soak: null,
  counters: { [`${RUNNING.release} ${RUNNING.buildId}`]: 3 },
  accepted: [],
  refused: [
    { sha256: SHA, name: "fix", release: RUNNING.release, counter: 3, code: "HOST_STUCK", why: "it hangs", at: "2026-03-01T12:00:00.000Z" },
  ],
} as const;

const run = (more: object = {}): Parameters<typeof reportState>[1] =>
  ({ ...structuredClone(RUN), ...more }) as unknown as Parameters<typeof reportState>[1];

test("says what the last run found, and is the same as long as that is", () => {
  const state = reportState(RUNNING, run(), undefined);
  expect(state).toMatchObject({
    counter: 3,
    livepatches: [{ name: "fix", sha256: SHA, inEffect: false }],
    refused: [{ sha256: SHA, code: "HOST_STUCK" }],
    failed: [{ what: "load", code: "HOST_STUCK" }],
    offers: [{ rollOut: "fix", obstacle: "refused before" }],
    intent: null,
  });
  expect(stateDigest(reportState(RUNNING, run({ at: "2026-03-02T12:00:00.000Z" }), undefined))).toBe(stateDigest(state));
  expect(stateDigest(reportState(RUNNING, run(), { sha256: SHA, rollOut: "fix" }))).not.toBe(stateDigest(state));
});

test("what is in effect is what the kernel has now: not what a run of another boot saw, nor what was taken out since", () => {
  const seen = { name: "fix", sha256: SHA, inEffect: true, kept: true };
  const kept = [{ name: "fix", sha256: SHA, quarantine: undefined }];
  const said = (more: { bootId?: string; present?: Parameters<typeof reportState>[0]["present"]; kept?: typeof kept }, of: object = {}) =>
    reportState({ ...RUNNING, ...more }, run({ present: [seen], rebootWanted: ["fix"], done: [], ...of }), undefined);
  const now = [{ name: "fix", sha256: undefined, inEffect: true }];
  expect(said({ present: now, kept })).toMatchObject({ livepatches: [seen], failed: [], rebootWanted: ["fix"] });
  expect(said({ present: [], kept })).toMatchObject({ livepatches: [], rebootWanted: [] });
  // The store was damaged, or suture=off was given: the agent did not come so far as to say so.
  expect(said({ present: [], kept, bootId: "the next boot" })).toMatchObject({ livepatches: [], failed: [{ what: "run" }] });
  // Something of that name is there; which file it is of nobody has looked at in this boot.
  expect(said({ present: now, kept, bootId: "the next boot" })).toMatchObject({
    livepatches: [{ name: "fix", sha256: null, inEffect: true }],
  });
  // By an agent that did not write down the boot.
  const { bootId: _, ...kernel } = RUN.kernel;
  expect(said({ present: now }, { kernel })).toMatchObject({ livepatches: [{ sha256: null }] });
  expect(said({ present: [{ name: "fix", sha256: undefined, inEffect: false }] })).toMatchObject({
    livepatches: [{ sha256: SHA, inEffect: false }],
  });
});

test("does not change when a roll-out goes on that is not for it yet", () => {
  const waiting = (obstacle: string, why: string) =>
    reportState(RUNNING, run({ livepatches: [{ ...RUN.livepatches[0], obstacle, why }] }), undefined);
  expect(waiting("not its turn", "at 100 of 10000")).toEqual(waiting("held", "the roll-out fix is held"));
  expect(waiting("not its turn", "")).not.toEqual(waiting("withdrawn", "pipes hang"));
});

test("a beat is due once in each hour of its own, whatever was told in between", () => {
  const ids = fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: 32, maxLength: 32 })
    .map((digits) => digits.map((digit) => digit.toString(16)).join(""));
  const minutes = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(ids, minutes, fc.array(fc.boolean(), { minLength: 144, maxLength: 144 }), (id, start, news) => {
      let sent = start * 60_000;
      const beats: number[] = [];
      for (const [i, isNews] of news.entries()) {
        const now = (start + (i + 1) * 10) * 60_000;
        const due = beatIsDue(sent, now, 3600, id);
        if (due) beats.push(i);
        if (due || isNews) sent = now;
      }
      // A day, run each ten minutes.
      expect(beats.length).toBeGreaterThanOrEqual(23);
      expect(beats.length).toBeLessThanOrEqual(24);
      for (let i = 1; i < beats.length; i++) expect((beats[i] ?? 0) - (beats[i - 1] ?? 0)).toBe(6);
    }),
  );
});

test("is what the server takes, however much there is and however long the words are", () => {
  const texts = fc.string({ unit: "binary", maxLength: 2000 });
  const many = fc.integer({ min: 0, max: 300 });
  fc.assert(
    fc.property(texts, many, (why, count) => {
      const list = <T>(one: T): T[] => Array.from({ length: count }, () => one);
      const given = run({
        done: list({ ...RUN.done[0], why }),
        livepatches: list({ ...RUN.livepatches[0], why }),
        present: list(RUN.present[0]),
        refused: list({ ...RUN.refused[0], why }),
        repository: { roles: [], problem: { code: "TRUST_FETCH", why } },
      });
      const state = reportState({ ...RUNNING, hold: why, present: list({ name: "fix", sha256: SHA, inEffect: true }) }, given, undefined);
      expect(v.is(hostReportStateSchema, state)).toBe(true);
      // Half a character would be written as an escape.
      expect(JSON.stringify(state)).not.toMatch(/\\ud[89a-f]/);
    }),
    { numRuns: 50 },
  );
});
