/** What may go where, and how far: the target policy/policy.json, which the role `policy` signs. The same for all machines; each decides alone what it means to it. */
import * as v from "valibot";
import { said } from "../said.ts";
import { counter, digest, instant, kernelLine, line, word } from "./parts.ts";

/** 10,000 are all. */
const basisPoints = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(10_000));
const clock = v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "a time such as 23:30 is needed"));

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export const ROLLOUT_STATES = ["rolling", "held", "done", "withdrawn"] as const;

export const windowSchema = v.strictObject({
  days: said(v.array(v.picklist(WEEKDAYS)), "on which it begins; none: every day"),
  from: clock,
  to: said(clock, "if it is not later than `from`, of the next day"),
  zone: v.picklist(["utc", "local"]),
});

export const rolloutSchema = v.strictObject({
  id: word,
  salt: said(v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)), "another one puts the machines in another order"),
  kernel: kernelLine,
  target: said(v.strictObject({ sha256: digest, counter }), "the livepatch: both are to be those that the role patches signed"),
  channel: said(word, "machines that follow another one are not meant"),
  rings: said(
    v.pipe(v.array(v.strictObject({ label: word, share: basisPoints })), v.minLength(1), v.maxLength(64)),
    "in order: a machine is in the first whose label it bears (`all`: every machine does), and takes the livepatch if its place (placeOf) is below that share",
  ),
  notBefore: v.nullable(instant),
  deadline: said(v.nullable(instant), "from then on `windows` do not matter any more"),
  windows: said(v.pipe(v.array(windowSchema), v.maxLength(64)), "in which it may be loaded; none: always"),
  soak: said(
    v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(30 * 86_400)),
    "seconds that it is watched before it is kept across reboots",
  ),
  state: said(
    v.picklist(ROLLOUT_STATES),
    "rolling: shares decide; held: nothing is loaded; done: every machine of the channel takes it; withdrawn: nothing is loaded, and never again",
  ),
});

export type Rollout = v.InferOutput<typeof rolloutSchema>;
export type Window = v.InferOutput<typeof windowSchema>;

export const policySchema = v.strictObject({
  suture: said(v.literal(1), "the version of this form"),
  fleet: said(word, "whom it is for: a machine of another fleet refuses it"),
  channels: v.pipe(v.array(word), v.maxLength(256)),
  rollouts: said(
    v.pipe(v.array(rolloutSchema), v.maxLength(1000)),
    "each lets the machines that it means take its livepatch; what a machine takes of several is its own to say (docs/agent.md)",
  ),
  note: said(v.nullable(line), "for people"),
});

export type Policy = v.InferOutput<typeof policySchema>;
