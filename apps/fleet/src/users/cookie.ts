/** The cookie of a session: no script reads it, no other site sends it. */
import type { FastifyReply, FastifyRequest } from "fastify";

const NAME = "suture-fleet";

export function sessionIn({ headers: { cookie } }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|; *)${NAME}=(ss_[\\w-]{43})(?:;|$)`).exec(cookie ?? "")?.[1];
}

/** What shows that a login that ends here began in the same browser. It is sent when the provider sends the browser back, as that of a session is not. */
const BEGUN = "suture-fleet-oidc";

export function begunIn({ headers: { cookie } }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|; *)${BEGUN}=(so_[\\w-]{43})(?:;|$)`).exec(cookie ?? "")?.[1];
}

/** @param begun undefined: it has ended */
export function setBegun(reply: FastifyReply, begun: string | undefined): void {
  const secure = reply.request.protocol === "https" ? "; Secure" : "";
  const age = begun === undefined ? 0 : 600;
  reply.header("set-cookie", `${BEGUN}=${begun ?? ""}; Path=/login/oidc; HttpOnly; SameSite=Lax; Max-Age=${age}${secure}`);
}

/** @param session undefined: none any more */
export function setSession(reply: FastifyReply, session: string | undefined): void {
  // Without TLS on the server's own machine alone.
  const secure = reply.request.protocol === "https" ? "; Secure" : "";
  const end = session === undefined ? "; Max-Age=0" : "";
  reply.header("set-cookie", `${NAME}=${session ?? ""}; Path=/; HttpOnly; SameSite=Strict${secure}${end}`);
}
