/** The provider, as the library talks to it: code with PKCE, state and nonce; what it signs is verified with its keys. */
import * as client from "openid-client";
import { fail } from "../../errors.ts";
import { isLoopback, type OidcConfiguration } from "./configuration.ts";

const PATIENCE_SECONDS = 15;
/** So long what it says of itself is good: it changes keys more seldom, and those are asked for when one is new. */
const GOOD_MS = 3600_000;

export interface Begun {
  address: URL;
  state: string;
  nonce: string;
  verifier: string;
}

/** What its signed token says of a person. */
export interface Claims {
  subject: string;
  of: Readonly<Record<string, unknown>>;
}

export class Provider {
  readonly configuration: OidcConfiguration;
  #found: { at: number; of: Promise<client.Configuration> } | undefined;

  constructor(configuration: OidcConfiguration) {
    this.configuration = configuration;
  }

  get #back(): URL {
    return new URL("login/oidc/callback", this.configuration.address.replace(/\/?$/, "/"));
  }

  /** @param again also of somebody whom it knows it asks who it is. @throws FLEET_LOGIN */
  async begin(again: boolean): Promise<Begun> {
    const found = await this.#discovered();
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const address = client.buildAuthorizationUrl(found, {
      redirect_uri: this.#back.href,
      scope: this.configuration.scope,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      nonce,
      ...(again ? { prompt: "login" } : {}),
    });
    return { address, state, nonce, verifier };
  }

  /** @param search of the address to which the provider sent the browser. @throws FLEET_LOGIN */
  async end(search: string, { state, nonce, verifier }: Omit<Begun, "address">): Promise<Claims> {
    const found = await this.#discovered();
    try {
      const tokens = await client.authorizationCodeGrant(found, new URL(search, this.#back), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error("there is no ID token");
      return { subject: claims.sub, of: claims };
    } catch (cause) {
      throw fail("FLEET_LOGIN", `what the provider says is refused: ${saidBy(cause)}`, {}, { cause });
    }
  }

  /** Where its own session ends; undefined: it has no such place, or does not answer. */
  async leaving(): Promise<string | undefined> {
    const found = await this.#discovered().catch(() => undefined);
    if (found?.serverMetadata().end_session_endpoint === undefined) return undefined;
    return client.buildEndSessionUrl(found).href;
  }

  /** @throws FLEET_LOGIN */
  #discovered(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.configuration;
    if (this.#found === undefined || performance.now() - this.#found.at > GOOD_MS) {
      const of = client
        .discovery(
          new URL(issuer),
          clientId,
          undefined,
          clientSecret === undefined ? client.None() : client.ClientSecretBasic(clientSecret),
          {
            timeout: PATIENCE_SECONDS,
            // Of a token that came by TLS the signature would not be looked at.
            execute: [client.enableNonRepudiationChecks, ...(isLoopback(issuer) ? [client.allowInsecureRequests] : [])],
          },
        )
        .catch((cause: unknown) => {
          this.#found = undefined;
          throw fail("FLEET_LOGIN", `the provider of logins does not answer: ${saidBy(cause)}`, {}, { cause });
        });
      this.#found = { at: performance.now(), of };
    }
    return this.#found.of;
  }
}

function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${inner}`.slice(0, 300);
}
