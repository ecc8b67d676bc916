/** Builds: what the fleet's kernels want, what is being built, what is to be read and signed. */
import { type Content, type Html, html, when } from "@suture/pages";
import { type BuildState, buildWords, type FleetBuild, type FleetWanted } from "@suture/protocol";
import * as v from "valibot";
import { builders } from "../builds/archive.ts";
import type { BuildFolder } from "../builds/files.ts";
import { askForBuild, isKeptReady, setKeepReady, wantedNow } from "../builds/keep-ready.ts";
import { buildAgain, cancelBuild } from "../builds/queue.ts";
import { buildParams } from "../builds/routes.ts";
import { buildOf, buildsPage, oneBuild } from "../builds/row.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { type Route, route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { mayBe, type Principal, SEERS } from "../users/roles.ts";
import { csrfField, formsOf } from "./document.ts";
import { NO_REPOSITORY } from "./others.ts";
import { sendReview } from "./review.ts";
import { formRoute, pageRoute } from "./route.ts";
import { buildStateHtml, queryOf, tableHtml, timeHtml } from "./words.ts";

const BY_HAND = "asked for on the page";
const OPEN: ReadonlySet<BuildState> = new Set(["waiting", "running"]);
const WORDS: Readonly<Record<FleetWanted["state"], string>> = {
  newest: "is the newest",
  published: "has a livepatch to it",
  build: "is built",
  wanted: "wants one",
  cannot: "cannot be built for",
};

function button(principal: Principal, action: string, name: string, fields: Content = ""): Content {
  if (!mayBe(principal, ["operator"])) return "";
  return html`<form method="post" action="${action}">${csrfField(principal)}${fields}<button>${name}</button></form>`;
}

const wantedCells = (principal: Principal, { release, version, buildId, machines, newest, state, why, build }: FleetWanted): Content[] => [
  html`${release}<br><span class="dim">${version ?? "no version is known"}</span>`,
  html`<a href="/hosts?${queryOf({ buildId, state: "approved" })}">${machines}</a>`,
  newest === null ? "" : html`${newest.release}<br><span class="dim">${newest.version}</span>`,
  html`${build === null ? WORDS[state] : html`<a href="/builds/${build}">${WORDS[state]}</a>`}<br><span class="dim">${why}</span>`,
  when(state === "wanted", () => button(principal, "/builds", "Build it", html`<input type="hidden" name="buildId" value="${buildId}">`)),
];

const buildCells = (one: FleetBuild): Content[] => [
  html`<a href="/builds/${one.id}">${one.id}</a>`,
  html`${one.release}<br><span class="dim">to ${one.targetRelease}</span>`,
  buildStateHtml(one.state),
  one.published ? "is signed and published" : one.stage === "" ? `${one.code === "" ? "" : `${one.code}: `}${one.why}` : one.stage,
  one.machines,
  timeHtml(one.made),
  one.builder ?? "",
];

function settingHtml(principal: Principal, keepReady: boolean): Html {
  return html`<div class="box"><p>${keepReady ? "Wherever the fleet has a kernel, a livepatch to the newest of its series is kept ready." : "Livepatches are built where somebody asks for them."}</p>
${button(principal, "/builds/setting", keepReady ? "Build no more by itself" : "Keep one ready for each kernel", html`<input type="hidden" name="keepReady" value="${keepReady ? "no" : "yes"}">`)}</div>`;
}

export const buildPages = (sql: Sql, knowledge: Knowledge, folder: BuildFolder | undefined): Route[] => [
  pageRoute(
    {
      path: "/builds",
      what: "Livepatches that are built for the fleet's kernels",
      who: SEERS,
      query: v.strictObject({ before: v.optional(v.pipe(v.string(), v.maxLength(40))) }),
    },
    async ({ principal, query }) => {
      const { rows, next } = await buildsPage(sql, query.before);
      const wanted = await wantedNow(sql, knowledge);
      const all = await builders(sql);
      return {
        title: "Builds",
        body: html`${when(folder === undefined, () => NO_REPOSITORY)}${settingHtml(principal, await isKeptReady(sql))}
<h2>Kernels of the fleet</h2>
${
  wanted.length === 0
    ? html`<p class="dim">No machine has reported yet.</p>`
    : tableHtml(
        ["kernel", "machines", "newest of its series", "", ""],
        wanted.map((one) => wantedCells(principal, one)),
      )
}
<h2>Builds</h2>
${rows.length === 0 ? html`<p class="dim">There is none.</p>` : tableHtml(["build", "kernel", "state", "", "machines", "asked for", "builder"], rows.map(buildOf).map(buildCells))}
${when(next !== null, () => html`<p><a rel="next" href="/builds?${queryOf({ before: next ?? undefined })}">Older ones</a></p>`)}
<h2>Builders</h2>
${
  all.length === 0
    ? html`<p class="dim">None was heard of within a day.</p>`
    : tableHtml(
        ["builder", "heard of", "kernels that it knows"],
        all.map(({ name, seen_at, kernels }) => [name, timeHtml(seen_at.toISOString()), kernels]),
      )
}`,
      };
    },
  ),
  pageRoute({ path: "/builds/:id", what: "A build", who: SEERS, params: buildParams }, async ({ principal, params: { id } }) => {
    const row = await oneBuild(sql, id);
    const one = buildOf(row);
    const lines: (readonly [string, Content])[] = [
      [
        "kernel",
        html`${one.release} ${one.version ?? ""}, <a href="/hosts?${queryOf({ buildId: one.buildId, state: "approved" })}">${one.machines} machines</a>`,
      ],
      ["build-id", html`<span class="m">${one.buildId}</span>`],
      ["brings", `the level of ${one.targetRelease} ${one.targetVersion ?? ""}`],
      ...buildWords(one.options).map(({ option, values }) => [option, values.join(" ")] as const),
      ["asked for", html`${one.madeBy} ${timeHtml(one.made)}`],
      ["builder", one.builder ?? ""],
      ["begun", one.started === null ? "" : timeHtml(one.started)],
      ["ended", one.ended === null ? "" : timeHtml(one.ended)],
      ["tries", one.tries],
      ["trial", one.trial ?? ""],
      ["folder", one.folder ?? ""],
      [
        "SHA-256",
        one.published && one.sha256 !== null
          ? html`<a class="m" href="/livepatches/${one.sha256}">${one.sha256}</a>`
          : html`<span class="m">${one.sha256 ?? ""}</span>`,
      ],
    ];
    return {
      title: `Build ${id}`,
      live: OPEN.has(one.state),
      body: html`<div id="live"><p>${buildStateHtml(one.state)} ${one.published ? "It is signed and published." : one.stage === "" ? one.why : one.stage}</p>
${when(one.code !== "" || one.mend !== "", () => html`<p class="box">${one.code} ${one.mend}</p>`)}
<dl>${lines.filter(([, of]) => of !== "").map(([name, of]) => html`<dt>${name}</dt><dd>${of}</dd>`)}</dl>
${when(one.folder !== null, () => html`<p><a href="/builds/${id}/review">Its page of review</a>, as its builder has sent it</p>`)}
<h2>What its builder printed</h2>
${row.log === "" ? html`<p class="dim">Nothing yet.</p>` : html`<pre class="m">${row.log}</pre>`}</div>
${formsOf("forms", `${OPEN.has(one.state)}`, OPEN.has(one.state) ? button(principal, `/builds/${id}/cancel`, "Give it up") : when(!one.published, () => button(principal, `/builds/${id}/again`, "Build it again")))}`,
    };
  }),
  route({
    method: "GET",
    path: "/builds/:id/review",
    what: "What people are to read before they sign what was built",
    who: SEERS,
    params: buildParams,
    page: true,
    handle: async ({ params: { id }, reply }) => {
      const bytes = await folder?.review(id);
      if (bytes === undefined) throw fail("FLEET_NONE", `no page of review of ${id} is here`);
      sendReview(reply, bytes);
    },
  }),
  formRoute(
    {
      path: "/builds",
      what: "A livepatch to the newest of a kernel's series is built",
      who: ["operator"],
      body: v.strictObject({ buildId: v.pipe(v.string(), v.maxLength(64)) }),
    },
    async ({ principal, body: { buildId } }) =>
      `/builds/${await askForBuild(sql, knowledge, principal.name, { buildId, to: "newest", take: [], leaveOut: [], acceptDoubt: [], why: BY_HAND })}`,
  ),
  formRoute(
    {
      path: "/builds/setting",
      what: "Whether livepatches are kept ready",
      who: ["operator"],
      body: v.strictObject({ keepReady: v.picklist(["yes", "no"]) }),
    },
    async ({ principal, body }) => {
      await setKeepReady(sql, principal.name, body.keepReady === "yes");
      return "/builds";
    },
  ),
  formRoute(
    { path: "/builds/:id/cancel", what: "A build is given up", who: ["operator"], params: buildParams },
    async ({ principal, params: { id } }) => {
      await cancelBuild(sql, principal.name, id, BY_HAND);
      return `/builds/${id}`;
    },
  ),
  formRoute(
    { path: "/builds/:id/again", what: "A build is done again", who: ["operator"], params: buildParams },
    async ({ principal, params: { id } }) => {
      await buildAgain(sql, principal.name, id, BY_HAND);
      return `/builds/${id}`;
    },
  ),
];
