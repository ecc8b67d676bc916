/** What passes between a machine and the fleet's server: enrolment, and reports. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";
import { hostLevelSchema } from "./knowledge.ts";
import { count, digest, hostId, label, line, publicKey, signature, time, word } from "./parts.ts";

const text = v.string();
/** Of other programs, or of people: as long as it may be. */
const words = (longest: number): v.SchemaWithPipe<readonly [v.StringSchema<undefined>, v.MaxLengthAction<string, number, undefined>]> =>
  v.pipe(text, v.maxLength(longest));

/** POST /v1/enrol. */
export const enrolRequestSchema = v.strictObject({
  token: said(words(200), "of `suture-fleet`, for one machine or for a group"),
  name: said(v.pipe(text, v.regex(/^[\w.-]{1,253}$/)), "of the machine"),
  machineId: said(v.pipe(text, v.regex(/^[0-9a-f]{32}$/)), "/etc/machine-id: its place in a roll-out comes of it"),
  publicKey: said(publicKey, "ed25519, its 32 bytes; the machine keeps the other half"),
  proof: said(signature, "with that key, of `suture enrol` and the token, the name and the machineId, a line each"),
});
export type EnrolRequest = v.InferOutput<typeof enrolRequestSchema>;

/** What is signed to enrol. */
export const enrolText = ({ token, name, machineId }: Omit<EnrolRequest, "proof" | "publicKey">): string =>
  `suture enrol\n${token}\n${name}\n${machineId}\n`;

export const HOST_STATES = ["pending", "approved", "refused", "retired"] as const;
export type HostState = (typeof HOST_STATES)[number];

export const enrolAnswerSchema = v.strictObject({
  host: said(hostId, "the machine's id from now on"),
  state: v.picklist(HOST_STATES),
});

/**
 * What a machine is and has; no time is in it, so that it is the same as long as nothing changes. What a newer machine says besides, an older server lets be:
 * else it would have to refuse all of it, and the machine would load nothing.
 */
export const hostReportStateSchema = v.object({
  release: words(200),
  buildId: v.nullable(v.pipe(text, v.regex(/^[0-9a-f]{16,64}$/))),
  version: maybe(said(words(100), "of the kernel's package, where it is Debian's")),
  fleet: words(100),
  channel: words(100),
  labels: v.pipe(v.array(label), v.maxLength(100)),
  beatSeconds: said(v.pipe(v.number(), v.safeInteger(), v.minValue(60), v.maxValue(30 * 86_400)), "so often it tells that nothing changed"),
  intent: v.nullable(said(v.object({ sha256: digest, rollOut: word }), "what it is about to load")),
  soak: v.nullable(
    said(
      v.object({
        sha256: digest,
        rollOut: word,
        phase: v.picklist(["loading", "soaking", "leaving"]),
        after: v.nullable(v.number()),
        failure: v.nullable(v.object({ code: words(64), why: words(500) })),
      }),
      "what it is trying; after: seconds after the load at which all was well; failure: why it is leaving, also where it cannot be taken out",
    ),
  ),
  livepatches: said(
    v.pipe(v.array(v.object({ name: words(100), sha256: v.nullable(digest), inEffect: v.boolean(), kept: v.boolean() })), v.maxLength(200)),
    "in its kernel",
  ),
  counter: said(count, "the highest that was accepted for its kernel; 0: none"),
  refused: said(
    v.pipe(v.array(v.object({ sha256: digest, code: words(64), why: words(500) })), v.maxLength(50)),
    "what it does not take again by itself",
  ),
  offers: said(
    v.pipe(
      v.array(v.object({ sha256: digest, counter: count, rollOut: v.nullable(word), obstacle: v.nullable(words(64)), why: words(500) })),
      v.maxLength(20),
    ),
    "what it makes of the repository's livepatches for its kernel, the newest first",
  ),
  failed: said(
    v.pipe(v.array(v.object({ what: words(64), name: words(100), code: words(64), why: words(500) })), v.maxLength(20)),
    "steps of its last run",
  ),
  rebootWanted: v.pipe(v.array(words(100)), v.maxLength(200)),
  hold: v.nullable(said(words(500), "why a person holds it")),
  problem: v.nullable(said(v.object({ code: words(64), why: words(500) }), "why it does not believe the repository")),
});
export type HostReportState = v.InferOutput<typeof hostReportStateSchema>;

/** The text of it is what a machine signs. */
export const reportBodySchema = v.object({
  "suture-report": v.literal(1),
  host: hostId,
  counter: said(v.pipe(v.number(), v.safeInteger(), v.minValue(1)), "greater with each report: a late or repeated one changes nothing"),
  at: said(time, "by its clock"),
  bootId: words(64),
  digest: said(digest, "which state it is: the machine's own SHA-256 of it"),
  state: maybe(said(hostReportStateSchema, "absent: it is still the one of the digest")),
});
export type ReportBody = v.InferOutput<typeof reportBodySchema>;

/** What is signed of a report. */
export const reportText = (body: string): string => `suture report\n${body}`;

export const LONGEST_REPORT = 64 * 1024;
export const MOST_REPORTS = 1000;

export const signedReportSchema = v.strictObject({
  host: hostId,
  body: said(v.pipe(text, v.maxLength(LONGEST_REPORT)), "JSON"),
  signature: said(signature, "of the machine's key, over `suture report`, a line end, and body"),
});
export type SignedReport = v.InferOutput<typeof signedReportSchema>;

/** POST /v1/reports: of one machine, or of many that a relay has collected. */
export const reportsSchema = v.strictObject({ reports: v.pipe(v.array(signedReportSchema), v.maxLength(MOST_REPORTS)) });

export const REPORT_OUTCOMES = ["taken", "held", "known", "whole wanted", "not approved", "no such host", "wrong"] as const;
export type ReportOutcome = (typeof REPORT_OUTCOMES)[number];

export const reportsAnswerSchema = v.strictObject({
  at: said(time, "the server's"),
  outcomes: said(
    v.array(v.picklist(REPORT_OUTCOMES)),
    "of each, in their order. taken, known: it is kept, or a newer one is. held: it is kept, and what it is about to load is by a roll-out that is not on its way. whole wanted: send the state with it. wrong: the signature, or the form",
  ),
});
export type ReportsAnswer = v.InferOutput<typeof reportsAnswerSchema>;

/** Tokens by which machines enrol. */
export const newEnrolTokenSchema = v.strictObject({
  name: line,
  limit: v.nullable(said(v.pipe(v.number(), v.integer(), v.minValue(1)), "of machines; 1: for one; null: any number")),
  days: said(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3650)), "that it is good"),
  approve: said(v.boolean(), "its machines need nobody's approval"),
  labels: said(v.pipe(v.array(label), v.maxLength(100)), "that its machines bear on the server"),
});
export const enrolTokenSchema = v.strictObject({ id: text, token: said(text, "it is not shown again") });
export const enrolTokensSchema = v.strictObject({
  tokens: v.array(
    v.strictObject({
      id: text,
      name: text,
      limit: v.nullable(v.number()),
      used: v.number(),
      approve: v.boolean(),
      labels: v.array(text),
      expires: time,
      revoked: v.nullable(time),
    }),
  ),
});

/** A machine, as the server's lists have it. */
export const fleetHostSchema = v.strictObject({
  id: hostId,
  name: text,
  state: v.picklist(HOST_STATES),
  labels: v.array(text),
  channel: v.nullable(text),
  release: v.nullable(text),
  buildId: v.nullable(text),
  counter: v.nullable(said(v.number(), "the highest that it has accepted for its kernel")),
  status: said(
    v.picklist(["never seen", "silent", "trouble", "reboot wanted", "held", "soaking", "well"]),
    "silent: nothing was heard of it for longer than is usual",
  ),
  seen: v.nullable(time),
  enrolled: time,
});
export type FleetHost = v.InferOutput<typeof fleetHostSchema>;
export const fleetHostsSchema = v.strictObject({
  hosts: v.array(fleetHostSchema),
  next: v.nullable(said(text, "`after` of the next page")),
});
export const fleetHostWholeSchema = v.strictObject({
  host: fleetHostSchema,
  report: v.nullable(hostReportStateSchema),
  level: v.nullable(said(hostLevelSchema, "what its kernel and livepatches come to")),
  events: v.array(v.strictObject({ at: time, what: text, detail: text })),
});
