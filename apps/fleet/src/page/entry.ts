/** How a person comes in. */
import { html, when } from "@suture/pages";
import { confirmSchema, loginSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import { confirm, welcome } from "../users/accounts.ts";
import { begunIn, hasLeft, sessionIn, setBegun, setSession } from "../users/cookie.ts";
import { beginOidc, endOidc } from "../users/oidc/login.ts";
import type { Provider } from "../users/oidc/provider.ts";
import { ROLES } from "../users/roles.ts";
import { isProviders, logIn, logOut } from "../users/sessions.ts";
import { formRoute, pageRoute } from "./route.ts";
import { queryOf } from "./words.ts";

const TRIES = 20;
const HERE = "http://here.invalid";

/** A page of this server, and no other: as browsers read it, who drop tabs and line ends. */
function here(to: string | undefined): string {
  if (to === undefined || !URL.canParse(to, HERE)) return "/";
  const { origin, pathname, search } = new URL(to, HERE);
  return origin === HERE && !pathname.startsWith("//") ? `${pathname}${search}` : "/";
}
const to = v.optional(v.pipe(v.string(), v.maxLength(500)));

const CODE = html`<label>Code of your app <input name="code" inputmode="numeric" pattern="[0-9]{6}" autocomplete="one-time-code" required></label>`;

const oidcRoutes = (sql: Sql, provider: Provider): Route[] => [
  route({
    method: "GET",
    path: "/login/oidc",
    what: "Log in at the organisation's provider",
    who: "anyone",
    page: true,
    perMinute: TRIES,
    query: v.strictObject({ to }),
    handle: async ({ query, reply }) => {
      const { address, browser } = await beginOidc(sql, provider, here(query.to), hasLeft(reply.request));
      setBegun(reply, browser);
      reply.redirect(address, 303);
    },
  }),
  pageRoute(
    {
      path: "/login/oidc/callback",
      what: "The provider sends the browser back",
      who: "anyone",
      perMinute: TRIES,
      query: v.looseObject({}),
    },
    async ({ reply }) => {
      const { request } = reply;
      const { search } = new URL(request.url, "http://here");
      const { session, next } = await endOidc(sql, provider, search, begunIn(request), sessionIn(request));
      setBegun(reply, undefined);
      setSession(reply, session);
      // Not a redirection: the cookie goes with what begins on a page of this server, and not with what began on one of the provider's.
      return { title: "Logged in", next, body: html`<p><a href="${next}">Go on</a></p>` };
    },
  ),
];

export const entryRoutes = (sql: Sql, provider: Provider | undefined): Route[] => [
  ...(provider === undefined ? [] : oidcRoutes(sql, provider)),
  pageRoute({ path: "/login", what: "Log in", who: "anyone", query: v.strictObject({ to }) }, async ({ query }) => ({
    title: "Log in",
    body: html`<form class="stack" method="post" action="/login">
<input type="hidden" name="to" value="${here(query.to)}">
<label>Name <input name="name" autocomplete="username" autocapitalize="none" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
${CODE}
<button class="go">Log in</button></form>
${when(provider !== undefined, () => html`<p><a href="/login/oidc?${queryOf({ to: here(query.to) })}">Log in by your organisation</a></p>`)}
<p class="dim">You were invited? <a href="/welcome">Set up your account</a>.</p>`,
  })),
  formRoute(
    { path: "/login", what: "Log in", who: "anyone", perMinute: TRIES, body: v.strictObject({ ...loginSchema.entries, to }) },
    async ({ body: { to: next, ...login }, reply }) => {
      setSession(reply, await logIn(sql, login, sessionIn(reply.request)));
      return here(next);
    },
  ),
  formRoute({ path: "/logout", what: "Log out", who: ROLES }, async ({ reply }) => {
    const session = sessionIn(reply.request);
    const next = session !== undefined && (await isProviders(sql, session)) ? await provider?.leaving() : undefined;
    if (session !== undefined) await logOut(sql, session);
    setSession(reply, undefined);
    // Its own session is ended there: not by a redirection, which a form may not follow elsewhere.
    return next === undefined
      ? "/login"
      : { title: "Logged out", next, body: html`<p><a href="${next}">Log out at your organisation as well</a></p>` };
  }),
  pageRoute({ path: "/welcome", what: "Set up an account", who: "anyone" }, async () => ({
    title: "Set up your account",
    body: html`<form class="stack" method="post" action="/welcome">
<label>Invitation <input name="invitation" autocomplete="off" required autofocus></label><button class="go">Go on</button></form>`,
  })),
  formRoute(
    { path: "/welcome", what: "Set up an account", who: "anyone", perMinute: TRIES, body: v.pick(confirmSchema, ["invitation"]) },
    async ({ body: { invitation } }) => {
      const { name, secret, address } = await welcome(sql, invitation);
      return {
        title: `Welcome, ${name}`,
        body: html`<p>Put this key into an app for codes (TOTP), then choose a password of 12 characters or more.</p>
<p class="box m">${secret.replace(/.{4}(?=.)/g, "$& ")}</p><p class="dim m">${address}</p>
<form class="stack" method="post" action="/welcome/confirm"><input type="hidden" name="invitation" value="${invitation}">
<input type="text" autocomplete="username" value="${name}" readonly hidden>
<label>Password <input name="password" type="password" minlength="12" autocomplete="new-password" required></label>
${CODE}
<button class="go">Set up</button></form>`,
      };
    },
  ),
  formRoute(
    { path: "/welcome/confirm", what: "Set up an account", who: "anyone", perMinute: TRIES, body: confirmSchema },
    async ({ body }) => {
      await confirm(sql, body);
      return "/login";
    },
  ),
];
