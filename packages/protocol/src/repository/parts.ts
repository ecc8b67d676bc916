/** What the documents of a repository have in common. They are signed: what is in them and is not understood may be a condition, so that it is refused. */
import * as v from "valibot";

export const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "64 digits of hex are needed"));
export const line = v.pipe(v.string(), v.minLength(1), v.maxLength(1000));
/** Counters and versions: exact as a number of JSON. */
export const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
/** Words that people choose, and that become names of files. */
export const word = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "letters, digits and _ . - are needed, 64 at most"));
export const kernelRelease = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.+~-]{0,127}$/));
export const kernelBuildId = v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){8,32}$/));
/** UTC, to the second: the only form of a time that is signed. */
export const instant = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "a time such as 2026-01-31T23:59:59Z is needed"),
  v.check((text) => isInstant(text), "there is no such time"),
);

/** Also of the days that a month has. */
function isInstant(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString().replace(".000Z", "Z") === text;
}

/** A kernel line: its livepatches follow each other. */
export const kernelLine = v.strictObject({ release: kernelRelease, buildId: kernelBuildId });
