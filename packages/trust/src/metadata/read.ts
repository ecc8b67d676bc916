/** Bytes → metadata of the one form, nothing believed yet. */
import { Metadata, type MetadataKind } from "@tufjs/models";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { canonicalBytes } from "./canonical.ts";
import { type Kind, type Signed, signaturesSchema, signedSchemas } from "./form.ts";
import { readJson } from "./json.ts";

export interface ReadMetadata<K extends Kind> {
  signed: Signed<K>;
  signatures: { keyid: string; sig: string }[];
}

/** @throws TRUST_FORM */
export function readMetadata<K extends Kind>(kind: K, bytes: Uint8Array, file: string): ReadMetadata<K> {
  const value = readJson(bytes, file);
  const { signatures, signed } = check(v.strictObject({ signatures: signaturesSchema, signed: v.looseObject({}) }), value, file);
  const known = check(signedSchemas[kind] as v.GenericSchema<unknown, Signed<K>>, signed, file);
  // What the library takes out of it is all that there is, so that nothing is signed that it passes over, and nothing passed over that is signed.
  if (!canonicalBytes(signed).equals(canonicalBytes(librarys(kind, value, file))))
    throw fail("TRUST_FORM", "it holds more than is read of it", { file });
  return { signed: known, signatures };
}

/** The types of the library want the kind as a literal, and its enumeration is no type of ours. */
const parse = Metadata.fromJSON as (kind: `${MetadataKind}`, value: unknown) => { signed: { toJSON(): object } };

function librarys(kind: Kind, value: unknown, file: string): object {
  try {
    return parse(kind, value).signed.toJSON();
  } catch (cause) {
    throw fail("TRUST_FORM", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  }
}

/** @throws TRUST_FORM */
export function check<const S extends v.GenericSchema<unknown, unknown>>(schema: S, value: unknown, file: string): v.InferOutput<S> {
  const checked = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true });
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  throw fail("TRUST_FORM", `${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`.slice(0, 300), { file });
}
