/** Pieces that several pages have. */
import { type Content, type Html, html } from "@suture/pages";
import type { BuildState, CveStanding, FleetHost, RolloutPhase } from "@suture/protocol";

export const timeHtml = (iso: string | null): Content =>
  iso === null ? html`<span class="dim">never</span>` : html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;

type Colour = "good" | "bad" | "warn" | "same";
const badge = (colour: Colour, text: string): Html => html`<span class="s s-${colour}">${text}</span>`;

const PHASES: Readonly<Record<RolloutPhase, Colour>> = {
  draft: "same",
  approved: "same",
  rolling: "good",
  paused: "warn",
  held: "bad",
  done: "good",
  withdrawn: "same",
};
export const phaseHtml = (phase: RolloutPhase): Html => badge(PHASES[phase], phase);

const STATUSES: Readonly<Record<FleetHost["status"], Colour>> = {
  "never seen": "same",
  silent: "warn",
  trouble: "bad",
  "reboot wanted": "warn",
  held: "warn",
  soaking: "same",
  well: "good",
};
export const statusHtml = (status: FleetHost["status"]): Html => badge(STATUSES[status], status);

const STANDINGS: Readonly<Record<CveStanding, Colour>> = { open: "bad", unknown: "warn", closed: "good" };
export const standingHtml = (standing: CveStanding): Html => badge(STANDINGS[standing], standing);

const BUILDS: Readonly<Record<BuildState, Colour>> = {
  waiting: "same",
  running: "same",
  ready: "good",
  nothing: "same",
  bad: "bad",
  refused: "warn",
  failed: "bad",
  cancelled: "same",
  superseded: "same",
};
export const buildStateHtml = (state: BuildState): Html => badge(BUILDS[state], state);

export const expiryHtml = (state: "good" | "soon" | "expired" | "unpublished"): Html =>
  badge(state === "good" ? "good" : state === "expired" ? "bad" : "warn", state);

/** Of a large fleet it may be of a while ago. */
export const countedHtml = (at: Date): Html => html`<p class="dim">Counted at ${timeHtml(at.toISOString())}.</p>`;

export interface Tile {
  name: string;
  count: number;
  href?: string;
}

export const tilesHtml = (tiles: readonly Tile[]): Html =>
  html`<ul class="tiles">${tiles.map(({ name, count, href }) => {
    const inside = html`<b>${count}</b>${name}`;
    return html`<li>${href === undefined ? inside : html`<a href="${href}">${inside}</a>`}</li>`;
  })}</ul>`;

/** @param heads of columns; each row has as many cells */
export const tableHtml = (heads: readonly string[], rows: readonly (readonly Content[])[]): Html => html`<table class="cards">
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell, i) => html`<td data-h="${heads[i]}">${cell}</td>`)}</tr>`)}</tbody></table>`;

/** In the address of a page. */
export const queryOf = (words: Readonly<Record<string, string | undefined>>): string =>
  Object.entries(words)
    .flatMap(([name, value]) => (value === undefined || value === "" ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .join("&");
