/** What the agent reads and keeps on its machine: its configuration, and what it remembers from one run to the next. */
import * as v from "valibot";
import { windowSchema } from "./repository/policy.ts";
import { maybe, said } from "./said.ts";

const text = v.string();
const word = v.pipe(text, v.regex(/^[\w.-]+$/, "no word of letters, digits, dots, hyphens and underscores"));
const sha256 = v.pipe(text, v.regex(/^[0-9a-f]{64}$/, "no SHA-256"));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const url = v.pipe(text, v.regex(/^(https?|file):\/\/\S+$/, "no address that begins with https://, http:// or file://"));
/** As of a policy, and of any zone besides: a policy is for machines everywhere, a configuration is for one. */
const localWindowSchema = v.strictObject({
  ...windowSchema.entries,
  days: v.optional(windowSchema.entries.days, []),
  zone: v.optional(
    said(
      v.pipe(text, v.check(isZone, "neither utc, local nor a time zone that is known here")),
      "utc, local, or one such as Europe/Berlin",
    ),
    "local",
  ),
});

function isZone(name: string): boolean {
  if (name === "local") return true;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const path = v.pipe(text, v.regex(/^\//, "no path that begins with /"));

export const probeSchema = v.strictObject({
  name: word,
  run: said(v.pipe(text, v.minLength(1)), "for /bin/sh; it has failed if it ends with anything but 0"),
  seconds: v.optional(said(v.pipe(v.number(), v.minValue(1)), "it has failed if it runs longer; 30 unless given"), 30),
});

export type Probe = v.InferOutput<typeof probeSchema>;

/** /etc/suture/agent.json. */
export const agentConfigurationSchema = v.strictObject({
  "suture-agent": said(v.literal(1), "the version of this form"),
  repositories: said(
    v.pipe(v.array(url), v.minLength(1)),
    "the same repository in one or more places: one that cannot be reached, or is stale, is passed over",
  ),
  proxy: maybe(
    said(
      v.pipe(text, v.regex(/^https?:\/\/\S+$/, "no address that begins with https:// or http://")),
      "through which repositories and the fleet's server are reached; unless given, what https_proxy and http_proxy say. no_proxy excepts hosts from either",
    ),
  ),
  fleet: said(word, "a policy that is of another fleet is not followed"),
  channel: v.optional(said(word, "of the policy; stable unless given"), "stable"),
  labels: v.optional(said(v.array(word), "what this machine is, for a policy's rings; it is one of `all` besides"), []),
  windows: v.optional(
    said(v.array(localWindowSchema), "when something may be loaded here, besides what the policy says; always unless given"),
    [],
  ),
  probes: v.optional(
    said(v.array(probeSchema), "commands that tell whether the machine does its work: before a load, and in the soak"),
    [],
  ),
  soakSeconds: v.optional(
    said(
      v.pipe(v.number(), v.minValue(0)),
      "so long a livepatch is looked at before it is kept, if the policy does not ask for longer; 900 unless given",
    ),
    900,
  ),
  transitionSeconds: v.optional(said(v.pipe(v.number(), v.minValue(1)), "so long a transition may take; 60 unless given"), 60),
  freshSeconds: v.optional(
    said(v.pipe(v.number(), v.minValue(1)), "nothing new is loaded if the repository was last reached longer ago; 600 unless given"),
    600,
  ),
  settleSeconds: v.optional(said(v.pipe(v.number(), v.minValue(0)), "as of `suture install --settle`; 300 unless given"), 300),
  root: v.optional(
    said(path, "the repository's root metadata that this machine was given; /etc/suture/root.json unless given"),
    "/etc/suture/root.json",
  ),
  user: v.optional(said(word, "as whom what the network sends is fetched; suture-agent unless given"), "suture-agent"),
  server: maybe(
    said(
      v.strictObject({
        url: said(
          v.pipe(text, v.regex(/^https?:\/\/\S+\/$/, "no address that begins with https:// or http:// and ends with /")),
          "ends with /",
        ),
        tokenFile: v.optional(
          said(path, "the enrolment token, readable by `user`; /etc/suture/fleet-token unless given"),
          "/etc/suture/fleet-token",
        ),
        beatSeconds: v.optional(
          said(
            v.pipe(v.number(), v.safeInteger(), v.minValue(60), v.maxValue(30 * 86_400)),
            "so often it is told that nothing changed; 3600 unless given",
          ),
          3600,
        ),
      }),
      "the fleet's server, which is told how this machine is; it can change nothing here",
    ),
  ),
  textfile: maybe(said(path, "a file for a Prometheus collector to read")),
});

export type AgentConfiguration = v.InferOutput<typeof agentConfigurationSchema>;

/** How the kernel was at a moment; see packages/host/src/use-cases/health.ts. */
export const healthMarkSchema = v.strictObject({
  bootId: text,
  uptime: said(v.number(), "seconds since boot"),
  taint: said(text, "letters"),
  log: said(v.number(), "the number of the last record of the kernel's log"),
});

export type HealthMark = v.InferOutput<typeof healthMarkSchema>;

/** Of a kernel line, as the memory has it. */
export const lineOf = ({ release, buildId }: { release: string; buildId: string }): string => `${release} ${buildId}`;

const trialSchema = v.strictObject({
  sha256,
  name: said(text, "as the kernel has it"),
  release: text,
  buildId: text,
  target: said(text, "its path in the repository"),
  counter: count,
  rollOut: said(text, "that brought it"),
  phase: said(
    v.picklist(["loading", "soaking", "leaving"]),
    "loading: it may be in the kernel, or be on its way, or not; leaving: it failed, and is being taken out",
  ),
  failure: v.nullable(said(v.strictObject({ code: text, why: text }), "of one that is leaving")),
  before: said(healthMarkSchema, "how the kernel was before it was loaded"),
  loaded: v.nullable(said(v.number(), "seconds since boot at which it had come into effect")),
  seconds: said(v.number(), "how long it soaks"),
  looks: said(v.array(v.strictObject({ after: said(v.number(), "seconds after it was loaded"), at: text })), "each of them found all well"),
  replaced: said(v.array(v.strictObject({ name: text, sha256 })), "what it took the place of"),
});

/** A livepatch that is being tried on this machine: from before its load until it is kept or taken out. */
export type Soak = v.InferOutput<typeof trialSchema>;

const refusedSchema = v.strictObject({
  sha256,
  name: text,
  release: text,
  counter: count,
  code: said(text, "of docs/errors.md"),
  why: text,
  at: said(text, "when"),
});

/** A livepatch that this machine does not take again by itself. */
export type Refused = v.InferOutput<typeof refusedSchema>;

/** /var/lib/suture/agent/memory.json. */
export const agentMemorySchema = v.strictObject({
  "suture-agent-memory": v.literal(1),
  counters: said(v.record(text, count), "of each kernel, by release and build-id, the highest counter that was ever accepted"),
  soak: v.nullable(trialSchema),
  accepted: said(
    v.array(v.strictObject({ sha256, name: text, release: text, counter: count, at: text })),
    "what the agent keeps installed",
  ),
  refused: v.array(refusedSchema),
});

export type AgentMemory = v.InferOutput<typeof agentMemorySchema>;
