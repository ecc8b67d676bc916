/** What the fleet's server answers, held against its form: it may be anything. */
import * as v from "valibot";

const refusalSchema = v.looseObject({ error: v.looseObject({ code: v.string(), why: v.string(), mend: v.string() }) });

export type FleetAnswer<T> = { good: T } | { refused: { code: string; why: string; mend: string } } | { wrong: string };

export function fleetAnswer<S extends v.GenericSchema<unknown, unknown>>(
  schema: S,
  status: number,
  text: string,
): FleetAnswer<v.InferOutput<S>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { wrong: `it answers ${status} with what is no JSON` };
  }
  const refused = v.safeParse(refusalSchema, value);
  if (refused.success) return { refused: refused.output.error };
  const checked = v.safeParse(schema, value);
  return status === 200 && checked.success ? { good: checked.output } : { wrong: `it answers ${status} with what is no such answer` };
}

/** What `suture fleet login` keeps, for its user alone. */
export const fleetLoginSchema = v.strictObject({ server: v.string(), key: v.string() });
export type FleetLogin = v.InferOutput<typeof fleetLoginSchema>;

export const rolloutStepSchema = v.union([
  v.strictObject({ published: v.boolean() }),
  v.strictObject({ needed: v.number() }),
  v.strictObject({}),
]);
export const auditCheckSchema = v.strictObject({ broken: v.nullable(v.number()) });
