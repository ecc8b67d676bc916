/**
 * The form of metadata, as strict as Suture writes it, and held before the library sees them: it parses in time that grows with the square of what is
 * listed, takes a threshold or a date that is no number for one that is never reached, and one key under two ids for two.
 */
import { createPublicKey } from "node:crypto";
import { instant } from "@suture/protocol";
import * as v from "valibot";
import { LIMITS, type TOP_ROLES } from "../roles.ts";
import { keyId } from "./canonical.ts";

const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const length = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(LIMITS.target));
const hashes = v.strictObject({ sha256: hex });

const ed25519 = v.strictObject({
  keytype: v.literal("ed25519"),
  scheme: v.literal("ed25519"),
  keyval: v.strictObject({ public: hex }),
});
/** For tokens that cannot do the other. */
const ecdsa = v.strictObject({
  keytype: v.literal("ecdsa"),
  scheme: v.literal("ecdsa-sha2-nistp256"),
  keyval: v.strictObject({
    public: v.pipe(v.string(), v.maxLength(300), v.check(isCanonicalP256, "no key of P-256 in the one form it has")),
  }),
});
export const keySchema = v.variant("keytype", [ed25519, ecdsa]);

/** There is one text for one key, so that one key has one id. */
function isCanonicalP256(pem: string): boolean {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" && key.export({ type: "spki", format: "pem" }) === pem;
  } catch {
    return false;
  }
}

const keys = v.pipe(
  v.record(hex, keySchema),
  v.check((all) => Object.keys(all).length <= LIMITS.keys, "too many keys"),
  v.check((all) => Object.entries(all).every(([id, key]) => keyId(key) === id), "a key's id is not its SHA-256"),
);

const roleEntries = {
  keyids: v.pipe(
    v.array(hex),
    v.minLength(1),
    v.maxLength(LIMITS.keysOfRole),
    v.check((ids) => new Set(ids).size === ids.length, "a key is named twice"),
  ),
  threshold: counter,
};
type Role = v.InferOutput<v.StrictObjectSchema<typeof roleEntries, undefined>>;
const role = v.pipe(
  v.strictObject(roleEntries),
  v.check(({ keyids, threshold }) => threshold <= keyids.length, "it takes more keys than it has"),
);
const known = (all: Readonly<Record<string, unknown>>, roles: readonly Role[]): boolean =>
  roles.every(({ keyids }) => keyids.every((id) => Object.hasOwn(all, id)));

const common = {
  spec_version: v.pipe(v.string(), v.regex(/^1\.\d{1,4}(?:\.\d{1,4})?$/)),
  version: counter,
  expires: instant,
};

/** Members that are not known are signed, and let be, as the specification wants it; inside of those that are known there are none. */
export const signedSchemas = {
  root: v.pipe(
    v.looseObject({
      _type: v.literal("root"),
      ...common,
      consistent_snapshot: v.literal(true),
      keys,
      roles: v.strictObject({ root: role, targets: role, snapshot: role, timestamp: role } satisfies Record<
        (typeof TOP_ROLES)[number],
        typeof role
      >),
      suture: v.strictObject({ fleet: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/)) }),
    }),
    v.check((root) => known(root.keys, Object.values(root.roles)), "a role names a key that is not there"),
  ),
  timestamp: v.looseObject({
    _type: v.literal("timestamp"),
    ...common,
    meta: v.strictObject({ "snapshot.json": v.strictObject({ version: counter, length, hashes }) }),
    suture: v.strictObject({ signedAt: instant }),
  }),
  snapshot: v.looseObject({
    _type: v.literal("snapshot"),
    ...common,
    meta: v.pipe(
      v.record(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,99}\.json$/)), v.strictObject({ version: counter, length, hashes })),
      v.check((all) => Object.keys(all).length <= LIMITS.roles, "it lists too many files"),
    ),
  }),
  targets: v.looseObject({
    _type: v.literal("targets"),
    ...common,
    targets: v.pipe(
      v.record(
        v.pipe(v.string(), v.regex(/^[a-z]{1,20}(?:\/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){1,3}$/)),
        v.strictObject({ length, hashes, custom: v.optional(v.looseObject({})) }),
      ),
      v.check((all) => Object.keys(all).length <= LIMITS.targetsOfFile, "it lists too many targets"),
    ),
    delegations: v.optional(
      v.pipe(
        v.strictObject({
          keys,
          roles: v.pipe(
            v.array(
              v.pipe(
                v.strictObject({
                  ...roleEntries,
                  name: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,99}$/)),
                  terminating: v.boolean(),
                  paths: v.pipe(
                    v.array(v.pipe(v.string(), v.regex(/^[a-z]{1,20}(?:\/(?:\*|[0-9a-f]{16,64})){1,3}$/))),
                    v.minLength(1),
                    v.maxLength(8),
                  ),
                }),
                v.check(({ keyids, threshold }) => threshold <= keyids.length, "it takes more keys than it has"),
              ),
            ),
            v.maxLength(LIMITS.roles),
            v.check((roles) => new Set(roles.map(({ name }) => name)).size === roles.length, "a role is delegated to twice"),
          ),
        }),
        v.check(({ keys: all, roles }) => known(all, roles), "a role names a key that is not there"),
      ),
    ),
  }),
} as const;

export type Kind = keyof typeof signedSchemas;
export type Signed<K extends Kind> = v.InferOutput<(typeof signedSchemas)[K]>;

export const signaturesSchema = v.pipe(
  v.array(v.strictObject({ keyid: hex, sig: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){32,256}$/)) })),
  v.maxLength(LIMITS.signatures),
  v.check((all) => new Set(all.map(({ keyid }) => keyid)).size === all.length, "a key signs twice"),
);
