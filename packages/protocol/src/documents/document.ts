/** A kind of JSON document that the program prints. */
import * as v from "valibot";

/** What code may hold that it does not change. */
type Given<T> = T extends readonly (infer E)[] ? readonly Given<E>[] : T extends object ? { readonly [K in keyof T]: Given<T[K]> } : T;

/** It is made by a kind alone. */
export interface Document {
  readonly schema: string;
}

export interface DocumentKind<T extends v.ObjectEntries = v.ObjectEntries> {
  /** As the document's own `schema` says it: suture/NAME-VERSION. */
  id: string;
  description: string;
  schema: v.StrictObjectSchema<T & { schema: v.LiteralSchema<string, undefined> }, undefined>;
  /** The document: what was found, and which schema it is of. */
  of(found: Given<v.InferInput<v.StrictObjectSchema<T, undefined>>>): Document;
}

/**
 * @param version raised when a field goes, or means something else; a field may be added without that
 * @param entries the fields besides `schema`
 */
export function documentKind<const T extends v.ObjectEntries>(
  name: string,
  version: number,
  description: string,
  entries: T,
): DocumentKind<T> {
  const id = `suture/${name}-${version}`;
  return { id, description, schema: v.strictObject({ ...entries, schema: v.literal(id) }), of: (found) => ({ schema: id, ...found }) };
}

/** What a document of the kind says, besides which kind it is of. */
export type Said<K extends DocumentKind> = Omit<v.InferOutput<K["schema"]>, "schema">;
