/** The fleet at a glance: how its machines are, at which level, and what is rolling. */
import { html, when } from "@suture/pages";
import type { FleetHost } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import type { Counts } from "../hosts/counts.ts";
import type { Route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import type { Rested } from "../rested.ts";
import { rollouts } from "../rollouts/store.ts";
import { levelSeries } from "../samples/samples.ts";
import { SEERS } from "../users/roles.ts";
import { chartHtml } from "./chart.ts";
import { rolloutRow } from "./rollouts.ts";
import { pageRoute } from "./route.ts";
import { countedHtml, queryOf, tableHtml, tilesHtml } from "./words.ts";

const SHOWN: readonly FleetHost["status"][] = ["well", "soaking", "trouble", "silent", "reboot wanted", "held", "never seen"];
/** With most machines. */
const MOST = 100;
const OPEN = new Set(["approved", "rolling", "paused", "held"]);

export const glanceRoutes = (sql: Sql, knowledge: Knowledge, counted: Rested<Counts>): Route[] => [
  pageRoute({ path: "/", what: "The fleet at a glance", who: SEERS }, async () => {
    const counts = await counted.now();
    const kernels = await knowledge.kernels();
    const open = (await rollouts(sql)).filter(({ phase }) => OPEN.has(phase));
    return {
      title: "Fleet",
      live: true,
      body: html`<div id="live"><h2>Machines</h2>
${tilesHtml([
  { name: "in the fleet", count: counts.all, href: "/hosts?state=approved" },
  ...SHOWN.map((status) => ({
    // Levels want one for other reasons as well, below.
    name: status === "reboot wanted" ? "have what was withdrawn" : status,
    count: counts.statuses[status] ?? 0,
    href: `/hosts?${queryOf({ status, state: "approved" })}`,
  })),
  { name: "wait for approval", count: counts.pending, href: "/hosts?state=pending" },
])}
<h2>Roll-outs</h2>
${open.length === 0 ? html`<p class="dim">Nothing is rolling.</p>` : tableHtml(["roll-out", "phase", "stage", "machines", "why"], open.map(rolloutRow))}
<h2>Level</h2>
${countedHtml(await knowledge.counted())}
${chartHtml("Machines by effective level", await levelSeries(sql))}
${when(kernels.length === 0, () => html`<p class="dim">No machine has reported yet.</p>`)}
${when(kernels.length > 0, () =>
  tableHtml(
    ["kernel", "livepatches in effect", "effective level", "open CVEs", "not known", "reboot wanted", "covered until", "machines"],
    kernels
      .slice(0, MOST)
      .map(({ release, buildId, version, livepatches, level, open, unknown, reboot, coveredUntil, machines }) => [
        html`${release}<br><span class="dim">${version ?? "no version is known"}</span>`,
        livepatches.length === 0 ? html`<span class="dim">none</span>` : livepatches.map((name) => html`${name}<br>`),
        level ?? html`<span class="dim">not known</span>`,
        open,
        unknown,
        reboot.length === 0 ? "no" : reboot.map(({ why }) => html`${why}<br>`),
        coveredUntil ?? html`<span class="dim">nobody has said</span>`,
        html`<a href="/hosts?${queryOf({ buildId: buildId ?? undefined, state: "approved" })}">${machines}</a>`,
      ]),
  ),
)}</div>`,
    };
  }),
];
