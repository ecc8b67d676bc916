/** Roll-outs: all, and one, live. Who may hold it does so with one click. */
import { type Content, type Html, html, when } from "@suture/pages";
import { APPROVABLE, type Approvable, type FleetRollout, type RolloutPhase, type Stage } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Route } from "../http/route.ts";
import { ACTS, type Act, type ActKind, actOn, type Rolling } from "../rollouts/acts.ts";
import { approve } from "../rollouts/approvals.ts";
import { rollouts } from "../rollouts/store.ts";
import { rolloutSeries, type Series } from "../samples/samples.ts";
import { mayBe, type Principal, SEERS } from "../users/roles.ts";
import { chartHtml } from "./chart.ts";
import { csrfField, formsOf } from "./document.ts";
import { formRoute, pageRoute } from "./route.ts";
import { phaseHtml, tableHtml, tilesHtml, timeHtml } from "./words.ts";

const params = v.strictObject({ id: v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/)) });
const words = v.strictObject({
  why: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
  stage: v.optional(v.pipe(v.string(), v.regex(/^\d{1,3}$/))),
});

export function rolloutRow({ id, phase, stage, stages, tally, why }: FleetRollout): Content[] {
  const at = stages[stage];
  return [
    html`<a href="/rollouts/${id}">${id}</a>`,
    phaseHtml(phase),
    at === undefined ? "" : `${at.name} (${stage + 1} of ${stages.length})`,
    `${tally.succeeded} of ${tally.exposed} have it`,
    why,
  ];
}

const stageText = ({ label, percent, hosts, leastHosts, leastHours }: Stage): string =>
  `${hosts === undefined ? `${percent} %` : `${hosts} machines`}${label === "all" ? "" : ` with the label ${label}`}; at least ${leastHosts} ${leastHosts === 1 ? "success" : "successes"}${leastHours === 0 ? "" : ` and ${leastHours} h`}`;

function stagesHtml({ stages, stage, phase, stageSince }: FleetRollout): Html {
  const isPassed = (i: number): boolean => i < stage || phase === "done";
  return html`<ol class="stages">${stages.map((one, i) => {
    const isOn = i === stage && phase !== "done";
    return html`<li${isPassed(i) ? html` class="passed"` : ""}${isOn ? html` aria-current="step"` : ""}><b>${one.name}</b> ${isPassed(i) ? "passed" : isOn ? html`since ${timeHtml(stageSince)}` : ""}<br><span class="dim">${stageText(one)}</span></li>`;
  })}</ol>`;
}

function liveHtml(rollout: FleetRollout, series: readonly Series[]): Html {
  const { phase, why, tally, kernel, counter, livepatch, channel, production, madeBy, made, approvedBy, attempt, note } = rollout;
  return html`<div id="live"><p aria-live="polite">${phaseHtml(phase)} ${why}</p>
${when(tally.exposed > 0, () => html`<progress max="${tally.exposed}" value="${tally.succeeded}">${tally.succeeded} of ${tally.exposed}</progress>`)}
${tilesHtml([
  { name: "let in by this stage", count: tally.eligible },
  { name: "exposed", count: tally.exposed },
  { name: "took and keep it", count: tally.succeeded },
  { name: "on trial", count: tally.soaking },
  { name: "failed", count: tally.failed },
  { name: "trouble in the kernel", count: tally.crashed },
  { name: "went down", count: tally.booted },
  { name: "silent", count: tally.silent + tally.lost },
  { name: "would not take it", count: tally.refused },
])}
${chartHtml("Machines", series)}
<h2>Stages</h2>
${stagesHtml(rollout)}
<h2>What it is</h2>
<dl><dt>livepatch</dt><dd class="m">${livepatch}</dd><dt>for</dt><dd>${kernel.release}, number ${counter} of its line</dd><dt>channel</dt><dd>${channel}${production ? "" : ", no production"}</dd>
<dt>made</dt><dd>by ${madeBy}, ${timeHtml(made)}${note === undefined ? "" : `: ${note}`}</dd><dt>attempt</dt><dd>${attempt}</dd>
<dt>approved</dt><dd>${approvedBy.length === 0 ? "by nobody for a next step" : approvedBy.map(({ what, who }) => html`${what} by ${who}<br>`)}</dd></dl></div>`;
}

const APPROVALS: Readonly<Record<Approvable, { name: string; phases: readonly RolloutPhase[] }>> = {
  start: { name: "Approve that it goes on", phases: ["draft", "held"] },
  skip: { name: "Approve that this stage is skipped", phases: ["rolling"] },
  promote: { name: "Approve that all take it", phases: ["rolling"] },
};

function may(principal: Principal, { phase }: FleetRollout, act: Act): boolean {
  const { phases, who }: ActKind = ACTS[act];
  return phases.includes(phase) && mayBe(principal, who);
}

/** Above all else. */
const holdHtml = (principal: Principal, rollout: FleetRollout): Content =>
  when(
    may(principal, rollout, "hold"),
    () =>
      html`<form method="post" action="/rollouts/${rollout.id}/hold">${csrfField(principal)}<input type="hidden" name="why" value="held on the page by ${principal.name}"><p><button class="stop">Hold it now</button></p></form>`,
  );

function formsHtml(principal: Principal, rollout: FleetRollout): Content {
  const { id, phase, stage } = rollout;
  const others = (Object.keys(ACTS) as Act[]).filter((act) => act !== "hold" && may(principal, rollout, act));
  const approvals = APPROVABLE.filter((what) => APPROVALS[what].phases.includes(phase) && mayBe(principal, ["releaser"]));
  if (others.length + approvals.length === 0) return undefined;
  return html`<h2>What you may do</h2>
${approvals.map(
  (what) =>
    html`<form class="line" method="post" action="/rollouts/${id}/approve">${csrfField(principal)}<input type="hidden" name="what" value="${what}"><button class="go">${APPROVALS[what].name}</button></form>`,
)}
${others.map(
  (act) =>
    html`<form class="line" method="post" action="/rollouts/${id}/${act}">${csrfField(principal)}${act === "skip" ? html`<input type="hidden" name="stage" value="${stage}">` : ""}<label>Why <input name="why" maxlength="500" required></label><button>${ACTS[act].name}</button></form>`,
)}`;
}

export function rolloutPages(sql: Sql, rolling: Rolling): Route[] {
  const one = async (id: string): Promise<FleetRollout> => {
    const [found] = await rollouts(sql, id);
    if (found === undefined) throw fail("FLEET_NONE", `there is no roll-out ${id}`);
    return found;
  };
  return [
    pageRoute({ path: "/rollouts", what: "All roll-outs", who: SEERS }, async () => {
      const all = await rollouts(sql);
      const table = tableHtml(["roll-out", "phase", "stage", "machines", "why"], all.map(rolloutRow));
      return {
        title: "Roll-outs",
        live: true,
        body: html`<div id="live">${all.length === 0 ? html`<p class="dim">There is none.</p>` : table}</div>`,
      };
    }),
    pageRoute({ path: "/rollouts/:id", what: "A roll-out, live", who: SEERS, params }, async ({ params: { id }, principal }) => {
      const rollout = await one(id);
      const series = await rolloutSeries(sql, id);
      const of = `${rollout.phase} ${rollout.attempt} ${rollout.stage}`;
      return {
        title: `Roll-out ${id}`,
        live: true,
        body: html`${formsOf("hold", of, holdHtml(principal, rollout))}${liveHtml(rollout, series)}${formsOf("forms", of, formsHtml(principal, rollout))}`,
      };
    }),
    formRoute(
      {
        path: "/rollouts/:id/approve",
        what: "It is approved",
        who: ["releaser"],
        params,
        body: v.strictObject({ what: v.picklist(APPROVABLE) }),
      },
      async ({ params: { id }, principal, body: { what } }) => {
        await approve(sql, principal, id, what);
        return `/rollouts/${id}`;
      },
    ),
    ...(Object.keys(ACTS) as Act[]).map((act) =>
      formRoute(
        { path: `/rollouts/:id/${act}`, what: ACTS[act].what, who: ACTS[act].who, params, body: words },
        async ({ params: { id }, principal, body: { why, stage } }) => {
          await actOn(sql, rolling, act, principal.name, id, { why, stage: stage === undefined ? undefined : Number(stage) });
          return `/rollouts/${id}`;
        },
      ),
    ),
  ];
}
