/** Livepatches that are built for the kernels of a fleet: what is to be built, by whom it is, and what came of it. */
import * as v from "valibot";
import { said } from "../said.ts";
import { count, digest, line, time } from "./parts.ts";

const text = v.string();
const words = (longest: number) => v.pipe(text, v.maxLength(longest));

const release = v.pipe(words(100), v.regex(/^\d[\w.+~-]*$/, "a release as `uname -r` says it is needed"));
const version = v.pipe(words(100), v.regex(/^\d[\w.+~:-]*$/, "a package's version is needed"));
const kernelBuildId = v.pipe(text, v.regex(/^(?:[0-9a-f]{2}){8,32}$/, "a build-id is needed"));
/** An option's word to `suture catch-up`: it can be no option itself. */
const unit = v.pipe(words(200), v.regex(/^[\w/.][\w/.+@-]*$/, "a unit, a commit, or a path is needed"));
const units = v.optional(v.pipe(v.array(unit), v.maxLength(200)), []);
/** Of somebody's word for one thing each; absent: none, also in what was asked for before there were such words. */
const given = (form: RegExp, what: string) =>
  v.optional(v.pipe(v.array(v.pipe(words(200), v.regex(form, `${what} is needed`))), v.minLength(1), v.maxLength(200)));

export const buildIdSchema = v.pipe(text, v.regex(/^[0-9a-f]{12}$/));

/** waiting, running; ready: to be read and signed; the others are why it is none. */
export const BUILD_STATES = ["waiting", "running", "ready", "nothing", "bad", "refused", "failed", "cancelled", "superseded"] as const;
export type BuildState = (typeof BUILD_STATES)[number];

/** What a builder passes on to `suture catch-up`, which has an option for each. */
const options = {
  take: said(units, "only these units, and what they need"),
  leaveOut: units,
  acceptDoubt: said(units, "units that go in though they may be halves of fixes: somebody has read them"),
  acceptData: said(
    given(/^\w[\w/.+-]*\.o:[\w.$]+$/, "OBJECT:VARIABLE"),
    "variables of the kernel whose new values are put into it: somebody knows that nothing has gone by the old ones",
  ),
  redirect: said(given(/^\w[\w/.+-]*\.o:[\w.$]+$/, "OBJECT:FUNCTION"), "functions without an ftrace entry that a probe redirects"),
  hole: said(
    given(/^\w+\.\w+$/, "TYPE.MEMBER"),
    "new members that are put into padding: somebody knows that 0 is right for objects that were there before",
  ),
};
const OPTIONS: Readonly<Record<keyof BuildOptions, string>> = {
  take: "--take",
  leaveOut: "--leave-out",
  acceptDoubt: "--accept-doubt",
  acceptData: "--accept-data",
  redirect: "--redirect",
  hole: "--hole",
};
/** What was said, by option. */
export function buildWords(of: BuildOptions): { option: string; values: readonly string[] }[] {
  const said = (Object.entries(OPTIONS) as [keyof BuildOptions, string][]).map(([name, option]) => ({ option, values: of[name] ?? [] }));
  return said.filter(({ values }) => values.length > 0);
}

export const newBuildSchema = v.strictObject({
  buildId: said(kernelBuildId, "of a kernel that machines of the fleet run"),
  to: v.optional(
    said(v.union([release, v.literal("newest")]), "the newer release; newest: of its series and flavour in the archive"),
    "newest",
  ),
  ...options,
  why: v.optional(line, "somebody has asked for it"),
});
export type NewBuild = v.InferOutput<typeof newBuildSchema>;

const optionsSchema = v.strictObject(options);
export type BuildOptions = v.InferOutput<typeof optionsSchema>;

const order = {
  id: buildIdSchema,
  release,
  buildId: kernelBuildId,
  targetRelease: release,
  options: optionsSchema,
};

/** POST /v1/builder/claim. */
export const buildClaimSchema = v.strictObject({
  build: v.nullable(
    v.strictObject({
      ...order,
      attempt: said(count, "which time it is given out: what a builder says of an earlier one counts no more"),
      beatSeconds: said(count, "so often it is to say that it goes on"),
      hours: said(count, "that it may take"),
    }),
  ),
});
export type BuildOrder = NonNullable<v.InferOutput<typeof buildClaimSchema>["build"]>;

/** What a build is made of; each no longer than said. */
export const BUILD_FILES = {
  module: { suffix: ".ko", longest: 64 * 1024 * 1024 },
  report: { suffix: ".json", longest: 64 * 1024 * 1024 },
  review: { suffix: ".html", longest: 64 * 1024 * 1024 },
  trial: { suffix: ".trial.json", longest: 16 * 1024 * 1024 },
} as const;
export type BuildFile = keyof typeof BUILD_FILES;
const FILES = ["module", "report", "review", "trial"] as const satisfies readonly BuildFile[];
/** A piece of a file. */
export const LONGEST_PIECE = 2 * 1024 * 1024;
/** Of what a builder prints, the newest is kept. */
export const LONGEST_LOG = 200_000;

export const buildFileSchema = v.picklist(FILES);

export const buildBeatSchema = v.strictObject({
  attempt: count,
  stage: said(words(200), "what it does at the moment"),
  log: said(words(64 * 1024), "what was printed since the last time"),
});
export const buildGoesOnSchema = v.strictObject({ goesOn: said(v.boolean(), "false: nobody waits for it any more") });

export const buildEndSchema = v.strictObject({
  attempt: count,
  outcome: said(
    v.picklist(["built", "nothing", "refused", "failed", "given back"]),
    "built: all files are there; nothing: the newer release has nothing that can be carried; refused: by suture, for a reason that stays; failed: it may go well another time; given back: the builder is stopped",
  ),
  code: said(words(64), "of a refusal; empty: none"),
  why: words(2000),
  mend: words(1000),
  files: said(v.pipe(v.array(v.strictObject({ file: buildFileSchema, sha256: digest })), v.maxLength(FILES.length)), "that were sent"),
});
export type BuildEnd = v.InferOutput<typeof buildEndSchema>;

/** A kernel that the archive has, as a builder sees it. */
const archivedKernelSchema = v.strictObject({
  release,
  version,
  suite: said(words(50), "empty: it is ready in the builder's cache alone"),
  can: said(v.boolean(), "it can be built for"),
  why: said(words(500), "why it cannot"),
});
export type ArchivedKernel = v.InferOutput<typeof archivedKernelSchema>;
export const archiveSchema = v.strictObject({ kernels: v.pipe(v.array(archivedKernelSchema), v.maxLength(2000)) });

/** POST /v1/builds/setting. */
export const buildSettingSchema = v.strictObject({
  keepReady: said(v.boolean(), "wherever the fleet has a kernel, a livepatch to the newest of its series is kept ready"),
});

export const fleetBuildSchema = v.strictObject({
  ...order,
  version: v.nullable(text),
  targetVersion: v.nullable(text),
  state: said(
    v.picklist(BUILD_STATES),
    "ready: to be read and signed; nothing: there is nothing that can be carried; bad: its trial failed; refused: by suture; failed: given up after several tries; superseded: a newer release is there, or no machine has the kernel any more",
  ),
  code: text,
  why: text,
  mend: text,
  stage: said(text, "what is done at the moment"),
  tries: count,
  machines: said(count, "that had the kernel when it was asked for"),
  builder: v.nullable(text),
  madeBy: text,
  made: time,
  started: v.nullable(time),
  ended: v.nullable(time),
  sha256: v.nullable(said(digest, "of the module")),
  trial: v.nullable(said(text, "its outcome")),
  folder: v.nullable(said(text, "in the repository's folder, with the module, its report, its page of review and its trial")),
  published: said(v.boolean(), "it is signed, and in the repository's list"),
});
export type FleetBuild = v.InferOutput<typeof fleetBuildSchema>;

/** A kernel of the fleet, and how it stands to the newest of its series. */
export const fleetWantedSchema = v.strictObject({
  release: text,
  buildId: text,
  version: v.nullable(text),
  machines: count,
  newest: v.nullable(v.strictObject({ release: text, version: text })),
  state: said(
    v.picklist(["newest", "published", "build", "wanted", "cannot"]),
    "newest: it is the newest itself; published: a livepatch to the newest is signed; build: there is a build; wanted: none yet; cannot: see why",
  ),
  why: text,
  build: v.nullable(buildIdSchema),
});
export type FleetWanted = v.InferOutput<typeof fleetWantedSchema>;

export const fleetBuildsSchema = v.strictObject({
  keepReady: buildSettingSchema.entries.keepReady,
  kernels: v.array(fleetWantedSchema),
  builds: said(v.array(fleetBuildSchema), "the newest first"),
  builders: said(v.array(v.strictObject({ name: text, seen: time, kernels: count })), "that were heard of within a day"),
  next: v.nullable(said(text, "`before` of the next page")),
});
export const fleetBuildWholeSchema = v.strictObject({ build: fleetBuildSchema, log: said(text, "the newest of what it printed") });
export const newBuildAnswerSchema = v.strictObject({ id: buildIdSchema });

/** Of a trial's outcomes, those after which what was built is put up to be signed. */
export const GOOD_TRIALS: ReadonlySet<string> = new Set(["passed", "warned"]);

/** build.json, beside what was built. */
export const builtSchema = v.object({
  "suture-build": v.literal(1),
  id: buildIdSchema,
  /** Absent in what was put up by an earlier release. */
  attempt: v.optional(count),
  release,
  buildId: kernelBuildId,
  targetRelease: release,
  targetVersion: v.nullable(text),
  builder: text,
  trial: text,
  files: v.object({ module: text, report: text, review: text, trial: text }),
  sha256: v.object({ module: digest, report: digest, review: digest, trial: digest }),
});
export type Built = v.InferOutput<typeof builtSchema>;
