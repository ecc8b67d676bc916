/**
 * What a machine does next, and why; or why it does nothing. Decided by it alone, of what it is, what the repository says, and what it remembers: a pure
 * function, which any number of machines can be put through.
 */
import { type AgentMemory, lineOf, type Rollout, type Withdrawal } from "@suture/protocol";
import { placeOf } from "@suture/trust";
import { type Facts, isTruth, type NoTruth, type Offer, type Truth } from "./facts.ts";
import { isAnyOpen, windowText } from "./windows.ts";

/** What an offer waits for, or why it is not for this machine. */
export type Obstacle =
  | "withdrawn"
  | "refused before"
  | "quarantined"
  | "older"
  | "in effect"
  | "taken out by hand"
  | "in the store"
  | "no roll-out"
  | "held"
  | "other ring"
  | "too early"
  | "not its turn"
  | "window"
  | "other livepatch";

export interface Verdict {
  offer: Offer;
  /** Of several the one that would bring it first. */
  rollout: Rollout | undefined;
  /** Undefined: it is to be loaded. */
  obstacle: Obstacle | undefined;
  why: string;
}

export type Step =
  | { do: "end soak"; code: "AGENT_REBOOTED" | "AGENT_WITHDRAWN"; why: string }
  | { do: "soak" }
  | { do: "take out"; name: string; sha256: string; release: string; action: Withdrawal["action"]; why: string }
  | { do: "load"; offer: Offer; rollout: Rollout; seconds: number };

export interface Decision {
  steps: Step[];
  /** Of the last step; or why there is none. */
  why: string;
  verdicts: Verdict[];
  /** What a person should know. */
  warnings: string[];
  /** SHA-256 of those that are to go out of effect, wherever they are. */
  withdrawn: ReadonlySet<string>;
}

export function decide(facts: Facts, truth: Truth | NoTruth, memory: AgentMemory, now: Date): Decision {
  const followed = isTruth(truth) ? followedTruth(facts, truth) : truth;
  const taken = isTruth(followed) ? followed.withdrawals.entries.filter(({ action }) => action !== "do-not-load") : [];
  return { ...decided(facts, followed, memory, now), withdrawn: new Set(taken.map(({ sha256 }) => sha256)) };
}

type Decided = Omit<Decision, "withdrawn">;

function decided(facts: Facts, followed: Truth | NoTruth, memory: AgentMemory, now: Date): Decided {
  const warnings = isTruth(followed) ? (followed.expired === undefined ? [] : [followed.expired]) : [followed.missing];
  const withdrawn = isTruth(followed) ? followed.withdrawals.entries : [];
  const verdicts = isTruth(followed) ? verdictsOf(facts, followed, memory, now) : [];
  const nothing = (why: string): Decided => ({ steps: [], why, verdicts, warnings });
  const rebooted = rebootedStep(facts, memory);
  // Nothing of the kernel is changed by it.
  if (rebooted !== undefined) return { steps: [rebooted], why: rebooted.why, verdicts, warnings };
  if (facts.hold !== undefined) {
    const bad = takeOutSteps(facts, memory, withdrawn).map(
      ({ name, why }) => `${name} is withdrawn, and stays as long as the hold: ${why}`,
    );
    return { steps: [], why: `held by this machine: ${facts.hold}`, verdicts, warnings: [...warnings, ...bad] };
  }
  const { soak } = memory;
  // A run that was killed leaves one on its way: it is seen through.
  if (facts.moving !== undefined && facts.moving !== soak?.name)
    return nothing(`${facts.moving} is on its way in or out: the kernel does one at a time`);
  const back = withdrawn.find(({ sha256 }) => sha256 === soak?.sha256);
  if (soak !== null && back !== undefined) {
    const step: Step = { do: "end soak", code: "AGENT_WITHDRAWN", why: `${soak.name} was withdrawn: ${back.reason}` };
    return { steps: [step], why: step.why, verdicts, warnings };
  }
  const out = takeOutSteps(facts, memory, withdrawn);
  const load = soak === null ? loadStep(facts, followed, verdicts, withdrawn) : undefined;
  // What is replaced stays until its replacement is there, or is not to be had.
  const later = out.filter(({ action }) => action === "replace");
  const steps: Step[] = [
    ...out.filter((step) => !later.includes(step)),
    ...(soak === null ? [] : [{ do: "soak" } as const]),
    ...(load?.step === undefined ? [] : [load.step]),
    ...later,
  ];
  const why = [...out.map((step) => step.why), soak === null ? (load?.why ?? "") : `${soak.name} is in its soak`];
  return { steps, why: why.filter((text) => text !== "").join("; "), verdicts, warnings };
}

/** A policy that is of another fleet, or of none, says nothing to this machine. */
function followedTruth({ fleet }: Facts, truth: Truth): Truth | NoTruth {
  const other = [truth.policy, truth.withdrawals].find((one) => one.fleet !== fleet);
  return other === undefined ? truth : { missing: `the repository is of the fleet ${other.fleet}, and this machine of ${fleet}` };
}

function rebootedStep({ bootId }: Facts, { soak }: AgentMemory): (Step & { do: "end soak" }) | undefined {
  if (soak === null || soak.before.bootId === bootId) return undefined;
  const when = soak.phase === "loading" ? "while it was being loaded" : "in its soak";
  return { do: "end soak", code: "AGENT_REBOOTED", why: `the machine went down with ${soak.name} ${when}` };
}

/** Of what is withdrawn and is here: in the kernel, or kept for the next boot, of whichever kernel. */
function takeOutSteps(facts: Facts, { soak }: AgentMemory, withdrawn: readonly Withdrawal[]): (Step & { do: "take out" })[] {
  return withdrawn.flatMap(({ sha256, action, reason }) => {
    if (sha256 === soak?.sha256 || action === "do-not-load") return [];
    const other = facts.keptElsewhere.find((one) => one.sha256 === sha256);
    if (other !== undefined)
      return [{ do: "take out", ...other, action, why: `${other.name}, kept for ${other.release}, was withdrawn: ${reason}` }];
    const kept = facts.kept.find((one) => one.sha256 === sha256);
    const present = facts.present.find((one) => one.sha256 === sha256 && one.inEffect);
    // What stays in the kernel until the next boot is only not to come back with it.
    if (kept === undefined && (present === undefined || action === "keep-reboot-wanted")) return [];
    const name = kept?.name ?? present?.name ?? "";
    return [{ do: "take out", name, sha256, release: facts.release, action, why: `${name} was withdrawn: ${reason}` }];
  });
}

function loadStep(
  facts: Facts,
  truth: Truth | NoTruth,
  verdicts: readonly Verdict[],
  withdrawn: readonly Withdrawal[],
): { step?: Step; why: string } {
  if (!isTruth(truth)) return { why: `nothing new is loaded: ${truth.missing}` };
  if (truth.expired !== undefined) return { why: `nothing new is loaded: ${truth.expired}` };
  if (facts.off) return { why: "nothing is loaded: suture=off was given to the kernel" };
  if (facts.buildId === undefined) return { why: "nothing is loaded: the kernel does not tell its build-id" };
  if (verdicts.length === 0) return { why: `the repository has nothing for ${facts.release} with build-id ${facts.buildId}` };
  // What takes the place of a withdrawn one does not wait for its turn or for a window; all else holds for it.
  const urgent = new Set(
    withdrawn.flatMap(({ sha256, replacement: by }) =>
      by !== null && [...facts.present, ...facts.kept].some((one) => one.sha256 === sha256) ? [by] : [],
    ),
  );
  const chosen = verdicts.find(
    ({ offer, obstacle }) =>
      obstacle === undefined ||
      (urgent.has(offer.sha256) && (obstacle === "window" || obstacle === "not its turn" || obstacle === "too early")),
  );
  const highest = Math.max(0, ...verdicts.filter(({ obstacle }) => obstacle === "in effect").map(({ offer }) => offer.custom.counter));
  if (chosen?.rollout === undefined || chosen.offer.custom.counter <= highest) return { why: newestText(verdicts) };
  const { offer, rollout } = chosen;
  const isAnnounced = truth.announced?.sha256 === offer.sha256 && truth.announced.rollOut === rollout.id;
  // What may have to be stopped is not begun where nobody sees it.
  if (facts.watched && rollout.state === "rolling" && !isAnnounced && !urgent.has(offer.sha256))
    return { why: `nothing is loaded by the roll-out ${rollout.id} before the fleet's server has heard of it` };
  const seconds = Math.max(facts.soakSeconds, chosen.rollout.soak);
  return { step: { do: "load", offer: chosen.offer, rollout: chosen.rollout, seconds }, why: `${chosen.offer.path}: ${chosen.why}` };
}

/** The newest, which is what people ask after. */
function newestText(verdicts: readonly Verdict[]): string {
  const [newest, ...older] = verdicts;
  const more = older.length === 0 ? "" : `; of ${older.length} older ones none is to be loaded, either`;
  return newest === undefined ? "" : `${newest.offer.path}: ${newest.why}${more}`;
}

/** Of each livepatch for the kernel that runs, the newest first. */
function verdictsOf(facts: Facts, truth: Truth, memory: AgentMemory, now: Date): Verdict[] {
  return truth.offers
    .filter(({ custom: { kernel } }) => kernel.release === facts.release && kernel.buildId === facts.buildId)
    .sort((a, b) => b.custom.counter - a.custom.counter)
    .map((offer) => verdictOf(facts, truth, memory, now, offer));
}

function verdictOf(facts: Facts, truth: Truth, memory: AgentMemory, now: Date, offer: Offer): Verdict {
  const because = (obstacle: Obstacle | undefined, why: string, rollout?: Rollout): Verdict => ({ offer, rollout, obstacle, why });
  const {
    sha256,
    custom: { counter, kernel },
  } = offer;
  const withdrawn = truth.withdrawals.entries.find((one) => one.sha256 === sha256);
  if (withdrawn !== undefined) return because("withdrawn", `it was withdrawn: ${withdrawn.reason}`);
  const refused = memory.refused.find((one) => one.sha256 === sha256);
  if (refused !== undefined)
    return because("refused before", `this machine did not take it on ${refused.at}: ${refused.code}, ${refused.why}`);
  const kept = facts.kept.find((one) => one.sha256 === sha256);
  if (kept?.quarantine !== undefined) return because("quarantined", `the crash guard keeps it out: ${kept.quarantine}`);
  const present = facts.present.find((one) => one.sha256 === sha256);
  if (present?.inEffect === true) return because("in effect", "it is in effect");
  if (present !== undefined)
    return because("taken out by hand", "it was taken out of effect on this machine; `suture enable` brings it back");
  if (kept !== undefined) return because("in the store", "it is kept for boot, and not in the kernel; `suture boot` loads it");
  const highest = memory.counters[lineOf(kernel)] ?? 0;
  if (counter < highest) return because("older", `its counter is ${counter}, and ${highest} was accepted already`);
  const foreign = facts.present.find((one) => one.inEffect && !isOurs(one.sha256, truth, memory));
  if (foreign !== undefined) return because("other livepatch", `${foreign.name} is in effect, which is not of the repository`);
  return admitted(facts, truth, now, offer);
}

function isOurs(sha256: string | undefined, { offers, withdrawals }: Truth, { accepted }: AgentMemory): boolean {
  return sha256 !== undefined && [...offers, ...withdrawals.entries, ...accepted].some((one) => one.sha256 === sha256);
}

/** By the first roll-out that lets it in; else what the one says that comes nearest. */
function admitted(facts: Facts, { policy }: Truth, now: Date, offer: Offer): Verdict {
  const found = policy.rollouts
    .filter((rollout) => brings(rollout, offer, facts))
    .map((rollout) => ({ offer, rollout, ...hindrance(facts, rollout, now) }));
  const nearest = found.sort((a, b) => nearness(b) - nearness(a))[0];
  return nearest ?? { offer, rollout: undefined, obstacle: "no roll-out", why: `no roll-out brings it to the channel ${facts.channel}` };
}

/** Policy and targets were signed by different people: both are to mean the same. */
function brings({ channel, target, kernel }: Rollout, { sha256, custom }: Offer, facts: Facts): boolean {
  return (
    channel === facts.channel &&
    target.sha256 === sha256 &&
    target.counter === custom.counter &&
    kernel.release === custom.kernel.release &&
    kernel.buildId === custom.kernel.buildId
  );
}

const NEARER: readonly (Obstacle | undefined)[] = ["held", "other ring", "too early", "not its turn", "window", undefined];
const nearness = ({ obstacle }: { obstacle: Obstacle | undefined }): number => NEARER.indexOf(obstacle);
/** The ring of every machine. */
const ALL = "all";
/** The share of all machines. */
const ALL_SHARES = 10_000;

function hindrance(facts: Facts, rollout: Rollout, now: Date): { obstacle: Obstacle | undefined; why: string } {
  const { id, rings, notBefore, deadline, salt, windows, state } = rollout;
  if (state === "held" || state === "withdrawn") return { obstacle: "held", why: `the roll-out ${id} is ${state}` };
  const ring = rings.find(({ label }) => label === ALL || facts.labels.includes(label));
  const share = state === "done" ? ALL_SHARES : ring?.share;
  if (share === undefined)
    return {
      obstacle: "other ring",
      why: `the roll-out ${id} is for machines with the label ${rings.map(({ label }) => label).join(" or ")}`,
    };
  if (notBefore !== null && now < new Date(notBefore)) return { obstacle: "too early", why: `the roll-out ${id} begins at ${notBefore}` };
  const place = placeOf(salt, facts.machineId);
  if (place >= share)
    return { obstacle: "not its turn", why: `the roll-out ${id} is at ${share} of ${ALL_SHARES}, and this machine's place is ${place}` };
  const overdue = deadline !== null && now >= new Date(deadline);
  const those = [
    [`the roll-out ${id}`, overdue ? [] : windows],
    ["this machine", facts.windows],
  ] as const;
  for (const [whose, list] of those)
    if (!isAnyOpen(list, now, facts.zone)) return { obstacle: "window", why: `${whose} loads only ${list.map(windowText).join(", or ")}` };
  return { obstacle: undefined, why: `the roll-out ${id} brings it` };
}

/** Those whose module should be at hand: what is to be loaded now, and the newest that only waits for its window or for the end of a soak. */
export function wanted({ steps, verdicts }: Decision): Offer[] {
  const now = steps.flatMap((step) => (step.do === "load" ? [step.offer] : []));
  const next = verdicts.find(({ obstacle }) => obstacle === undefined || obstacle === "window");
  return [...new Set(next === undefined ? now : [...now, next.offer])];
}

/** What it is about to load. */
export function intentOf({ steps }: Decision): { sha256: string; rollOut: string } | undefined {
  const step = steps.find((one) => one.do === "load");
  return step?.do === "load" ? { sha256: step.offer.sha256, rollOut: step.rollout.id } : undefined;
}
