/** The cookie of a session: no script reads it, no other site sends it. */
import type { FastifyReply, FastifyRequest } from "fastify";

const NAME = "suture-fleet";

export function sessionIn({ headers: { cookie } }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|; *)${NAME}=(ss_[\\w-]{43})(?:;|$)`).exec(cookie ?? "")?.[1];
}

/** @param session undefined: none any more */
export function setSession(reply: FastifyReply, session: string | undefined): void {
  // Without TLS on the server's own machine alone.
  const secure = reply.request.protocol === "https" ? "; Secure" : "";
  const end = session === undefined ? "; Max-Age=0" : "";
  reply.header("set-cookie", `${NAME}=${session ?? ""}; Path=/; HttpOnly; SameSite=Strict${secure}${end}`);
}
