/** Livepatches: all, and one with its account and its page of review. */
import { html, when } from "@suture/pages";
import type { FleetLivepatch, RolloutPhase } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { type Route, route } from "../http/route.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { besideLivepatch, fleetLivepatch, fleetLivepatches } from "../knowledge/livepatches.ts";
import { shaParams } from "../knowledge/routes.ts";
import type { Steering } from "../steering/steering.ts";
import { SEERS } from "../users/roles.ts";
import { NO_REPOSITORY } from "./others.ts";
import { sendReview } from "./review.ts";
import { pageRoute } from "./route.ts";
import { phaseHtml, queryOf, tableHtml } from "./words.ts";

const levelText = ({ baseVersion, targetVersion }: FleetLivepatch): string =>
  targetVersion === null ? "" : `${baseVersion ?? "?"} to the level of ${targetVersion}`;

const stateText = ({ listed, withdrawn }: FleetLivepatch): string => (withdrawn ? "withdrawn" : listed ? "" : "out of the list");

interface Of {
  id: string;
  phase: RolloutPhase;
  livepatch: string;
}

export const livepatchPages = (sql: Sql, knowledge: Knowledge, steering: Steering | undefined): Route[] => [
  pageRoute({ path: "/livepatches", what: "Livepatches that are signed and published", who: SEERS }, async () => {
    const all = await fleetLivepatches(sql, knowledge);
    const by = await sql<Of>`select id, phase, livepatch from rollout order by made_at`;
    const table = tableHtml(
      ["livepatch", "kernel", "number", "brings", "proven", "roll-outs", "machines", ""],
      all.map((one) => [
        html`<a href="/livepatches/${one.sha256}">${one.name}</a><br><span class="m dim">${one.sha256.slice(0, 16)}</span>`,
        one.release,
        one.counter,
        levelText(one),
        one.proven ? "yes" : "no",
        by
          .filter(({ livepatch }) => livepatch === one.sha256)
          .map(({ id, phase }) => html`<a href="/rollouts/${id}">${id}</a> ${phaseHtml(phase)} `),
        html`<a href="/hosts?${queryOf({ livepatch: one.sha256 })}">${one.machines}</a>`,
        stateText(one),
      ]),
    );
    return {
      title: "Livepatches",
      body: html`${when(steering === undefined, () => NO_REPOSITORY)}${all.length === 0 ? html`<p class="dim">There is none.</p>` : table}`,
    };
  }),
  pageRoute(
    { path: "/livepatches/:sha256", what: "A livepatch, and what it says of each CVE", who: SEERS, params: shaParams },
    async ({ params: { sha256 } }) => {
      const one = await fleetLivepatch(sql, knowledge, sha256);
      const states = [...new Set(one.cves.map(({ state }) => state))].map(
        (state) => [state, one.cves.filter((cve) => cve.state === state)] as const,
      );
      return {
        title: one.name,
        body: html`<dl><dt>SHA-256</dt><dd class="m">${sha256}</dd><dt>for</dt><dd>${one.release}, number ${one.counter} of its line</dd><dt>build-id</dt><dd class="m">${one.buildId}</dd>
<dt>proven</dt><dd>${one.proven ? "yes" : "no"}</dd>${when(one.targetVersion !== null, () => html`<dt>brings</dt><dd>${levelText(one)}</dd>`)}${when(stateText(one) !== "", () => html`<dt>state</dt><dd>${stateText(one)}</dd>`)}
<dt>in effect</dt><dd><a href="/hosts?${queryOf({ livepatch: sha256 })}">${one.machines} machines</a></dd></dl>
<p>${when(one.review, () => html`<a href="/livepatches/${sha256}/review">Its page of review</a> `)}${when(one.account, () => html`<a href="/v1/livepatches/${sha256}/account">Its account, as it was signed</a>`)}</p>
<h2>CVEs</h2>
${when(one.cves.length === 0, () => html`<p class="dim">It speaks of none.</p>`)}
${states.map(
  ([state, cves]) =>
    html`<details${state === "left out" ? html` open` : ""}><summary>${state}: ${cves.length}</summary>${tableHtml(
      ["CVE", "fix", "why", "what to do"],
      cves.map(({ id, title, code, why, mend }) => [
        html`<a href="/cves/${id}">${id}</a>`,
        title,
        `${code === undefined ? "" : `${code}: `}${why}`,
        mend ?? "",
      ]),
    )}</details>`,
)}`,
      };
    },
  ),
  route({
    method: "GET",
    path: "/livepatches/:sha256/review",
    what: "What people read before they signed it",
    who: SEERS,
    params: shaParams,
    page: true,
    handle: async ({ params, reply }) => {
      sendReview(reply, await besideLivepatch(sql, steering, params.sha256, "review"));
    },
  }),
];
