/** The repository's keys and what expires when, and the audit. */
import { html, when } from "@suture/pages";
import * as v from "valibot";
import { auditPage, brokenAudit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import type { Route } from "../http/route.ts";
import type { Steering } from "../steering/steering.ts";
import { SEERS } from "../users/roles.ts";
import { pageRoute } from "./route.ts";
import { expiryHtml, queryOf, tableHtml, timeHtml } from "./words.ts";

const PAGE = 100;
export const NO_REPOSITORY = html`<p class="dim">The server was given no repository: it only looks at machines.</p>`;

export const otherPages = (sql: Sql, steering: Steering | undefined): Route[] => [
  pageRoute({ path: "/keys", what: "The repository's keys, and what expires when", who: SEERS }, async () => {
    const found = await steering?.status();
    if (found === undefined) return { title: "Keys", body: NO_REPOSITORY };
    const table = tableHtml(
      ["role", "state", "expires", "version", "keys", "next version"],
      found.roles.map(({ role, state, expires, version, threshold, keys, staged }) => [
        role,
        expiryHtml(state),
        timeHtml(expires ?? null),
        version ?? "",
        `${threshold} of ${keys.join(", ")}`,
        staged === undefined
          ? ""
          : staged.lacking === 0
            ? "is signed"
            : `lacks ${staged.lacking}; may sign: ${staged.mayStillSign.join(", ")}`,
      ]),
    );
    return { title: "Keys", body: html`<p class="lead">Of the repository of ${found.fleet}.</p>${table}` };
  }),
  pageRoute(
    {
      path: "/audit",
      what: "Who did what",
      who: SEERS,
      query: v.strictObject({ before: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/))), check: v.optional(v.literal("1")) }),
    },
    async ({ query }) => {
      const rows = await auditPage(sql, { before: query.before === undefined ? undefined : Number(query.before), limit: PAGE });
      const broken = query.check === undefined ? undefined : await brokenAudit(sql);
      const last = rows.at(-1)?.n ?? 1;
      return {
        title: "Audit",
        body: html`${query.check === undefined ? html`<p><a href="/audit?check=1">Check that all is as it was written</a></p>` : broken === undefined ? html`<p class="box">All is as it was written.</p>` : html`<p class="box alarm" role="alert">Row ${broken} is not as it was written.</p>`}
${tableHtml(
  ["", "when", "who", "what", "about", ""],
  rows.map(({ n, at, who, what, about, detail }) => [
    n,
    timeHtml(at),
    who,
    what,
    about,
    detail === "{}" ? "" : html`<details><summary>more</summary><div class="m">${detail}</div></details>`,
  ]),
)}
${when(last > 1, () => html`<p><a rel="next" href="/audit?${queryOf({ before: String(last) })}">Older ones</a></p>`)}`,
      };
    },
  ),
];
