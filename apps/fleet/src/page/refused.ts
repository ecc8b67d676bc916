/** What a person sees where a program is sent a document of an error. */
import { html } from "@suture/pages";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Refusal } from "../http/refusals.ts";
import { sendPage } from "./document.ts";

export function refusedPage(request: FastifyRequest, reply: FastifyReply, { status, code, why, mend }: Refusal): FastifyReply {
  const isEntry = request.routeOptions.url?.startsWith("/login") === true;
  if (code === "FLEET_LOGIN" && !isEntry && request.method === "GET")
    return reply.redirect(`/login?to=${encodeURIComponent(request.url)}`, 303);
  const body = html`<div class="box alarm" role="alert"><p><b>${why}</b></p><p class="dim">${mend}</p><p class="dim m">${code}</p></div>
<p><a href="${isEntry ? "/login" : "/"}">Back</a></p>`;
  reply.code(status);
  sendPage(reply, { title: "Not done", body });
  return reply;
}
