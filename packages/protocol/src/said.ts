/** Members of a schema: what they mean stands with them, for docs/json.md and the schemas that are published. */
import * as v from "valibot";

type Schema = v.GenericSchema<unknown, unknown>;

/** A field and what it means. */
export function said<const S extends Schema>(
  schema: S,
  description: string,
): v.SchemaWithPipe<readonly [S, v.DescriptionAction<v.InferOutput<S>, string>]> {
  return v.pipe(schema, v.description(description));
}

/** A field that may be absent. */
export function maybe<const S extends Schema>(schema: S): v.OptionalSchema<S, undefined> {
  return v.optional(schema);
}
