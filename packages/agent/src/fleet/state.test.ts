import { hostReportStateSchema } from "@suture/protocol";
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { reportState, stateDigest } from "./state.ts";

const RUNNING = { fleet: "prod", channel: "stable", labels: [], release: "6.1.0-1-amd64", buildId: "5a".repeat(20), hold: undefined };
const SHA = "ab".repeat(32);
const RUN = {
  at: "2026-03-01T12:00:00.000Z",
  kernel: { release: RUNNING.release, buildId: RUNNING.buildId },
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
      const state = reportState({ ...RUNNING, hold: why }, given, undefined);
      expect(v.is(hostReportStateSchema, state)).toBe(true);
    }),
    { numRuns: 50 },
  );
});
