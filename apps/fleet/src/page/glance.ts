/** The fleet at a glance: how its machines are, at which level, and what is rolling. */
import { html, when } from "@suture/pages";
import type { FleetHost } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { countsOf, levelsOf } from "../hosts/counts.ts";
import type { Route } from "../http/route.ts";
import { rollouts } from "../rollouts/store.ts";
import { ROLES } from "../users/roles.ts";
import { rolloutRow } from "./rollouts.ts";
import { pageRoute } from "./route.ts";
import { queryOf, tableHtml, tilesHtml } from "./words.ts";

const SHOWN: readonly FleetHost["status"][] = ["well", "soaking", "trouble", "silent", "reboot wanted", "held", "never seen"];
const OPEN = new Set(["approved", "rolling", "paused", "held"]);

export const glanceRoutes = (sql: Sql): Route[] => [
  pageRoute({ path: "/", what: "The fleet at a glance", who: ROLES }, async () => {
    const counts = await countsOf(sql);
    const levels = await levelsOf(sql);
    const open = (await rollouts(sql)).filter(({ phase }) => OPEN.has(phase));
    return {
      title: "Fleet",
      live: true,
      body: html`<div id="live"><h2>Machines</h2>
${tilesHtml([
  { name: "in the fleet", count: counts.all, href: "/hosts?state=approved" },
  ...SHOWN.map((name) => ({ name, count: counts.statuses[name] ?? 0, href: `/hosts?${queryOf({ status: name, state: "approved" })}` })),
  { name: "wait for approval", count: counts.pending, href: "/hosts?state=pending" },
])}
<h2>Roll-outs</h2>
${open.length === 0 ? html`<p class="dim">Nothing is rolling.</p>` : tableHtml(["roll-out", "phase", "stage", "machines", "why"], open.map(rolloutRow))}
<h2>Level</h2>
${when(levels.length === 0, () => html`<p class="dim">No machine has reported yet.</p>`)}
${when(levels.length > 0, () =>
  tableHtml(
    ["kernel", "build-id", "livepatch of its line", "machines"],
    levels.map(({ release, buildId, accepted, machines }) => [
      release,
      html`<a class="m" href="/hosts?${queryOf({ buildId: buildId ?? undefined })}">${(buildId ?? "unknown").slice(0, 12)}</a>`,
      accepted === 0 ? html`<span class="dim">none</span>` : `number ${accepted}`,
      machines,
    ]),
  ),
)}</div>`,
    };
  }),
];
