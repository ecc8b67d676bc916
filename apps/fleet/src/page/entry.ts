/** How a person comes in. */
import { html } from "@suture/pages";
import { confirmSchema, loginSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import type { Route } from "../http/route.ts";
import { confirm, welcome } from "../users/accounts.ts";
import { sessionIn, setSession } from "../users/cookie.ts";
import { ROLES } from "../users/roles.ts";
import { logIn, logOut } from "../users/sessions.ts";
import { formRoute, pageRoute } from "./route.ts";

const TRIES = 20;
/** A page of this server, and no other. */
const here = (to: string | undefined): string => (to !== undefined && /^\/(?![/\\])/.test(to) ? to : "/");
const to = v.optional(v.pipe(v.string(), v.maxLength(500)));

const CODE = html`<label>Code of your app <input name="code" inputmode="numeric" pattern="[0-9]{6}" autocomplete="one-time-code" required></label>`;

export const entryRoutes = (sql: Sql): Route[] => [
  pageRoute({ path: "/login", what: "Log in", who: "anyone", query: v.strictObject({ to }) }, async ({ query }) => ({
    title: "Log in",
    body: html`<form class="stack" method="post" action="/login">
<input type="hidden" name="to" value="${here(query.to)}">
<label>Name <input name="name" autocomplete="username" autocapitalize="none" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
${CODE}
<button class="go">Log in</button></form>
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
    if (session !== undefined) await logOut(sql, session);
    setSession(reply, undefined);
    return "/login";
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
