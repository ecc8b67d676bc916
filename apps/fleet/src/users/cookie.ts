/** The cookie of a session: no script reads it, no other site sends it. */
import type { FastifyReply, FastifyRequest } from "fastify";

const NAME = "suture-fleet";

/** By TLS a name of which browsers take no other host's cookie, also not of the same domain. Without it the server is asked on its own machine alone. */
const nameOf = ({ protocol }: FastifyRequest, name: string): string => (protocol === "https" ? `__Host-${name}` : name);

function cookieIn(request: FastifyRequest, name: string, value: string): string | undefined {
  return new RegExp(`(?:^|; *)${nameOf(request, name)}=(${value})(?:;|$)`).exec(request.headers.cookie ?? "")?.[1];
}

function cookieOf(request: FastifyRequest, name: string, value: string, more: string): string {
  return `${nameOf(request, name)}=${value}; Path=/; HttpOnly; ${more}${request.protocol === "https" ? "; Secure" : ""}`;
}

export const sessionIn = (request: FastifyRequest): string | undefined => cookieIn(request, NAME, "ss_[\\w-]{43}");

/** What shows that a login that ends here began in the same browser. It is sent when the provider sends the browser back, as that of a session is not. */
const BEGUN = "suture-fleet-oidc";

export const begunIn = (request: FastifyRequest): string | undefined => cookieIn(request, BEGUN, "so_[\\w-]{43}");

/** Somebody has left here: the next one shows the provider who it is, and is not taken for that one. */
const LEFT = "suture-fleet-left";

export const hasLeft = (request: FastifyRequest): boolean => cookieIn(request, LEFT, "yes") !== undefined;

/** @param begun undefined: it has ended */
export function setBegun(reply: FastifyReply, begun: string | undefined): void {
  reply.header("set-cookie", cookieOf(reply.request, BEGUN, begun ?? "", `SameSite=Lax; Max-Age=${begun === undefined ? 0 : 600}`));
}

/** @param session undefined: none any more */
export function setSession(reply: FastifyReply, session: string | undefined): void {
  const { request } = reply;
  reply.header("set-cookie", cookieOf(request, NAME, session ?? "", `SameSite=Strict${session === undefined ? "; Max-Age=0" : ""}`));
  if (session === undefined) reply.header("set-cookie", cookieOf(request, LEFT, "yes", "SameSite=Lax; Max-Age=2592000"));
  else if (hasLeft(request)) reply.header("set-cookie", cookieOf(request, LEFT, "", "SameSite=Lax; Max-Age=0"));
}
