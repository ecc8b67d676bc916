/** The page about a release that was caught up with: where each CVE and each fix stands, and what each change is. */
import { createHash } from "node:crypto";
import { type Account, type CatchUpReport, type CveAccount, FIX_STATES, type FixState, type ReleaseUnit } from "@suture/protocol";
import { type Content, type Html, html, pageOf, when } from "../html.ts";
import { diffHtml } from "../source-diff.ts";
import { STYLE } from "../style.ts";
import { SCRIPT } from "./script.ts";
import { subsystemsOf } from "./subsystem.ts";

export function accountPage(account: Account, report: CatchUpReport): string {
  const units = new Map(report.units.map((unit) => [unit.id, unit]));
  const [base, target] = [account.base, account.target].map(({ release, version }) => release ?? version ?? "an unnamed kernel");
  const pieces = account.from === "git" ? "commits" : "pieces of the difference of the two source packages";
  const body = html`<header>
<h1>${base} at the level of ${target}</h1>
<p class="lead">What became of each CVE and each fix of ${target} in the livepatch for ${base}.</p>
</header>
${effective(account, base ?? "")}
${tiles(account)}
${provenance(account)}
${meanings(account)}
<nav><p><a href="#cves">CVEs</a> ${when(account.fixes.length > 0, () => html`<a href="#fixes">fixes of the changelog</a> `)}<a href="#changes">changes with their diffs</a></p></nav>
${tools(account, report)}
<h2 id="cves">CVEs <span class="dim count">(${account.cves.length})</span></h2>
${when(account.cves.length === 0, () => html`<p>None is named: ${account.changelog === undefined && account.records === undefined ? "neither a changelog nor CVE records were read" : "what was read names none"}.</p>`)}
<section data-of="cves">${account.cves.map((cve) => cveHtml(cve, units))}</section>
${when(
  account.fixes.length > 0,
  () => html`<h2 id="fixes">Fixes of the changelog <span class="dim count">(${account.fixes.length})</span></h2>
<section data-of="fixes">${account.fixes.map(
    (
      fix,
    ) => html`<details class="row" data-s="${fix.state}" data-k="${subsystemText(pathsOf(fix.units, units))}"><summary>${badge(fix.state)}<span class="t">${fix.subject}</span><span class="m dim">${fix.cves.join(" ")}</span></summary><div>
<p>${fix.why}</p>${mendHtml(fix.mend)}
<dl><dt>in the entry of</dt><dd>${fix.version}${fix.upstream === undefined ? ", the distribution's own" : `, from ${fix.upstream}`}</dd>${when(fix.closes.length > 0, () => html`<dt>closes</dt><dd>${fix.closes.map((number) => `#${number} `)}</dd>`)}${tiedHtml(fix.tied)}${unitsHtml(fix.units, units)}</dl></div></details>`,
  )}</section>`,
)}
<h2 id="changes">Changes <span class="dim count">(${report.units.length})</span></h2>
<p class="dim">The ${pieces}. One goes in whole, or not at all.</p>
<section data-of="changes">${report.units.map((unit) => unitHtml(unit, units))}</section>`;
  return pageOf({
    title: `${base} at the level of ${target}`,
    style: STYLE,
    script: SCRIPT,
    body,
    hash: (text) => createHash("sha256").update(text).digest("base64"),
  });
}

function effective({ counts, target }: Account, base: string): Content {
  const { cves } = counts;
  const all = Object.values(cves).reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  const open = cves.leftOut + cves.unknown;
  return html`<p class="box">With the livepatch in effect: ${base}, and ${all - open} of the ${all} CVEs of ${target.version ?? target.release ?? ""} are closed, or were never open in this kernel. ${open === 0 ? "None is open." : html`<b>${cves.leftOut} are open</b> until the newer kernel is booted${cves.unknown > 0 ? html`, and of ${cves.unknown} nothing is known` : ""}.`}</p>`;
}

const COUNTED: readonly (readonly [FixState, keyof Account["counts"]["cves"]])[] = [
  ["carried", "carried"],
  ["left out", "leftOut"],
  ["unknown", "unknown"],
  ["not built", "notBuilt"],
  ["no need", "noNeed"],
  ["in the kernel", "inKernel"],
];

function tiles({ counts, cves }: Account): Html {
  const shown = cves.length > 0 ? counts.cves : counts.units;
  return html`<ul class="tiles">${COUNTED.map(([state, key]) => html`<li><b>${shown[key]}</b>${badge(state)}</li>`)}</ul>
<div class="scroll"><table><thead><tr><th></th>${COUNTED.map(([state]) => html`<th class="n">${state}</th>`)}</tr></thead><tbody>${(
    [
      ["CVEs", counts.cves],
      ["fixes of the changelog", counts.fixes],
      ["changes", counts.units],
    ] as const
  ).map(
    ([name, row]) => html`<tr><td>${name}</td>${COUNTED.map(([, key]) => html`<td class="n">${row[key]}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function provenance({ base, target, changelog, records, report }: Account): Html {
  const refused = records?.refused ?? [];
  return html`<h2>Made of</h2><dl>
<dt>kernel that runs</dt><dd>${base.release ?? ""} ${base.version ?? ""}${when(base.buildId !== undefined, () => html`, build-id <span class="m">${base.buildId}</span>`)}</dd>
<dt>newer release</dt><dd>${target.release ?? ""} ${target.version ?? ""}</dd>
<dt>report</dt><dd class="m">SHA-256 ${report}</dd>
<dt>changelog</dt><dd>${changelog === undefined ? "not read: which fix is for what is not known from it" : html`<span class="m">${changelog.file}, SHA-256 ${changelog.sha256}</span>; ${changelog.fixes} changes of ${changelog.versions.join(", ")}`}</dd>
<dt>CVE records</dt><dd>${records === undefined ? "not read: which files a CVE's fix touches is not known" : html`${records.read} read${when(refused.length > 0, () => html`; <b>${refused.length} files refused</b>`)}`}</dd>
</dl>${when(refused.length > 0, () => html`<details><summary>Files that were refused: nothing is taken from them</summary><div><ul>${refused.map(({ file, why }) => html`<li><span class="m">${file}</span>: ${why}</li>`)}</ul></div></details>`)}`;
}

function meanings({ from }: Account): Html {
  return html`<details><summary>What the states mean</summary><div><dl>
<dt>${badge("carried")}</dt><dd>each change to its files that this kernel is made of is in the livepatch</dd>
<dt>${badge("left out")}</dt><dd>at least one such change is not; it stays open until the newer kernel is booted. Partly: others are carried</dd>
<dt>${badge("unknown")}</dt><dd>nothing says which changes it is made of</dd>
<dt>${badge("not built")}</dt><dd>this kernel is made of none of its files</dd>
<dt>${badge("no need")}</dt><dd>it changes no code that runs, or only code that has run when the kernel or the module came up</dd>
<dt>${badge("in the kernel")}</dt><dd>the kernel that runs has it already</dd></dl>
${when(from === "packages", () => html`<p class="dim">The two source packages hold no commits. A CVE is tied to changes by the files that its record names: all changes of those files have to be carried for it to count as carried.</p>`)}</div></details>`;
}

function tools({ cves }: Account, { units }: CatchUpReport): Html {
  const named = new Set([
    ...cves.flatMap(({ files }) => files.map(({ path }) => path)),
    ...units.flatMap((unit) => unit.files.map(({ path }) => path)),
  ]);
  return html`<div class="tools" id="tools" hidden><input type="search" id="words" placeholder="words, a CVE, a file, a function" aria-label="search">
<select id="state" aria-label="state"><option value="">every state</option>${FIX_STATES.map((state) => html`<option>${state}</option>`)}</select>
<select id="part" aria-label="subsystem"><option value="">every subsystem</option>${subsystemsOf([...named]).map((name) => html`<option>${name}</option>`)}</select>
<button type="button" id="all">clear</button></div>`;
}

function badge(state: string): Html {
  return html`<span class="s s-${state.replaceAll(" ", "-")}">${state}</span>`;
}

function subsystemText(paths: readonly string[]): string {
  return subsystemsOf(paths).join("|");
}

function pathsOf(ids: readonly string[], units: ReadonlyMap<string, ReleaseUnit>): string[] {
  return ids.flatMap((id) => units.get(id)?.files.map(({ path }) => path) ?? []);
}

function mendHtml(mend: string | undefined): Content {
  return when(mend !== undefined && mend !== "", () => html`<p><span class="dim">What can be done:</span> ${mend}</p>`);
}

const TIED: Readonly<Record<CveAccount["tied"], string>> = {
  commit: "by the commit's id",
  subject: "by the commit's subject",
  files: "by the files that its record names",
  none: "not at all",
};

function tiedHtml(tied: CveAccount["tied"]): Html {
  return html`<dt>its changes were found</dt><dd>${TIED[tied]}</dd>`;
}

function unitsHtml(ids: readonly string[], units: ReadonlyMap<string, ReleaseUnit>): Content {
  return when(
    ids.length > 0,
    () =>
      html`<dt>changes</dt><dd>${ids.map((id) => html`<div>${badge(units.get(id)?.state ?? "unknown")} <a href="#${`u-${id}`}">${units.get(id)?.title ?? id}</a></div>`)}</dd>`,
  );
}

function cveHtml(cve: CveAccount, units: ReadonlyMap<string, ReleaseUnit>): Html {
  const { id, title, state, partly, why, code, symbol, mend, files, owners, tied, named, record } = cve;
  const about = [...(partly ? ["partly carried"] : []), ...(symbol === undefined ? [] : [symbol])].join(", ");
  return html`<details class="row" id="${id}" data-s="${state}" data-k="${subsystemText(files.map(({ path }) => path))}"><summary>${badge(state)}<b class="m">${id}</b><span class="t">${title}</span><span class="m dim">${about}</span></summary><div>
<p>${code === undefined ? "" : html`<code>${code}</code>: `}${why}</p>${mendHtml(mend)}
<dl><dt>named by</dt><dd>the ${named}${record ? "" : "; there is no record of it"}</dd>
${when(files.length > 0, () => html`<dt>files</dt><dd>${files.map((file) => html`<div>${badge(file.state)} <span class="m">${file.path}</span></div>`)}</dd>`)}
${when(owners.length > 0, () => html`<dt>in</dt><dd class="m">${owners.join(", ")}</dd>`)}${tiedHtml(tied)}${unitsHtml(cve.units, units)}</dl></div></details>`;
}

function unitHtml(unit: ReleaseUnit, units: ReadonlyMap<string, ReleaseUnit>): Html {
  const { id, title, commit, state, files, functions, reasons, dependsOn, leftWith, diff } = unit;
  const [first] = reasons;
  return html`<details class="row" id="${`u-${id}`}" data-s="${state}" data-k="${subsystemText(files.map(({ path }) => path))}"><summary>${badge(state)}<span class="t">${title}</span><span class="m dim">${state === "left out" ? (first?.code ?? "") : ""}</span></summary><div>
${reasons.map((reason) => html`<p>${when(state === "left out", () => html`<code>${reason.code}</code>: `)}${reason.file === undefined ? "" : html`<span class="m">${reason.file}</span>: `}${reason.why}</p>${when(state === "left out", () => mendHtml(reason.mend))}`)}
<dl><dt>id</dt><dd class="m">${commit ?? id}</dd>
<dt>files</dt><dd>${files.map(({ path, built }) => html`<div class="m">${path}${built ? "" : html` <span class="dim">(not of this kernel)</span>`}</div>`)}</dd>
${when(functions.length > 0, () => html`<dt>functions</dt><dd class="m">${functions.map(({ object, name }) => html`<div>${name} <span class="dim">${object}</span></div>`)}</dd>`)}
${links("left out with", leftWith, units)}${links("needs", dependsOn, units)}</dl>
${when(diff !== "", () => diffHtml(diff.replace(/\n$/, "").split("\n")))}</div></details>`;
}

function links(what: string, ids: readonly string[], units: ReadonlyMap<string, ReleaseUnit>): Content {
  return when(
    ids.length > 0,
    () => html`<dt>${what}</dt><dd>${ids.map((id) => html`<div><a href="#${`u-${id}`}">${units.get(id)?.title ?? id}</a></div>`)}</dd>`,
  );
}
