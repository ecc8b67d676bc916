/** Who may do what: people, keys of programs, webhooks; and what somebody has of his own. */
import { type Content, type Html, html } from "@suture/pages";
import { fleetKeyIdSchema, newAccountSchema, newWebhookSchema, WEBHOOK_EVENTS, webhookIdSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import type { Route } from "../http/route.ts";
import { ownKey } from "../users/account-routes.ts";
import { type AccountRow, accounts, changeAccount, newAccount } from "../users/accounts.ts";
import { apiKeys, type KeyRow, newApiKey, revokeApiKey } from "../users/api-keys.ts";
import { type Principal, ROLES } from "../users/roles.ts";
import type { Addresses } from "../webhooks/address.ts";
import { deliveries, newWebhook, removeWebhook, retryWebhook, testWebhook, webhooks } from "../webhooks/store.ts";
import { csrfField, type View } from "./document.ts";
import { roleBoxes, rolesHtml, rolesOf } from "./roles-form.ts";
import { formRoute, pageRoute } from "./route.ts";
import { tableHtml, timeHtml } from "./words.ts";

const KEYS_SHOWN = 200;
const days = v.optional(v.union([v.literal(""), v.pipe(v.string(), v.regex(/^\d{1,4}$/))]));

/** What is shown once. */
export const onceView = (title: string, what: string, secret: string, back: string): View => ({
  title,
  body: html`<p>${what} It is not shown again.</p><p class="box m">${secret}</p><p><a href="${back}">Go on</a></p>`,
});

const invitedView = (name: string, invitation: string): View =>
  onceView(`${name} is invited`, `Give ${name} this invitation: it is for /welcome, and good for three days.`, invitation, "/people");

export const buttonHtml = (principal: Principal, action: string, name: string, words: Readonly<Record<string, string>> = {}): Html =>
  html`<form class="inline" method="post" action="${action}">${csrfField(principal)}${Object.entries(words).map(([word, value]) => html`<input type="hidden" name="${word}" value="${value}">`)}<button>${name}</button></form> `;

function accountCells(principal: Principal, { name, roles, password, issuer, made_at, disabled_at }: AccountRow): Content[] {
  const to = `/people/accounts/${name}`;
  const own = issuer === null;
  return [
    name,
    roles.join(", "),
    disabled_at !== null
      ? html`disabled ${timeHtml(disabled_at.toISOString())}`
      : own
        ? password === null
          ? "is invited"
          : "is set up"
        : issuer,
    timeHtml(made_at.toISOString()),
    html`${disabled_at === null ? buttonHtml(principal, to, "Disable", { disabled: "yes" }) : buttonHtml(principal, to, "Enable", { disabled: "no" })}${own ? buttonHtml(principal, to, "Invite anew", { invite: "yes" }) : ""}`,
  ];
}

function keyCells(principal: Principal, { id, name, roles, made_at, expires_at, revoked_at, used_at, person, own }: KeyRow): Content[] {
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
  return [
    html`${name}<br><span class="m dim">${id}</span>`,
    html`${person.startsWith("account ") ? person.slice("account ".length) : "made on the server"}${own ? html`<br><span class="dim">ends with the roles</span>` : ""}`,
    roles.join(", "),
    timeHtml(iso(made_at)),
    timeHtml(iso(used_at)),
    expires_at === null ? "for ever" : timeHtml(iso(expires_at)),
    revoked_at === null ? buttonHtml(principal, `/people/keys/${id}/revoke`, "Revoke") : html`revoked ${timeHtml(iso(revoked_at))}`,
  ];
}

async function webhooksHtml(sql: Sql, principal: Principal): Promise<Html> {
  const all = await webhooks(sql);
  return html`<h2>Webhooks</h2>
${
  all.length === 0
    ? html`<p class="dim">Nobody is told.</p>`
    : tableHtml(
        ["webhook", "of what", "waiting", "delivered", "given up", ""],
        all.map(({ id, name, url, events, waiting, delivered, dead }) => [
          html`<a href="/people/webhooks/${id}">${name}</a><br><span class="m dim">${url}</span>`,
          events.join(", "),
          waiting,
          delivered,
          dead,
          html`${buttonHtml(principal, `/people/webhooks/${id}/test`, "Send a test")}${buttonHtml(principal, `/people/webhooks/${id}/retry`, "Send again")}${buttonHtml(principal, `/people/webhooks/${id}/remove`, "Remove")}`,
        ]),
      )
}
<form class="line" method="post" action="/people/webhooks">${csrfField(principal)}<label>Name <input name="name" maxlength="200" required></label><label>Address <input name="url" type="url" placeholder="https://" required></label>
<fieldset><legend>Of what</legend>${WEBHOOK_EVENTS.map((event) => html`<label class="box-line"><input type="checkbox" name="${event}"> ${event}</label>`)}</fieldset><button>Tell it</button></form>`;
}

export const peoplePages = (sql: Sql, addresses: Addresses): Route[] => [
  pageRoute({ path: "/people", what: "Accounts, keys of programs and webhooks", who: ["admin"] }, async ({ principal }) => {
    const all = await accounts(sql);
    const keys = (await apiKeys(sql)).reverse().sort((a, b) => Number(a.revoked_at !== null) - Number(b.revoked_at !== null));
    return {
      title: "People",
      body: html`<h2>Accounts</h2>
${
  all.length === 0
    ? html`<p class="dim">There is none.</p>`
    : tableHtml(
        ["name", "roles", "", "made", ""],
        all.map((one) => accountCells(principal, one)),
      )
}
<form class="line" method="post" action="/people">${csrfField(principal)}<label>Name <input name="name" pattern="[a-z][a-z0-9._\\-]*" maxlength="32" required autocapitalize="none"></label>${rolesHtml(ROLES)}<button>Invite</button></form>
<h2>Other roles for somebody</h2>
<form class="line" method="post" action="/people/roles">${csrfField(principal)}<label>Name <select name="name">${all.filter(({ issuer }) => issuer === null).map(({ name }) => html`<option>${name}</option>`)}</select></label>${rolesHtml(ROLES)}<button>Change</button></form>
<h2>Keys of programs</h2>
${
  keys.length === 0
    ? html`<p class="dim">There is none.</p>`
    : tableHtml(
        ["key", "of", "roles", "made", "used", "expires", ""],
        keys.slice(0, KEYS_SHOWN).map((one) => keyCells(principal, one)),
      )
}
<form class="line" method="post" action="/people/keys">${csrfField(principal)}<label>Name <input name="name" maxlength="100" required></label><label>Days that it is good <input name="days" inputmode="numeric" pattern="[0-9]*" placeholder="for ever"></label>${rolesHtml(ROLES)}<button>Make a key</button></form>
${await webhooksHtml(sql, principal)}`,
    };
  }),
  formRoute(
    {
      path: "/people",
      what: "A person is invited",
      who: ["admin"],
      body: v.strictObject({ name: newAccountSchema.entries.name, ...roleBoxes }),
    },
    async ({ principal, body: { name, ...boxes } }) => {
      const { invitation } = await newAccount(sql, principal.name, { name, roles: rolesOf(boxes) });
      return invitedView(name, invitation);
    },
  ),
  formRoute(
    {
      path: "/people/roles",
      what: "A person has other roles",
      who: ["admin"],
      body: v.strictObject({ name: newAccountSchema.entries.name, ...roleBoxes }),
    },
    async ({ principal, body: { name, ...boxes } }) => {
      await changeAccount(sql, principal.name, name, { roles: rolesOf(boxes) });
      return "/people";
    },
  ),
  formRoute(
    {
      path: "/people/accounts/:name",
      what: "A person may not log in any more, or may again, or is invited anew",
      who: ["admin"],
      params: v.pick(newAccountSchema, ["name"]),
      body: v.strictObject({ disabled: v.optional(v.picklist(["yes", "no"])), invite: v.optional(v.literal("yes")) }),
    },
    async ({ principal, params: { name }, body: { disabled, invite } }) => {
      const change = {
        ...(disabled === undefined ? {} : { disabled: disabled === "yes" }),
        ...(invite === undefined ? {} : { invite: true }),
      };
      const { invitation } = await changeAccount(sql, principal.name, name, change);
      if (invitation === null) return "/people";
      return invitedView(name, invitation);
    },
  ),
  formRoute(
    {
      path: "/people/keys",
      what: "A new key of a program",
      who: ["admin"],
      body: v.strictObject({ name: v.pipe(v.string(), v.minLength(1), v.maxLength(100)), days, ...roleBoxes }),
    },
    async ({ principal, body: { name, days: good, ...boxes } }) => {
      const { key } = await newApiKey(sql, principal, { name, roles: rolesOf(boxes), days: daysOf(good) });
      return onceView("A new key", `The key ${name}.`, key, "/people");
    },
  ),
  formRoute(
    { path: "/people/keys/:id/revoke", what: "A key is revoked at once", who: ["admin"], params: fleetKeyIdSchema },
    async ({ principal, params }) => {
      await revokeApiKey(sql, principal.name, params.id);
      return "/people";
    },
  ),
  formRoute(
    {
      path: "/people/webhooks",
      what: "A program is told from now on",
      who: ["admin"],
      body: v.strictObject({
        name: newWebhookSchema.entries.name,
        url: newWebhookSchema.entries.url,
        rollout: v.optional(v.literal("on")),
        host: v.optional(v.literal("on")),
        repository: v.optional(v.literal("on")),
        administration: v.optional(v.literal("on")),
      }),
    },
    async ({ principal, body: { name, url, ...boxes } }) => {
      const events = WEBHOOK_EVENTS.filter((event) => boxes[event] === "on");
      const { secret } = await newWebhook(sql, addresses, principal.name, { name, url, events });
      return onceView("A new webhook", `The secret by which ${name} knows that it is this server.`, secret, "/people");
    },
  ),
  pageRoute(
    { path: "/people/webhooks/:id", what: "What a webhook was told", who: ["admin"], params: webhookIdSchema },
    async ({ params: { id } }) => ({
      title: "Webhook",
      body: tableHtml(
        ["when", "state", "tries", "next", "what came of it", ""],
        (await deliveries(sql, id)).map(({ at, state, tries, next, said, body }) => [
          timeHtml(at),
          state,
          tries,
          next === null ? "" : timeHtml(next),
          said,
          html`<details><summary>what</summary><div class="m">${body}</div></details>`,
        ]),
      ),
    }),
  ),
  ...(
    [
      ["test", async (_who: string, id: string) => testWebhook(sql, id)],
      ["retry", (who: string, id: string) => retryWebhook(sql, who, id)],
      ["remove", (who: string, id: string) => removeWebhook(sql, who, id)],
    ] as const
  ).map(([word, does]) =>
    formRoute(
      { path: `/people/webhooks/:id/${word}`, what: `A webhook: ${word}`, who: ["admin"], params: webhookIdSchema },
      async ({ principal, params }) => {
        await does(principal.name, params.id);
        return "/people";
      },
    ),
  ),
  pageRoute({ path: "/me", what: "What one may do, and keys of one's own", who: ROLES }, async ({ principal }) => ({
    title: principal.name,
    body: html`<p>Your roles: ${principal.roles.join(", ")}.</p>
<h2>A key of your own</h2><p class="dim">For suture fleet and other programs; it counts as your word, for 90 days at most.</p>
<form class="line" method="post" action="/me/keys">${csrfField(principal)}<label>Name <input name="name" maxlength="100" required></label><label>Days that it is good <input name="days" inputmode="numeric" pattern="[0-9]*" value="90"></label>${rolesHtml(principal.roles)}<button>Make a key</button></form>`,
  })),
  formRoute(
    {
      path: "/me/keys",
      what: "A key of one's own",
      who: ROLES,
      body: v.strictObject({ name: v.pipe(v.string(), v.minLength(1), v.maxLength(100)), days, ...roleBoxes }),
    },
    async ({ principal, body: { name, days: good, ...boxes } }) => {
      const { key } = await ownKey(sql, principal, { name, roles: rolesOf(boxes), days: daysOf(good) });
      return onceView("A new key", `Your key ${name}.`, key, "/me");
    },
  ),
];

const daysOf = (text: string | undefined): number | undefined =>
  text === undefined || text === "" ? undefined : Math.max(1, Math.min(3650, Number(text)));
