/** Tokens by which machines enrol. */
import { html, when } from "@suture/pages";
import { newEnrolTokenSchema } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { enrolTokens, newEnrolToken, revokeEnrolToken } from "../hosts/enrol.ts";
import type { Route } from "../http/route.ts";
import { csrfField } from "./document.ts";
import { buttonHtml, onceView } from "./people.ts";
import { formRoute, pageRoute } from "./route.ts";
import { tableHtml, timeHtml } from "./words.ts";

const WHO = ["operator", "admin"] as const;
const number = v.pipe(v.string(), v.regex(/^\d{0,7}$/));

export const tokenPages = (sql: Sql): Route[] => [
  pageRoute({ path: "/tokens", what: "Tokens by which machines enrol", who: WHO }, async ({ principal }) => {
    const all = (await enrolTokens(sql)).reverse();
    const now = new Date();
    return {
      title: "Enrolment tokens",
      body: html`${when(all.length === 0, () => html`<p class="dim">There is none.</p>`)}${when(all.length > 0, () =>
        tableHtml(
          ["token", "machines", "approved by itself", "labels", "good until", ""],
          all.map(({ id, name, most, used, approve, labels, expires_at, revoked_at }) => [
            html`${name}<br><span class="m dim">${id}</span>`,
            most === null ? `${used} of any number` : `${used} of ${most}`,
            approve ? "yes" : "no",
            labels.join(", "),
            timeHtml(expires_at.toISOString()),
            revoked_at !== null
              ? html`revoked ${timeHtml(revoked_at.toISOString())}`
              : expires_at < now
                ? "has expired"
                : buttonHtml(principal, `/tokens/${id}/revoke`, "Revoke"),
          ]),
        ),
      )}
<h2>A new one</h2>
<form class="stack" method="post" action="/tokens">${csrfField(principal)}<label>Name <input name="name" maxlength="200" required></label>
<label>Machines, at most <input name="limit" inputmode="numeric" pattern="[0-9]*" placeholder="any number"></label>
<label>Days that it is good <input name="days" inputmode="numeric" pattern="[0-9]+" value="30" required></label>
<label>Labels, with spaces between <input name="labels"></label>
<label class="box-line"><input type="checkbox" name="approve"> Its machines need nobody's approval</label><button class="go">Make a token</button></form>`,
    };
  }),
  formRoute(
    {
      path: "/tokens",
      what: "A new token; it is shown once",
      who: WHO,
      body: v.strictObject({
        name: newEnrolTokenSchema.entries.name,
        limit: v.optional(number, ""),
        days: number,
        labels: v.optional(v.pipe(v.string(), v.maxLength(5000)), ""),
        approve: v.optional(v.literal("on")),
      }),
    },
    async ({ principal, body: { name, limit, days, labels, approve } }) => {
      const given = {
        name,
        limit: limit === "" ? null : Number(limit),
        days: Number(days),
        approve: approve === "on",
        labels: labels.split(/[\s,]+/).filter((label) => label !== ""),
      };
      const checked = v.safeParse(newEnrolTokenSchema, given);
      if (!checked.success) throw fail("FLEET_REQUEST", `${v.getDotPath(checked.issues[0]) ?? ""}: ${checked.issues[0].message}`);
      const { token } = await newEnrolToken(sql, principal.name, checked.output);
      return onceView("A new token", `The token ${name}, for /etc/suture/fleet-token of machines.`, token, "/tokens");
    },
  ),
  formRoute(
    {
      path: "/tokens/:id/revoke",
      what: "No machine enrols by it any more",
      who: WHO,
      params: v.strictObject({ id: v.pipe(v.string(), v.regex(/^[0-9a-f]{12}$/)) }),
    },
    async ({ principal, params }) => {
      await revokeEnrolToken(sql, principal.name, params.id);
      return "/tokens";
    },
  ),
];
