/** The provider of OpenID Connect by which people log in: a file that an operator writes. */
import { readFile } from "node:fs/promises";
import { rolesSchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "../../errors.ts";

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(500));

const schema = v.strictObject({
  /** As the provider itself names it. */
  issuer: v.pipe(text, v.url()),
  clientId: text,
  /** Whose first line is the secret; of a client without one it is absent. */
  clientSecretFile: v.optional(text),
  /** Where people reach this server: the provider sends them back to /login/oidc/callback below it. */
  address: v.pipe(text, v.url()),
  scope: v.optional(text, "openid profile"),
  /** Of the ID token: a name, of small letters, digits and . _ - after what is before an @. */
  nameClaim: v.optional(text, "preferred_username"),
  /** What may be behind the @ of that name; anything unless given. Where people choose their names themselves, somebody has another one's. */
  nameDomains: v.optional(v.array(text)),
  /** So long after a login its roles hold, for approvals and for keys of one's own. */
  rolesHours: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(90 * 24)), 24),
  /** Of the ID token: a text, or a list of them. */
  rolesClaim: v.optional(text, "groups"),
  /** What is said in it, and the roles that it gives. */
  roles: v.record(text, rolesSchema),
});
export type OidcConfiguration = v.InferOutput<typeof schema> & { clientSecret: string | undefined };

/** @throws FLEET_USAGE */
export async function readOidc(file: string): Promise<OidcConfiguration> {
  const wrong = (why: string, cause?: unknown): Error => fail("FLEET_USAGE", `--oidc: ${why}`, { file }, { cause });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const checked = v.safeParse(schema, value);
  if (!checked.success) throw wrong(checked.issues.map((issue) => `${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`).join("; "));
  const { issuer, address, clientSecretFile } = checked.output;
  for (const url of [issuer, address])
    if (!url.startsWith("https:") && !isLoopback(url)) throw wrong(`${url} does not begin with https:// and is not of this machine`);
  const secret =
    clientSecretFile === undefined
      ? undefined
      : await readFile(clientSecretFile, "utf8").catch((cause: unknown) => {
          throw wrong(cause instanceof Error ? cause.message : String(cause), cause);
        });
  return { ...checked.output, clientSecret: secret?.split("\n")[0]?.trim() };
}

export const isLoopback = (url: string): boolean => /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::\d+)?(?:\/|$)/.test(url);
