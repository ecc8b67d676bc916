/** Machines: found by name and by what they are, page by page; and one, with its history. */
import { type Content, html, when } from "@suture/pages";
import { CVE_STANDINGS, cveIdSchema, type FleetHost, HOST_STATES, type HostLevel, type HostReportState } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { settleHost } from "../hosts/enrol.ts";
import { listHosts, oneHost } from "../hosts/list.ts";
import { byCve } from "../hosts/routes.ts";
import type { Route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { mayBe, SEERS } from "../users/roles.ts";
import { csrfField } from "./document.ts";
import { formRoute, pageRoute } from "./route.ts";
import { queryOf, statusHtml, tableHtml, timeHtml } from "./words.ts";

const PAGE = 50;
const STATUSES = [
  "never seen",
  "silent",
  "trouble",
  "reboot wanted",
  "held",
  "soaking",
  "well",
] as const satisfies readonly FleetHost["status"][];
/** What a form sends for all of them. */
const any = v.literal("");
const given = v.optional(v.pipe(v.string(), v.maxLength(300)));
const filter = v.strictObject({
  name: given,
  state: v.optional(v.union([any, v.picklist(HOST_STATES)])),
  status: v.optional(v.union([any, v.picklist(STATUSES)])),
  label: given,
  buildId: given,
  livepatch: given,
  cve: v.optional(v.union([any, cveIdSchema])),
  standing: v.optional(v.union([any, v.picklist(CVE_STANDINGS)])),
  after: given,
});
const set = <T extends string>(value: T | "" | undefined): T | undefined => (value === "" ? undefined : (value as T | undefined));

const options = (all: readonly string[], chosen: string | undefined, none = "all"): Content =>
  ["", ...all].map(
    (one) => html`<option value="${one}"${one === (chosen ?? "") ? html` selected` : ""}>${one === "" ? none : one}</option>`,
  );
const field = (name: string, words: string, value: string | undefined): Content =>
  html`<label>${words} <input name="${name}" value="${value ?? ""}"></label>`;

function hostRow({ id, name, status, state, release, counter, labels, seen }: FleetHost): Content[] {
  return [
    html`<a href="/hosts/${id}">${name}</a>`,
    state === "approved" ? statusHtml(status) : state,
    release ?? "",
    counter === null || counter === 0 ? html`<span class="dim">none</span>` : `number ${counter}`,
    labels.join(", "),
    timeHtml(seen),
  ];
}

function reportHtml(report: HostReportState): Content {
  const lines: readonly (readonly [string, Content])[] = [
    [
      "livepatches in its kernel",
      report.livepatches.map(
        ({ name, inEffect, kept }) => html`${name}${inEffect ? "" : ", not in effect"}${kept ? ", kept for boot" : ""}<br>`,
      ),
    ],
    [
      "about to load",
      report.intent === null ? undefined : html`<span class="m">${report.intent.sha256}</span> by ${report.intent.rollOut}`,
    ],
    [
      "on trial",
      report.soak === null
        ? undefined
        : html`<span class="m">${report.soak.sha256}</span> by ${report.soak.rollOut}: ${report.soak.phase}${report.soak.failure === null ? "" : `, ${report.soak.failure.code}: ${report.soak.failure.why}`}`,
    ],
    ["refused", report.refused.map(({ sha256, code, why }) => html`<span class="m">${sha256.slice(0, 12)}</span> ${code}: ${why}<br>`)],
    [
      "offered",
      report.offers.map(
        ({ sha256, counter, obstacle, why }) =>
          html`<span class="m">${sha256.slice(0, 12)}</span> number ${counter}: ${obstacle ?? "taken"}${why === "" ? "" : `, ${why}`}<br>`,
      ),
    ],
    ["failed", report.failed.map(({ what, name, code, why }) => html`${what} ${name}: ${code}, ${why}<br>`)],
    ["reboot wanted for", report.rebootWanted.join(", ")],
    ["held by the machine", report.hold ?? undefined],
    ["the repository is not believed", report.problem === null ? undefined : `${report.problem.code}: ${report.problem.why}`],
  ];
  const isThere = (content: Content): boolean =>
    content !== undefined && content !== "" && !(Array.isArray(content) && content.length === 0);
  return html`<dl>${lines.filter(([, content]) => isThere(content)).map(([name, content]) => html`<dt>${name}</dt><dd>${content}</dd>`)}</dl>`;
}

function levelHtml(level: HostLevel): Content {
  const { version, level: reached, reboot, coveredUntil, openCves, unknown, closed } = level;
  return html`<h2>Level</h2>
<dl><dt>kernel</dt><dd>${version ?? "no version is known"}</dd><dt>effective level</dt><dd>${reached ?? "not known"}${when(openCves.length > 0, () => `, but for ${openCves.length} CVEs`)}</dd>
<dt>CVEs</dt><dd>${openCves.length} open, ${unknown} not known, ${closed} closed</dd>
<dt>reboot wanted</dt><dd>${reboot.length === 0 ? "no" : reboot.map(({ why }) => html`${why}<br>`)}</dd>
<dt>covered until</dt><dd>${coveredUntil ?? "nobody has said"}</dd></dl>
${when(
  openCves.length > 0,
  () =>
    html`<details><summary>Open CVEs</summary>${tableHtml(
      ["CVE", "reason", ""],
      openCves.map(({ id, reason, why }) => [html`<a href="/cves/${id}">${id}</a>`, reason, why]),
    )}</details>`,
)}`;
}

const params = v.strictObject({ id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)) });

export const hostPages = (sql: Sql, knowledge: Knowledge): Route[] => [
  pageRoute({ path: "/hosts", what: "Machines", who: SEERS, query: filter }, async ({ query }) => {
    const { name, state, status, label, buildId, livepatch, cve, standing, after } = query;
    const { hosts, next } = await listHosts(sql, {
      name: set(name),
      state: set(state),
      status: set(status),
      label: set(label),
      buildId: set(buildId),
      livepatch: set(livepatch),
      cve: await byCve(knowledge, set(cve), set(standing)),
      after: set(after),
      limit: PAGE,
    });
    return {
      title: "Machines",
      body: html`<form class="line" method="get" action="/hosts" role="search">
${field("name", "Name begins with", name)}<label>Status <select name="status">${options(STATUSES, status)}</select></label>
<label>Enrolment <select name="state">${options(HOST_STATES, state)}</select></label>
${field("label", "Label", label)}${field("buildId", "Build-id", buildId)}${field("livepatch", "SHA-256 of a livepatch in effect", livepatch)}
${field("cve", "CVE", cve)}<label>Stands <select name="standing">${options(["unknown", "closed"], standing, "open")}</select></label>
<button>Find</button></form>
${hosts.length === 0 ? html`<p class="dim">There is none.</p>` : tableHtml(["machine", "status", "kernel", "livepatch", "labels", "last heard of"], hosts.map(hostRow))}
<p>${when(after !== undefined, () => html`<a href="/hosts?${queryOf({ ...query, after: undefined })}">From the beginning</a> `)}${when(next !== null, () => html`<a rel="next" href="/hosts?${queryOf({ ...query, after: next ?? undefined })}">The next ${PAGE}</a>`)}</p>`,
    };
  }),
  pageRoute({ path: "/hosts/:id", what: "A machine and its history", who: SEERS, params }, async ({ params: { id }, principal }) => {
    const { host, report, level, events } = await oneHost(sql, knowledge, id);
    const next = (["approved", "refused", "retired"] as const).filter((one) => one !== host.state && host.state !== "retired");
    return {
      title: host.name,
      body: html`<p>${host.state === "approved" ? statusHtml(host.status) : host.state} ${host.release ?? ""}, last heard of ${timeHtml(host.seen)}</p>
<dl><dt>id</dt><dd class="m">${host.id}</dd><dt>build-id</dt><dd class="m">${host.buildId ?? "unknown"}</dd><dt>labels</dt><dd>${host.labels.join(", ")}</dd><dt>channel</dt><dd>${host.channel ?? ""}</dd><dt>enrolled</dt><dd>${timeHtml(host.enrolled)}</dd></dl>
${when(level !== null, () => (level === null ? undefined : levelHtml(level)))}
${when(report !== null, () => (report === null ? undefined : html`<h2>What it reported last</h2>${reportHtml(report)}`))}
${when(mayBe(principal, ["operator"]), () => html`<div class="line">${next.map((state) => html`<form class="line" method="post" action="/hosts/${id}">${csrfField(principal)}<input type="hidden" name="state" value="${state}"><button>${state === "approved" ? "Approve" : state === "refused" ? "Refuse" : "Retire, for ever"}</button></form>`)}</div>`)}
<h2>History</h2>
${
  events.length === 0
    ? html`<p class="dim">Nothing yet.</p>`
    : tableHtml(
        ["when", "what", ""],
        events.map(({ at, what, detail }) => [timeHtml(at), what, detail]),
      )
}`,
    };
  }),
  formRoute(
    {
      path: "/hosts/:id",
      what: "A machine is approved, refused or retired",
      who: ["operator"],
      params,
      body: v.strictObject({ state: v.picklist(["approved", "refused", "retired"]) }),
    },
    async ({ params: { id }, principal, body: { state } }) => {
      await settleHost(sql, principal.name, id, state);
      return `/hosts/${id}`;
    },
  ),
];
