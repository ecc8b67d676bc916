/** JSON that means one thing: what two readers could take for different values, or that has no one canonical form, is refused. */
import { fail } from "../errors.ts";

const DEEPEST = 16;

/** @throws TRUST_FORM */
export function readJson(bytes: Uint8Array, file: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw fail("TRUST_FORM", `it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, 300), { file }, { cause });
  }
  const why = oddIn(value, 0);
  if (why !== undefined) throw fail("TRUST_FORM", why, { file });
  return value;
}

function oddIn(value: unknown, depth: number): string | undefined {
  if (depth > DEEPEST) return "it is nested too deeply";
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? undefined : `${value} is no number that is exact`;
  if (typeof value === "string") return /\p{Surrogate}/u.test(value) ? "a text is no Unicode" : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (name === "__proto__" || /\p{Surrogate}/u.test(name)) return "a member has a name that none has";
    const why = oddIn(member, depth + 1);
    if (why !== undefined) return why;
  }
  return undefined;
}
