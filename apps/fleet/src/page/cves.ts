/** CVEs: all that are known of, and one, with the machines that are open to it and why. */
import { html, when } from "@suture/pages";
import { cveIdSchema, type FleetCveWhole } from "@suture/protocol";
import * as v from "valibot";
import type { Route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { cvePage } from "../knowledge/page-of-cves.ts";
import { cveQuery } from "../knowledge/routes.ts";
import { SEERS } from "../users/roles.ts";
import { pageRoute } from "./route.ts";
import { countedHtml, queryOf, standingHtml, tableHtml, tilesHtml } from "./words.ts";

const PAGE = 100;

const hostsOf = (cve: string, standing: string): string => `/hosts?${queryOf({ state: "approved", cve, standing })}`;

function kernelsHtml({ id, kernels }: FleetCveWhole) {
  return tableHtml(
    ["kernel", "livepatches in effect", "machines", "stands", "why", "what to do"],
    kernels.map(({ release, buildId, version, livepatches, machines, silent, standing, reason, why, mend }) => [
      html`${release}<br><span class="dim">${version ?? "no version is known"}</span>`,
      livepatches.length === 0 ? html`<span class="dim">none</span>` : livepatches.map((name) => html`${name}<br>`),
      html`<a href="/hosts?${queryOf({ state: "approved", cve: id, standing, buildId: buildId ?? undefined })}">${machines}</a>${when(silent > 0, () => html`<br><span class="dim">${silent} silent</span>`)}`,
      standingHtml(standing),
      `${reason === "unknown" ? "" : `${reason}: `}${why}`,
      mend ?? "",
    ]),
  );
}

export const cvePages = (knowledge: Knowledge): Route[] => [
  pageRoute({ path: "/cves", what: "CVEs, and how many machines are open to each", who: SEERS, query: cveQuery }, async ({ query }) => {
    const { cves, next } = cvePage(await knowledge.cves(), query, PAGE);
    return {
      title: "CVEs",
      body: html`<form class="line" method="get" action="/cves" role="search">
<label>Id begins with, or the title has <input name="id" value="${query.id ?? ""}"></label>
<label>Shown <select name="open"><option value="">all</option><option value="1"${query.open === "1" ? html` selected` : ""}>with open machines</option></select></label>
<button>Find</button></form>
<p class="dim">Those that the repository's livepatches speak of. What is closed on a machine is not known any more when it is silent.</p>
${countedHtml(await knowledge.counted())}
${
  cves.length === 0
    ? html`<p class="dim">There is none.</p>`
    : tableHtml(
        ["CVE", "fix", "open", "not known", "closed"],
        cves.map(({ id, title, open, unknown, closed }) => [
          html`<a href="/cves/${id}">${id}</a>`,
          title,
          open === 0 ? open : html`<a href="${hostsOf(id, "open")}">${open}</a>`,
          unknown === 0 ? unknown : html`<a href="${hostsOf(id, "unknown")}">${unknown}</a>`,
          closed,
        ]),
      )
}
<p>${when(query.after !== undefined, () => html`<a href="/cves?${queryOf({ ...query, after: undefined })}">From the beginning</a> `)}${when(next !== null, () => html`<a rel="next" href="/cves?${queryOf({ ...query, after: next ?? undefined })}">The next ${PAGE}</a>`)}</p>`,
    };
  }),
  pageRoute(
    { path: "/cves/:id", what: "A CVE, and the machines that are open to it", who: SEERS, params: v.strictObject({ id: cveIdSchema }) },
    async ({ params: { id } }) => {
      const cve = await knowledge.cve(id);
      return {
        title: id,
        body: html`<p class="lead">${cve.title}</p>
${tilesHtml([
  { name: "machines are open to it", count: cve.open, href: hostsOf(id, "open") },
  { name: "nothing says", count: cve.unknown, href: hostsOf(id, "unknown") },
  { name: "closed", count: cve.closed, href: hostsOf(id, "closed") },
])}
${countedHtml(await knowledge.counted())}
<h2>By kernel</h2>
${cve.kernels.length === 0 ? html`<p class="dim">No machine has said what it has.</p>` : kernelsHtml(cve)}
<h2>Livepatches that speak of it</h2>
${tableHtml(
  ["livepatch", "kernel", "there it is"],
  cve.livepatches.map(({ sha256, name, release, state }) => [html`<a href="/livepatches/${sha256}">${name}</a>`, release, state]),
)}`,
      };
    },
  ),
];
