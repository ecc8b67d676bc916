/** What the fleet's requests have in common. They come from anywhere: each has its longest. */
import * as v from "valibot";

const text = v.string();
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const digest = v.pipe(text, v.regex(/^[0-9a-f]{64}$/, "64 digits of hex are needed"));
export const publicKey = v.pipe(text, v.regex(/^[0-9a-f]{64}$/, "64 digits of hex are needed"));
export const signature = v.pipe(text, v.regex(/^[0-9a-f]{128}$/, "128 digits of hex are needed"));
export const hostId = v.pipe(text, v.regex(/^[0-9a-f]{32}$/, "32 digits of hex are needed"));
export const word = v.pipe(text, v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "letters, digits and _ . - are needed, 64 at most"));
export const label = v.pipe(text, v.regex(/^[\w.-]{1,64}$/));
export const line = v.pipe(
  text,
  v.minLength(1),
  v.maxLength(200),
  v.check((value) => !/\p{Cc}/u.test(value), "one line is needed"),
);
export const time = v.pipe(
  text,
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "a time such as 2026-01-31T23:59:59.000Z is needed"),
  v.check((value) => !Number.isNaN(Date.parse(value)), "there is no such time"),
);
