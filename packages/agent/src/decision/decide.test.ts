import type { AgentMemory } from "@suture/protocol";
import { placeOf } from "@suture/trust";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digest, FACTS, here, KERNEL, kept, LINE, MEMORY, NOW, offer, rollout, soaking, truth, withdrawal } from "../../test/truths.ts";
import { type Decision, decide, type Obstacle, wanted } from "./decide.ts";
import type { Facts, Truth } from "./facts.ts";

const place = placeOf(rollout(1).salt, FACTS.machineId);
const accepted = (counter: number): AgentMemory["accepted"][number] => ({
  sha256: digest(counter),
  name: `fix_${counter}`,
  release: KERNEL.release,
  counter,
  at: "2026-06-01T00:00:00Z",
});
const refused = (counter: number): AgentMemory["refused"][number] => ({ ...accepted(counter), code: "HOST_STUCK", why: "a task sleeps" });
const given = (facts: Partial<Facts>, of: Truth, memory: Partial<AgentMemory> = {}): Decision =>
  decide({ ...FACTS, ...facts }, of, { ...MEMORY, ...memory }, NOW);
const loads = ({ steps }: Decision): number | undefined =>
  steps.flatMap((step) => (step.do === "load" ? [step.offer.custom.counter] : []))[0];

test("the newest livepatch that a roll-out brings is loaded, with the longer of the two soaks", () => {
  const decision = given({}, truth([1, 3, 2], [rollout(1), rollout(2), rollout(3)]));
  expect(decision.steps).toMatchObject([{ do: "load", offer: { sha256: digest(3) }, rollout: { id: "to-3" }, seconds: 900 }]);
  expect(decision.why).toContain("the roll-out to-3 brings it");
  expect(given({ soakSeconds: 5000 }, truth([1], [rollout(1)])).steps).toMatchObject([{ seconds: 5000 }]);
});

const one = (more: Parameters<typeof rollout>[1]): Truth => truth([1], [rollout(1, more)]);
const window = { days: [], from: "20:00", to: "21:00", zone: "utc" as const };

test.each<[Obstacle, Partial<Facts>, Truth, Partial<AgentMemory>]>([
  ["withdrawn", {}, truth([1], [rollout(1)], [withdrawal(1, "do-not-load")]), {}],
  ["refused before", {}, truth([1], [rollout(1)]), { refused: [refused(1)] }],
  ["quarantined", { kept: [kept(1, "the machine went down")] }, truth([1], [rollout(1)]), {}],
  ["older", {}, truth([1], [rollout(1)]), { counters: { [LINE]: 2 } }],
  ["in effect", { present: [here(1)], kept: [kept(1)] }, truth([1], [rollout(1)]), { counters: { [LINE]: 1 } }],
  ["taken out by hand", { present: [here(1, false)], kept: [kept(1)] }, truth([1], [rollout(1)]), {}],
  ["in the store", { kept: [kept(1)] }, truth([1], [rollout(1)]), {}],
  ["no roll-out", {}, truth([1], []), {}],
  ["no roll-out", {}, one({ channel: "beta" }), {}],
  ["no roll-out", {}, one({ target: { sha256: digest(1), counter: 2 } }), {}],
  ["no roll-out", {}, one({ kernel: { ...KERNEL, buildId: "cd".repeat(20) } }), {}],
  ["held", {}, one({ state: "held" }), {}],
  ["held", {}, one({ state: "withdrawn" }), {}],
  ["other ring", { labels: ["web"] }, one({ rings: [{ label: "canary", share: 10_000 }] }), {}],
  ["too early", {}, one({ notBefore: "2026-06-10T12:00:01Z" }), {}],
  ["not its turn", {}, one({ rings: [{ label: "all", share: place }] }), {}],
  [
    "not its turn",
    { labels: ["web"] },
    one({
      rings: [
        { label: "web", share: 0 },
        { label: "all", share: 10_000 },
      ],
    }),
    {},
  ],
  ["window", {}, one({ windows: [window] }), {}],
  ["window", { windows: [window] }, one({}), {}],
  ["window", { windows: [window] }, one({ windows: [window], deadline: "2026-06-10T12:00:00Z" }), {}],
  ["other livepatch", { present: [{ name: "mine", sha256: undefined, inEffect: true }] }, one({}), {}],
])("%s: nothing is loaded, and it is said", (obstacle, facts, of, memory) => {
  const decision = given(facts, of, memory);
  expect(decision.steps).toEqual([]);
  expect(decision.verdicts).toMatchObject([{ obstacle }]);
  expect(decision.why).toContain(decision.verdicts[0]?.why);
  expect(decision.why).toMatch(/\w/);
});

test.each<[string, Partial<Facts>, Truth, Partial<AgentMemory>]>([
  ["its time has come", {}, one({ notBefore: "2026-06-10T12:00:00Z" }), {}],
  ["its place is below the share", {}, one({ rings: [{ label: "all", share: place + 1 }] }), {}],
  ["its label is the ring's", { labels: ["db", "canary"] }, one({ rings: [{ label: "canary", share: 10_000 }] }), {}],
  ["the roll-out is done, whatever the shares", {}, one({ state: "done", rings: [{ label: "canary", share: 1 }] }), {}],
  ["the deadline opens the policy's windows", {}, one({ windows: [window], deadline: "2026-06-10T12:00:00Z" }), {}],
  ["a window is open", { windows: [{ ...window, from: "12:00", to: "12:01" }] }, one({}), {}],
  ["what is in effect came from the repository", { present: [here(7)], kept: [kept(7)] }, one({}), { accepted: [accepted(7)] }],
  ["the same counter as was accepted", {}, one({}), { counters: { [LINE]: 1 } }],
  ["a counter of another kernel", {}, one({}), { counters: { "6.1.0-8-amd64 00": 9 } }],
  ["one roll-out is held, another brings it", {}, truth([1], [rollout(1, { state: "held" }), rollout(1, { id: "again" })]), {}],
])("%s: it is loaded", (_, facts, of, memory) => {
  expect(loads(given(facts, of, memory))).toBe(1);
});

test("what was not refused, and is older, is taken in its place only above the counter that was accepted", () => {
  const both = truth([1, 2], [rollout(1), rollout(2)]);
  expect(loads(given({}, both, { refused: [refused(2)] }))).toBe(1);
  expect(loads(given({ present: [here(1)], kept: [kept(1)] }, both, { refused: [refused(2)], counters: { [LINE]: 1 } }))).toBeUndefined();
  // In effect and newer: what comes by another roll-out is no step back.
  expect(loads(given({ present: [here(2)], kept: [kept(2)] }, both, {}))).toBeUndefined();
});

test.each<[string, Partial<Facts>, Parameters<typeof decide>[1], string]>([
  ["no repository", {}, { missing: "timestamp.json expired" }, "timestamp.json expired"],
  ["what has expired", {}, { ...one({}), expired: "policy was good until yesterday" }, "policy was good until yesterday"],
  ["another fleet", {}, truth([1], [rollout(1)], [], "test"), "fleet test"],
  [
    "another fleet's withdrawals",
    {},
    { ...one({}), withdrawals: { suture: 1, fleet: "test", counter: 1, entries: [withdrawal(9, "disable")] } },
    "fleet test",
  ],
  ["hold", { hold: "/etc/suture/hold is there" }, one({}), "/etc/suture/hold"],
  ["suture=off", { off: true }, one({}), "suture=off"],
  ["a transition", { moving: "fix" }, one({}), "fix is on its way"],
  ["no build-id", { buildId: undefined }, one({}), "build-id"],
  ["another kernel", { release: "6.1.0-8-amd64" }, one({}), "nothing for 6.1.0-8-amd64"],
  ["another build of the kernel", { buildId: "cd".repeat(20) }, one({}), "nothing for 6.1.0-7-amd64"],
  ["an empty repository", {}, truth([], []), "nothing for"],
])("%s: nothing is done, and it is said", (_, facts, of, why) => {
  const decision = decide({ ...FACTS, present: [here(9)], kept: [kept(9)], ...facts }, of, MEMORY, NOW);
  expect(decision.steps).toEqual([]);
  expect(decision.why).toContain(why);
});

test("without a truth what is loaded stays, and a person is warned", () => {
  const decision = decide(
    { ...FACTS, present: [here(1)], kept: [kept(1)] },
    { missing: "policy expired" },
    { ...MEMORY, accepted: [accepted(1)] },
    NOW,
  );
  expect(decision).toMatchObject({ steps: [], warnings: ["policy expired"] });
});

test("what was taken back is taken out, also when something has expired", () => {
  const of = { ...truth([1], [rollout(1)], [withdrawal(1, "disable")]), expired: "policy was good until yesterday" };
  expect(given({ present: [here(1)], kept: [kept(1)] }, of).steps).toMatchObject([{ do: "take out", name: "fix_1" }]);
});

test("a withdrawal takes out what is in the kernel or the store; the hold keeps it, and says so", () => {
  const out = (action: "disable" | "keep-reboot-wanted" | "do-not-load"): Truth => truth([1], [rollout(1)], [withdrawal(1, action)]);
  const there = { present: [here(1)], kept: [kept(1)] };
  expect(given(there, out("disable")).steps).toMatchObject([{ do: "take out", name: "fix_1", action: "disable" }]);
  expect(given({ present: [here(1)] }, out("disable")).steps).toMatchObject([{ do: "take out" }]);
  expect(given({ kept: [kept(1)] }, out("disable")).steps).toMatchObject([{ do: "take out" }]);
  expect(given(there, out("keep-reboot-wanted")).steps).toMatchObject([{ do: "take out", action: "keep-reboot-wanted" }]);
  expect(given({ present: [here(1)] }, out("keep-reboot-wanted")).steps).toEqual([]);
  expect(given(there, out("do-not-load")).steps).toEqual([]);
  const elsewhere = { keptElsewhere: [{ name: "fix_1", sha256: digest(1), release: "6.1.0-8-amd64" }] };
  expect(given(elsewhere, out("disable")).steps).toMatchObject([{ do: "take out", name: "fix_1", release: "6.1.0-8-amd64" }]);
  expect(given(elsewhere, out("do-not-load")).steps).toEqual(given({}, out("do-not-load")).steps);
  const held = given({ ...there, hold: "somebody works here" }, out("disable"));
  expect(held).toMatchObject({ steps: [], warnings: [expect.stringContaining("fix_1 is withdrawn")] });
  expect(given({ ...there, off: true }, out("disable")).steps).toMatchObject([{ do: "take out" }]);
});

test("what takes the place of a withdrawn one does not wait, but is held to all else", () => {
  const of = (more: Parameters<typeof rollout>[1], memory: Partial<AgentMemory> = {}): Decision =>
    given(
      { present: [here(1)], kept: [kept(1)], windows: [window] },
      truth([1, 2], [rollout(1), rollout(2, more)], [withdrawal(1, "replace", 2)]),
      memory,
    );
  const late = of({ rings: [{ label: "all", share: 0 }], notBefore: "2026-06-11T00:00:00Z" });
  expect(late.steps).toMatchObject([
    { do: "load", offer: { sha256: digest(2) } },
    { do: "take out", action: "replace" },
  ]);
  expect(loads(of({ state: "held" }))).toBeUndefined();
  expect(loads(of({ channel: "beta" }))).toBeUndefined();
  expect(loads(of({}, { refused: [refused(2)] }))).toBeUndefined();
});

test("while one soaks no other is loaded; one of an earlier boot is over; one that is withdrawn is over, too", () => {
  const two = truth([1, 2], [rollout(1), rollout(2)]);
  expect(given({ present: [here(1)] }, two, { soak: soaking(1) }).steps).toEqual([{ do: "soak" }]);
  expect(given({ moving: "fix_1" }, two, { soak: soaking(1, { phase: "loading" }) }).steps).toEqual([{ do: "soak" }]);
  expect(given({ moving: "fix_2" }, two, { soak: soaking(1, { phase: "loading" }) }).steps).toEqual([]);
  const before = { bootId: "another boot", uptime: 1, taint: "", log: 1 };
  for (const phase of ["loading", "soaking"] as const)
    expect(given({}, two, { soak: soaking(1, { phase, before }) }).steps).toMatchObject([{ do: "end soak", code: "AGENT_REBOOTED" }]);
  // A hold is about the kernel; what the machine remembers is put right all the same.
  expect(given({ hold: "x" }, two, { soak: soaking(1, { before }) }).steps).toMatchObject([{ do: "end soak" }]);
  expect(decide(FACTS, { missing: "expired" }, { ...MEMORY, soak: soaking(1) }, NOW).steps).toEqual([{ do: "soak" }]);
  const back = truth([1, 2], [rollout(1), rollout(2)], [withdrawal(1, "do-not-load")]);
  expect(given({ present: [here(1)] }, back, { soak: soaking(1) }).steps).toMatchObject([{ do: "end soak", code: "AGENT_WITHDRAWN" }]);
});

test("fetched is what would be loaded, also before its window opens", () => {
  expect(wanted(given({}, truth([1, 2], [rollout(1), rollout(2)]))).map(({ sha256 }) => sha256)).toEqual([digest(2)]);
  expect(wanted(given({}, one({ windows: [window] })))).toHaveLength(1);
  expect(wanted(given({}, one({ rings: [{ label: "all", share: place }] })))).toEqual([]);
  expect(wanted(given({}, one({ state: "held" })))).toEqual([]);
  expect(wanted(given({ present: [here(1)] }, one({})))).toEqual([]);
});

test("fetched is what is loaded now, also where a newer one waits for its window, or where it does not wait for its turn", () => {
  const both = given({}, truth([1, 2], [rollout(1), rollout(2, { windows: [window] })]));
  expect(loads(both)).toBe(1);
  expect(wanted(both).map(({ sha256 }) => sha256)).toEqual([digest(1), digest(2)]);
  const late = rollout(2, { rings: [{ label: "all", share: 0 }] });
  const urgent = given({ present: [here(1)], kept: [kept(1)] }, truth([1, 2], [late], [withdrawal(1, "replace", 2)]));
  expect(loads(urgent)).toBe(2);
  expect(wanted(urgent).map(({ sha256 }) => sha256)).toEqual([digest(2)]);
});

const counters = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 });
const anyMemory = fc.record({ highest: fc.integer({ min: 0, max: 6 }), refused: counters });
const anyRollout = fc.record({
  counter: fc.integer({ min: 1, max: 6 }),
  channel: fc.constantFrom("stable", "beta"),
  share: fc.constantFrom(0, 1, 5000, 10_000),
  label: fc.constantFrom("all", "web"),
  state: fc.constantFrom("rolling" as const, "held" as const, "done" as const, "withdrawn" as const),
});

test("whatever is published: what is loaded is offered, for this kernel, named by policy, not withdrawn, not refused, not older, not vetoed", () => {
  fc.assert(
    fc.property(
      counters,
      fc.array(anyRollout, { maxLength: 6 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
      anyMemory,
      counters,
      fc.record({ hold: fc.boolean(), off: fc.boolean(), moving: fc.boolean(), otherBuild: fc.boolean() }),
      (offered, rollouts, withdrawn, memory, loaded, veto) => {
        const facts: Partial<Facts> = {
          present: loaded.map((counter) => here(counter)),
          hold: veto.hold ? "a hold" : undefined,
          off: veto.off,
          moving: veto.moving ? "one" : undefined,
          ...(veto.otherBuild ? { buildId: "cd".repeat(20) } : {}),
        };
        const of = truth(
          offered,
          rollouts.map(({ counter, channel, share, label, state }) => rollout(counter, { channel, state, rings: [{ label, share }] })),
          withdrawn.map((counter) => withdrawal(counter, "disable")),
        );
        const decision = given(facts, of, { counters: { [LINE]: memory.highest }, refused: memory.refused.map(refused) });
        const counter = loads(decision);
        expect(decision.why).toMatch(/\w/);
        if (veto.hold || veto.moving) expect(decision.steps).toEqual([]);
        if (counter === undefined) return;
        expect(wanted(decision).map(({ custom }) => custom.counter)).toContain(counter);
        expect(veto.off || veto.otherBuild).toBe(false);
        expect(offered).toContain(counter);
        expect(withdrawn).not.toContain(counter);
        expect(memory.refused).not.toContain(counter);
        expect(loaded).not.toContain(counter);
        expect(counter).toBeGreaterThanOrEqual(memory.highest);
        expect(counter).toBeGreaterThanOrEqual(
          Math.max(0, ...loaded.filter((one) => offered.includes(one) && !withdrawn.includes(one) && !memory.refused.includes(one))),
        );
        const why = rollouts.filter(
          (one) =>
            one.counter === counter &&
            one.channel === "stable" &&
            (one.state === "done" || (one.state === "rolling" && one.label === "all" && place < one.share)),
        );
        expect(why).not.toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
});

test("a decision is a function: asked again of the same it is the same, and what it was asked of is as it was", () => {
  const of = truth([1, 2, 3], [rollout(1), rollout(2), rollout(3)], [withdrawal(2, "disable")]);
  const before = structuredClone(of);
  expect(given({}, of)).toEqual(given({}, of));
  expect(of).toEqual(before);
  expect(offer(1)).toEqual(offer(1));
});

test("where a server watches nothing is loaded before it has heard of just that, but what is done or takes the place of a withdrawn one", () => {
  const of = truth([1, 2], [rollout(1), rollout(2)]);
  const announced = (counter: number, rollOut: string): Truth => ({ ...of, announced: { sha256: digest(counter), rollOut } });
  expect(given({ watched: true }, of)).toMatchObject({
    steps: [],
    why: expect.stringContaining("before the fleet's server has heard of it"),
  });
  for (const other of [announced(1, "to-2"), announced(2, "to-1")]) expect(given({ watched: true }, other).steps).toEqual([]);
  expect(loads(given({ watched: true }, announced(2, "to-2")))).toBe(2);
  expect(loads(given({ watched: true }, truth([1], [rollout(1, { state: "done" })])))).toBe(1);
  const replaced = truth([1, 2], [rollout(2)], [withdrawal(1, "replace", 2)]);
  expect(loads(given({ watched: true, present: [here(1)] }, replaced))).toBe(2);
});
