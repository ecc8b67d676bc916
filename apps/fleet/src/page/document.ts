/** The frame of all pages. They work without a script; the one that there is keeps what is live up to date. */
import { createHash } from "node:crypto";
import { type Content, type Html, html, when } from "@suture/pages";
import type { FastifyReply } from "fastify";
import { mayBe, type Principal, type Role } from "../users/roles.ts";
import { PAGE_STYLE } from "./style.ts";

const REFRESH_SECONDS = 5;
/** What was typed and where the keyboard is stays: forms are outside of it, and change when what they are for does (formsOf). */
const SCRIPT = `const at=document.getElementById("live");setInterval(async()=>{if(document.hidden)return;try{const r=await fetch(location.href);if(!r.ok||r.redirected)return;const d=new DOMParser().parseFromString(await r.text(),"text/html"),n=d.getElementById("live");if(n)at.replaceChildren(...n.childNodes);for(const o of document.querySelectorAll("[data-of]")){const w=d.getElementById(o.id);if(w&&w.dataset.of!==o.dataset.of)o.replaceWith(w)}}catch{}},${REFRESH_SECONDS * 1000})`;

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const POLICY = [
  "default-src 'none'",
  `style-src ${hash(PAGE_STYLE)}`,
  `script-src ${hash(SCRIPT)}`,
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** With the roles that it is for; all of them unless said. */
const PLACES: readonly (readonly [place: string, name: string, who?: readonly Role[]])[] = [
  ["/", "Fleet"],
  ["/rollouts", "Roll-outs"],
  ["/hosts", "Machines"],
  ["/cves", "CVEs"],
  ["/livepatches", "Livepatches"],
  ["/builds", "Builds"],
  ["/keys", "Keys"],
  ["/tokens", "Tokens", ["operator", "admin"]],
  ["/people", "People", ["admin"]],
  ["/audit", "Audit"],
];

export interface View {
  title: string;
  body: Html;
  /** It has a part with the id `live`, which changes by itself. */
  live?: boolean;
  /** The browser goes there by itself. */
  next?: string;
}

/** A field that shows that the server gave the form. */
export const csrfField = ({ csrf }: Principal): Html => html`<input type="hidden" name="csrf" value="${csrf ?? ""}">`;

/** Forms on a page that is live: others take their place when they are for something else. @param of what they are for */
export const formsOf = (id: string, of: string, forms: Content): Html => html`<div id="${id}" data-of="${of}">${forms}</div>`;

function bar(principal: Principal, path: string): Content {
  const isAt = (place: string): boolean => (place === "/" ? path === "/" : path.startsWith(place));
  return html`<header class="bar"><nav aria-label="pages">${PLACES.filter(([, , who]) => who === undefined || mayBe(principal, who)).map(([place, name]) => html`<a href="${place}"${isAt(place) ? html` aria-current="page"` : ""}>${name}</a> `)}</nav>
<form method="post" action="/logout">${csrfField(principal)}<a href="/me">${principal.name}</a><button>Log out</button></form></header>`;
}

/** @param principal undefined: nobody is logged in */
export function sendPage(reply: FastifyReply, { title, body, live = false, next }: View, principal?: Principal): void {
  const path = new URL(reply.request.url, "http://here").pathname;
  const page = html`<a class="skip" href="#main">To the contents</a>
${when(principal !== undefined, () => (principal === undefined ? undefined : bar(principal, path)))}
<main id="main"><h1>${title}</h1>
${body}</main>
`;
  // Without a script the whole page comes anew.
  const refresh = live ? `<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS * 4}"></noscript>\n` : "";
  const on = next === undefined ? "" : html`<meta http-equiv="refresh" content="0;url=${next}">\n`.text;
  const head = html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} - Suture fleet</title>
`;
  const script = live ? `<script>${SCRIPT}</script>\n` : "";
  reply
    .header("content-security-policy", POLICY)
    .type("text/html; charset=utf-8")
    .send(
      `<!DOCTYPE html>\n<html lang="en">\n<head>\n${head.text}${refresh}${on}<style>${PAGE_STYLE}</style>\n</head>\n<body>\n${page.text}${script}</body>\n</html>\n`,
    );
}
