/** Who comes from the provider: an account that is the provider's, with the roles that it gives at the moment. */
import { newAccountSchema } from "@suture/protocol";
import * as v from "valibot";
import { audit } from "../../audit/audit.ts";
import type { Sql } from "../../database/sql.ts";
import { fail } from "../../errors.ts";
import { digestOfSecret, newSecret } from "../api-keys.ts";
import { ROLES, type Role } from "../roles.ts";
import { beginSession } from "../sessions.ts";
import type { OidcConfiguration } from "./configuration.ts";
import type { Claims, Provider } from "./provider.ts";

const PREFIX = "so_";
const MINUTES = 10;

/** @param again who is there shows anew who it is. @returns where to send the browser, and what it is to bring back. @throws FLEET_LOGIN */
export async function beginOidc(sql: Sql, provider: Provider, next: string, again: boolean): Promise<{ address: string; browser: string }> {
  const { address, state, nonce, verifier } = await provider.begin(again);
  const browser = newSecret(PREFIX);
  await sql`delete from oidc_login where at not between now() - make_interval(mins => ${MINUTES}) and now() + interval '1 minute'`;
  await sql`insert into oidc_login ${sql.columns({ state: digestOfSecret(state), browser: digestOfSecret(browser), verifier, nonce, next })}`;
  return { address: address.href, browser };
}

/**
 * @param search of the address to which the provider sent the browser
 * @param browser what the browser brought back
 * @throws FLEET_LOGIN
 */
export async function endOidc(
  sql: Sql,
  provider: Provider,
  search: string,
  browser: string | undefined,
  before: string | undefined,
): Promise<{ session: string; next: string }> {
  const state = new URLSearchParams(search).get("state") ?? "";
  // Once: whatever comes of it.
  const [begun] = await sql<{ verifier: string; nonce: string; next: string }>`
    delete from oidc_login where state = ${digestOfSecret(state)} and browser = ${digestOfSecret(browser ?? "")}
      and at between now() - make_interval(mins => ${MINUTES}) and now() + interval '1 minute' returning verifier, nonce, next`;
  if (begun === undefined) throw fail("FLEET_LOGIN", "no login of this browser has begun, it has ended already, or it took too long");
  const claims = await provider.end(search, { state, nonce: begun.nonce, verifier: begun.verifier });
  const { issuer, nameClaim, rolesHours } = provider.configuration;
  const name = nameIn(provider.configuration, claims);
  const roles = rolesIn(provider.configuration, claims);
  if (roles.length === 0) {
    await endRoles(sql, issuer, claims.subject);
    throw fail("FLEET_LOGIN", `the provider gives ${name} no role here (${provider.configuration.rolesClaim})`);
  }
  const session = await sql.begin(async (within) => {
    const made = await within<{ name: string; disabled_at: Date | null }>`
      insert into account (name, roles, issuer, subject, roles_until)
      values (${name}, ${roles}, ${issuer}, ${claims.subject}, now() + make_interval(hours => ${rolesHours}))
      on conflict (issuer, subject) do update set roles = excluded.roles, roles_until = excluded.roles_until returning name, disabled_at`.catch(
      (error: unknown) => {
        // Another one's name: it is nobody's to take over.
        if (error instanceof Error && "code" in error && error.code === "23505")
          throw fail("FLEET_LOGIN", `there is another account ${name} already`);
        throw error;
      },
    );
    const [account] = made;
    if (account === undefined || account.disabled_at !== null) throw fail("FLEET_LOGIN", `the account ${name} is disabled`);
    const begunNow = await beginSession(within, account.name, before);
    await audit(within, {
      who: account.name,
      what: "logged in",
      about: account.name,
      detail: { issuer, subject: claims.subject, said: claims.of[nameClaim], roles },
    });
    return begunNow;
  });
  return { session, next: begun.next };
}

/** @throws FLEET_LOGIN */
function nameIn({ nameClaim, nameDomains }: OidcConfiguration, { of }: Claims): string {
  const said = of[nameClaim];
  const [name, domain] = typeof said === "string" ? said.toLowerCase().split("@") : [];
  if (nameDomains !== undefined && !nameDomains.some((one) => one.toLowerCase() === domain))
    throw fail("FLEET_LOGIN", `its ${nameClaim} is not of ${nameDomains.join(", ")}: ${JSON.stringify(said) ?? "none"}`.slice(0, 300));
  if (!v.is(newAccountSchema.entries.name, name))
    throw fail("FLEET_LOGIN", `its ${nameClaim} is no name of an account: ${JSON.stringify(said) ?? "none"}`.slice(0, 300));
  return name;
}

function rolesIn({ rolesClaim, roles }: OidcConfiguration, { of }: Claims): Role[] {
  const said = of[rolesClaim];
  const all = (Array.isArray(said) ? said : [said]).filter((each) => typeof each === "string");
  return ROLES.filter((role) => all.some((each) => Object.hasOwn(roles, each) && roles[each]?.includes(role)));
}

/** Who has no role any more at the provider has none here, and no session. */
async function endRoles(sql: Sql, issuer: string, subject: string): Promise<void> {
  await sql.begin(async (within) => {
    const [account] = await within<{ name: string }>`
      update account set roles = '{}' where issuer = ${issuer} and subject = ${subject} and roles <> '{}' returning name`;
    if (account === undefined) return;
    await within`delete from session where account = ${account.name}`;
    await audit(within, { who: account.name, what: "lost all roles", about: account.name, detail: { issuer, subject } });
  });
}
