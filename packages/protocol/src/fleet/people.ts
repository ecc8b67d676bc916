/** What the fleet's server says of people, programs and their deeds. */
import * as v from "valibot";
import { said } from "../said.ts";

const text = v.string();
const name = v.pipe(text, v.minLength(1), v.maxLength(100));
const time = said(text, "such as 2026-01-31T23:59:59.000Z");

/** viewer: sees all; operator: hosts, roll-outs, holds, withdrawals; releaser: approves; key officer: keys and their expiries; admin: users and keys of programs; builder: of a program, takes what is to be built, and sees nothing else. */
export const ROLES = ["viewer", "operator", "releaser", "key officer", "admin", "builder"] as const;
export type FleetRole = (typeof ROLES)[number];

export const rolesSchema = v.pipe(v.array(v.picklist(ROLES)), v.minLength(1), v.maxLength(ROLES.length));

export const newFleetKeySchema = v.strictObject({
  name,
  roles: rolesSchema,
  days: v.optional(said(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3650)), "that it is good; for ever unless given")),
});
export const fleetKeySchema = v.strictObject({ id: text, key: said(text, "it is not shown again") });
export const fleetKeyIdSchema = v.strictObject({ id: v.pipe(text, v.regex(/^[0-9a-f]{12}$/)) });
export const fleetKeysSchema = v.strictObject({
  keys: v.array(
    v.strictObject({
      id: text,
      name: text,
      roles: v.array(v.picklist(ROLES)),
      made: time,
      expires: v.nullable(time),
      revoked: v.nullable(time),
      used: v.nullable(time),
      person: said(text, "whose word it is: account NAME, or the key itself where it was made on the server's machine"),
      own: said(v.boolean(), "it has the roles that the person has at the moment, and ends with them"),
    }),
  ),
});
export const fleetAuditSchema = v.strictObject({
  rows: said(
    v.array(
      v.strictObject({
        n: v.number(),
        at: time,
        who: text,
        what: text,
        about: text,
        detail: said(text, "JSON"),
        previous: text,
        hash: text,
      }),
    ),
    "hash is the SHA-256 of [n, at, who, what, about, detail, previous] as JSON.stringify writes it; previous is that of the row before",
  ),
});

const account = said(
  v.pipe(text, v.regex(/^[a-z][a-z0-9._-]{0,31}$/, "a small letter, then small letters, digits and . _ -")),
  "by which one logs in",
);
const password = said(v.pipe(text, v.minLength(12, "12 characters at least"), v.maxLength(200)), "12 characters at least");
const code = said(v.pipe(text, v.regex(/^\d{6}$/, "six digits are needed")), "of the second factor");
const secret = v.pipe(text, v.maxLength(100));

export const newAccountSchema = v.strictObject({ name: account, roles: rolesSchema });
export type NewAccount = v.InferOutput<typeof newAccountSchema>;
export const invitationSchema = v.strictObject({ invitation: said(text, "it is not shown again") });
export const accountChangeSchema = v.strictObject({
  roles: v.optional(rolesSchema),
  disabled: v.optional(v.boolean()),
  invite: v.optional(said(v.boolean(), "password and second factor are set anew, by another invitation")),
});
export const accountsSchema = v.strictObject({
  accounts: v.array(
    v.strictObject({
      name: text,
      roles: v.array(v.picklist(ROLES)),
      ready: said(v.boolean(), "password and second factor are set"),
      made: time,
      disabled: v.nullable(time),
    }),
  ),
});
export const welcomeSchema = v.strictObject({
  name: text,
  secret: said(text, "of the second factor"),
  address: said(text, "the same, as apps take it"),
});
export const confirmSchema = v.strictObject({ invitation: secret, password, code });
export const loginSchema = v.strictObject({ name: account, password: v.pipe(text, v.maxLength(200)), code });
export const meSchema = v.strictObject({
  name: text,
  roles: v.array(v.picklist(ROLES)),
  csrf: v.nullable(said(text, "sent as x-csrf with all that changes something, where a cookie says who asks")),
});
