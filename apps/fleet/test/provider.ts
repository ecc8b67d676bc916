/** A provider of OpenID Connect as organisations have one: over HTTP, with keys of its own, and with PKCE held as it should be. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

export const CLIENT = { id: "suture-fleet", secret: "a client's secret" };

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

interface Asked {
  challenge: string;
  nonce: string;
  redirect: string;
}

export class TestProvider {
  readonly #server: Server;
  readonly #keys: Keys;
  readonly #others: Keys;
  readonly #codes = new Map<string, Asked>();
  /** Who is logged in there. */
  claims: JWTPayload = {};
  /** What it signs otherwise than it should. */
  wrong: JWTPayload = {};
  /** It signs with a key that it does not publish. */
  forged = false;

  private constructor(keys: Keys, others: Keys) {
    this.#keys = keys;
    this.#others = others;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async begin(): Promise<TestProvider> {
    const provider = new TestProvider(await generateKeyPair("ES256"), await generateKeyPair("ES256"));
    await new Promise<void>((done) => provider.#server.listen(0, "127.0.0.1", done));
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  end(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { issuer } = this;
    const url = new URL(request.url ?? "/", issuer);
    const json = (value: object, status = 200): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          end_session_endpoint: `${issuer}/leave`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["ES256"],
          token_endpoint_auth_methods_supported: ["client_secret_basic"],
          code_challenge_methods_supported: ["S256"],
        });
      case "/jwks":
        return json({ keys: [{ ...(await exportJWK(this.#keys.publicKey)), alg: "ES256", use: "sig", kid: "one" }] });
      case "/authorize":
        return this.#authorize(url, response);
      case "/token":
        return this.#token(request, json);
      default:
        response.writeHead(404).end();
    }
  }

  #authorize({ searchParams }: URL, response: ServerResponse): void {
    const of = (name: string): string => searchParams.get(name) ?? "";
    if (of("client_id") !== CLIENT.id || of("response_type") !== "code" || of("code_challenge_method") !== "S256" || of("nonce") === "") {
      response.writeHead(400).end();
      return;
    }
    const code = randomBytes(16).toString("hex");
    this.#codes.set(code, { challenge: of("code_challenge"), nonce: of("nonce"), redirect: of("redirect_uri") });
    const back = new URL(of("redirect_uri"));
    back.searchParams.set("code", code);
    back.searchParams.set("state", of("state"));
    response.writeHead(303, { location: back.href }).end();
  }

  async #token(request: IncomingMessage, json: (value: object, status?: number) => void): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const form = new URLSearchParams(text);
    const asked = this.#codes.get(form.get("code") ?? "");
    this.#codes.delete(form.get("code") ?? "");
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (!isClient(request.headers.authorization)) return json({ error: "invalid_client" }, 401);
    if (asked === undefined || asked.challenge !== challenge || asked.redirect !== form.get("redirect_uri"))
      return json({ error: "invalid_grant" }, 400);
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: this.issuer, aud: CLIENT.id, iat: now, exp: now + 300, nonce: asked.nonce, ...this.claims, ...this.wrong };
    const { privateKey } = this.forged ? this.#others : this.#keys;
    const token = await new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "one" }).sign(privateKey);
    json({ access_token: "of no use", token_type: "Bearer", expires_in: 300, id_token: token });
  }
}

/** As RFC 6749 has it: both are written as in a form before they are put together. */
function isClient(authorization: string | undefined): boolean {
  const [, basic = ""] = /^Basic (\S+)$/.exec(authorization ?? "") ?? [];
  const words = Buffer.from(basic, "base64")
    .toString()
    .split(":")
    .map((word) => decodeURIComponent(word.replaceAll("+", " ")));
  return words.join("\n") === `${CLIENT.id}\n${CLIENT.secret}`;
}
