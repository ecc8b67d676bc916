/** A page of review, as the server shows it. */
import type { FastifyReply } from "fastify";

/** Others made the page: it is shown as a document of nobody's, which may load and run nothing, and has no part in the session. */
const POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function sendReview(reply: FastifyReply, bytes: Uint8Array): void {
  reply.header("content-security-policy", POLICY).type("text/html; charset=utf-8").send(bytes);
}
