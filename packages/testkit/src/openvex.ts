import * as v from "valibot";

/** OpenVEX 0.2.0 as its JSON schema has it: nothing besides these members, and what each status has to come with. */
const uri = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9+.-]*:[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/i));
const time = v.pipe(v.string(), v.isoTimestamp());
const hashes = v.strictObject({ "sha-256": v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });
const product = v.strictObject({ "@id": uri, subcomponents: v.optional(v.array(v.strictObject({ "@id": uri, hashes }))) });
const common = {
  vulnerability: v.strictObject({ name: v.string() }),
  products: v.pipe(v.array(product), v.minLength(1)),
  status_notes: v.string(),
};
const justification = v.picklist([
  "component_not_present",
  "vulnerable_code_not_present",
  "vulnerable_code_not_in_execute_path",
  "vulnerable_code_cannot_be_controlled_by_adversary",
  "inline_mitigations_already_exist",
]);
const statement = v.variant("status", [
  v.strictObject({ ...common, status: v.literal("fixed") }),
  v.strictObject({ ...common, status: v.literal("under_investigation") }),
  v.strictObject({ ...common, status: v.literal("not_affected"), justification }),
  v.strictObject({ ...common, status: v.literal("affected"), action_statement: v.pipe(v.string(), v.minLength(1)) }),
]);
/** The whole. */
export const openVexSchema = v.strictObject({
  "@context": v.literal("https://openvex.dev/ns/v0.2.0"),
  "@id": uri,
  author: v.string(),
  timestamp: time,
  version: v.pipe(v.number(), v.integer(), v.minValue(1)),
  tooling: v.string(),
  statements: v.pipe(v.array(statement), v.minLength(1)),
});
