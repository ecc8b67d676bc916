/** The page that a person reads before signing a livepatch. */
import { createHash } from "node:crypto";
import { readElf } from "@suture/elf";
import { type Inspection, inspect } from "@suture/livepatch";
import { byFunction, type Manifest } from "@suture/protocol";
import { type Content, type Html, html, pageOf, when } from "../html.ts";
import { diffHtml, type FileDiff, filesOfDiff, hunksOf } from "../source-diff.ts";
import { STYLE } from "../style.ts";
import { type KernelText, type Line, ObjectCode } from "./code.ts";
import { sideBySide } from "./side-by-side.ts";

export interface Reviewed {
  bytes: Uint8Array;
  /** The name that errors and the page carry. */
  file: string;
  /** Of objects of the kernel, by their path (`fs/pipe.o`), compiled as they were, with a section for each function; what is not there is told. */
  originals: ReadonlyMap<string, Uint8Array>;
  /** Of that kernel. */
  kernelText?: KernelText | undefined;
}

/** Of any livepatch; of one that others built, as far as its file shows it. @throws ELF_*, KLP_* */
export function reviewPage({ bytes, file, originals, kernelText }: Reviewed): ReviewPage {
  const found = inspect(bytes, file);
  const sha = createHash("sha256").update(bytes).digest("hex");
  const own = new ObjectCode(readElf(bytes, file), kernelText);
  const before = new Originals(originals);
  const patches = (found.manifest?.made?.patches ?? []).map(({ name, text }) => ({
    name,
    text: Buffer.from(text, "latin1").toString("utf8"),
  }));
  const files = patches.flatMap(({ text }) => filesOfDiff(text));
  const functions = replacedBy(found);
  const body = html`<header>
<h1>Review of ${found.name === "" ? file : found.name}</h1>
<p class="lead">A livepatch for ${found.release === "" ? "an unknown kernel" : found.release}: what it replaces, of what it was made, and what to know before it is signed.</p>
</header>
${alarms(found)}
${summary(found, bytes, sha)}
<nav><p>${sections(found, files).map(([id, title]) => html`<a href="#${id}">${title}</a> `)}</p></nav>
<h2 id="functions">Functions that it replaces (${functions.length})</h2>
${when(functions.length > 0 && originals.size === 0, () => html`<p class="dim">The instructions that the kernel runs now are not shown: this page was made without them (--kernel, --tree or --keep of suture review gives them).</p>`)}
${functions.map((one) => functionHtml(one, own, before, files))}
${table(
  "Replaced by what the fix has in their place in tables, which stay as they are: nothing but those leads to them",
  ["function", "by", "of", "in", "byte"],
  (found.manifest?.successors ?? []).map((one) => [one.function, one.becomes, one.owner, one.variable, one.at]),
)}
${table(
  "Structures that lie otherwise than the kernel has them, on the stacks of replaced functions only: no task has an old one when it moves over",
  ["structure", "of", "how", "known to"],
  (found.manifest?.stackTypes ?? []).map((one) => [one.type, one.owner, one.why, one.functions.join(", ")]),
)}
${table(
  "Redirected by a probe of the kernel, by somebody's word (--redirect): each call moves over by itself, when every task runs the other new functions, and costs a trap; the module stays in memory",
  ["function", "of", "bytes before", "bytes", "why"],
  (found.manifest?.redirects ?? []).map((one) => [one.function, one.owner, one.sizeBefore, one.size, one.why]),
)}
${others(found, own)}
${sourceHtml(found, patches, files)}
${dataHtml(found)}
${escapeHtml(found)}
${knownHtml(found)}
${symbolsHtml(found)}
${inputsHtml(found)}
<h2 id="signature">Signature</h2>
<p>SHA-256 of the module that this page shows: <code>${sha}</code></p>
<div class="sign"><span>name</span><span>date</span><span>signature</span></div>`;
  const page = pageOf({
    title: `Review of ${found.name}`,
    style: STYLE,
    script: undefined,
    body,
    hash: (text) => createHash("sha256").update(text).digest("base64"),
  });
  return { page, sha256: sha, functions: functions.length, missing: before.missing };
}

export interface ReviewPage {
  page: string;
  /** Of the module. */
  sha256: string;
  functions: number;
  /** Functions of the kernel whose instructions could not be shown. */
  missing: { name: string; why: string }[];
}

interface Replaced {
  owner: string;
  name: string;
  sympos: number;
  replacement: string;
  size: number;
  known: Manifest["functions"][number] | undefined;
}

function replacedBy({ descriptor, functions, manifest }: Inspection): Replaced[] {
  const listed =
    descriptor?.objects.flatMap(({ name: owner, functions }) => functions.map((one) => ({ owner, ...one }))) ??
    functions.map((one) => ({ owner: "", ...one }));
  return listed.map(({ owner, name, sympos, replacement, size }) => ({
    owner,
    name,
    sympos,
    replacement,
    size,
    known: manifest?.functions.find((one) => one.owner === owner && one.name === name && one.sympos === sympos),
  }));
}

/** Each object is read when its first function is shown, and an unreadable one is told. */
class Originals {
  readonly #bytes: ReadonlyMap<string, Uint8Array>;
  readonly #read = new Map<string, ObjectCode | string>();
  readonly missing: { name: string; why: string }[] = [];

  constructor(bytes: ReadonlyMap<string, Uint8Array>) {
    this.#bytes = bytes;
  }

  linesOf(object: string | undefined, name: string): Line[] | string {
    const lines = object === undefined ? "which object it is of is not known" : this.#linesOf(object, name);
    if (typeof lines === "string") this.missing.push({ name, why: lines });
    return lines;
  }

  #linesOf(object: string, name: string): Line[] | string {
    const bytes = this.#bytes.get(object);
    if (bytes === undefined) return `${object}, as it was, is not there to be read`;
    const code = this.#read.get(object) ?? read(bytes, object);
    this.#read.set(object, code);
    return typeof code === "string" ? code : (code.linesOf(name) ?? `${object} has no ${name}`);
  }
}

function read(bytes: Uint8Array, object: string): ObjectCode | string {
  try {
    return new ObjectCode(readElf(bytes, object));
  } catch (error) {
    return `${object} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function alarms({ faults, manifest, livepatch }: Inspection): Content {
  const told = [
    ...(livepatch ? [] : ["Its .modinfo does not say that it is a livepatch."]),
    ...faults.map((fault) => `It is not to be loaded: ${fault}.`),
    ...(manifest === undefined
      ? ["It was not made by Suture: nothing shows that its functions fit the kernel that runs, and what it was made of is not in it."]
      : []),
    ...(manifest !== undefined && !manifest.proof.proven ? [`It is not proven: ${manifest.proof.reason ?? "no proof was made"}.`] : []),
    ...(manifest?.made?.acceptLayouts ?? []).map((name) => `Somebody accepted that ${name} is otherwise than the running kernel has it.`),
    ...(manifest?.made?.acceptData ?? []).map(
      (name) => `Somebody accepted that ${name} is changed in the running kernel, whatever has gone by its old value.`,
    ),
    ...(manifest?.made?.shadows ?? []).map(
      (name) => `Somebody accepted that ${name}, which is new, is 0 in objects that were there before.`,
    ),
    ...(manifest?.made?.holes ?? []).map(
      (name) =>
        `Somebody accepted that ${name}, which is new, is 0 in objects that were there before, and that what the livepatch leaves there when it goes is right when it comes again.`,
    ),
    ...(manifest?.made?.redirects ?? []).map(
      (name) => `Somebody accepted that a probe of the kernel redirects ${name}, each call by itself and by a trap.`,
    ),
    ...(manifest?.made?.acceptInits ?? []).map((name) => `Somebody accepted that the change to ${name}, which has run, is left out.`),
  ];
  return when(told.length > 0, () => html`<div class="box alarm" role="note">${told.map((text) => html`<p>${text}</p>`)}</div>`);
}

function summary({ manifest, descriptor, functions, release, file }: Inspection, bytes: Uint8Array, sha: string): Html {
  const owners = [...new Set((descriptor?.objects ?? []).map(({ name }) => name))];
  const fixes = (manifest?.fixes ?? []).filter(({ subject, cves }) => subject !== undefined || cves.length > 0);
  const proof = manifest?.proof;
  return html`<dl>
<dt>file</dt><dd class="m">${file}, ${bytes.length} bytes</dd>
<dt>SHA-256</dt><dd class="m">${sha}</dd>
<dt>kernel</dt><dd>${release}${when(manifest !== undefined, () => html`, build-id <span class="m">${manifest?.kernel.buildId}</span>`)}</dd>
<dt>replaces</dt><dd>${functions.length} functions of ${owners.length === 0 ? "the kernel" : owners.join(", ")}</dd>
<dt>proof</dt><dd>${proof === undefined ? "none" : proof.proven ? html`<span class="s s-good">proven</span> ${proof.functions} functions of the patched objects are, byte for byte, what the kernel runs` : html`<span class="s s-bad">not proven</span>`}</dd>
<dt>other livepatches</dt><dd>${(manifest?.replace ?? descriptor?.replace) ? "loading it takes all others out" : "stay in effect"}</dd>
${when(fixes.length > 0, () => html`<dt>fixes</dt><dd>${fixes.map(({ subject, cves }) => html`<div>${subject ?? "(no subject)"}${cves.length > 0 ? ` (${cves.join(", ")})` : ""}</div>`)}</dd>`)}
${when(manifest !== undefined, () => html`<dt>compiler</dt><dd>${manifest?.compiler}</dd>`)}
</dl>`;
}

function sections(found: Inspection, files: readonly FileDiff[]): [id: string, title: string][] {
  return [
    ["functions", "functions"],
    ...(files.length > 0 || (found.manifest?.made?.sources.length ?? 0) > 0 ? [["source", "source"] as [string, string]] : []),
    ["data", "data"],
    ["escaping", "what may escape"],
    ["symbols", "symbols"],
    ...(found.manifest === undefined ? [] : [["inputs", "inputs"] as [string, string]]),
    ["signature", "signature"],
  ];
}

function functionHtml(
  { owner, name, sympos, replacement, size, known }: Replaced,
  own: ObjectCode,
  before: Originals,
  files: readonly FileDiff[],
): Html {
  const hunks = hunksOf(
    files.filter(({ path }) => known === undefined || path.replace(/\.[cS]$/, ".o") === known.object),
    name,
  );
  const sizes = known === undefined ? `${size} bytes` : `${known.sizeBefore} → ${known.size} bytes`;
  return html`<h3 id="${`${owner}:${name},${sympos}`}"><code>${name}</code> <span class="dim">of ${owner}${known === undefined ? "" : `, ${known.object}`}; ${sizes}${sympos > 0 ? `; the ${sympos}. of that name` : ""}</span></h3>
${when(known !== undefined, () => html`<p class="dim">Replaced because: ${known?.why}</p>`)}
${hunks.map(({ path, hunk }) => html`<p class="m dim">${path}</p>${diffHtml(hunk.lines)}`)}
${when(hunks.length === 0 && files.length > 0, () => html`<p class="dim">No hunk names it: it changes through what it uses or what is inlined into it; see <a href="#source">the source</a>.</p>`)}
${codeHtml(own.linesOf(replacement), before.linesOf(known?.object, name))}`;
}

function codeHtml(fresh: Line[] | string | undefined, old: Line[] | string): Html {
  if (fresh === undefined || typeof fresh === "string")
    return html`<p class="dim">Its instructions are not shown: ${fresh ?? "the module has no such function"}.</p>`;
  const table = sideBySide(old, fresh);
  return html`<details><summary>Instructions: ${table.title}</summary><div>${when(typeof old === "string", () => html`<p class="dim">Those that the kernel runs now are not shown: ${old}.</p>`)}<div class="scroll">${table.content}</div></div></details>`;
}

function others({ others: list, manifest, descriptor }: Inspection, own: ObjectCode): Content {
  const callbacks = byFunction(
    (descriptor?.objects ?? []).flatMap((object) => object.callbacks.map((one) => ({ owner: object.name, ...one }))),
  );
  return html`${when(
    callbacks.length > 0,
    () => html`<h2 id="callbacks">Functions that run when it goes in or out</h2>
<ul>${callbacks.map(({ owners, kind, name }) => html`<li><code>${name}</code>: ${kind} of ${owners.join(", ")}${bare(own.linesOf(name))}</li>`)}</ul>`,
  )}
${when(
  list.length > 0,
  () => html`<h2 id="others">Other functions in the module (${list.length})</h2>
<ul>${list.map(({ name, size }) => html`<li><code>${name}</code>, ${size} bytes${manifest?.added.some((one) => one.name === name) ? ": new with the fix" : ""}${bare(own.linesOf(name))}</li>`)}</ul>`,
)}`;
}

function bare(lines: Line[] | string | undefined): Content {
  if (lines === undefined || typeof lines === "string") return undefined;
  return html`<details><summary>Instructions</summary><div class="scroll">${sideBySide("", lines).content}</div></details>`;
}

function sourceHtml({ manifest }: Inspection, patches: readonly { name: string; text: string }[], files: readonly FileDiff[]): Content {
  const sources = manifest?.made?.sources ?? [];
  const rebuilt = manifest?.made?.rebuild ?? [];
  if (files.length + sources.length + rebuilt.length + patches.length === 0) return undefined;
  return html`<h2 id="source">Of what source it was made</h2>
${when(files.length > 0, () => html`<p class="dim">All hunks, by file; the patches as they were given are below.</p>`)}
${files.map(({ path, hunks }) => html`<h3 class="m">${path}</h3>${hunks.map(({ lines }) => diffHtml(lines))}`)}
${sources.map(({ name, text, beside }) => html`<h3 class="m">${name}</h3><pre class="diff"><span>${text}</span></pre>${beside.map((one) => html`<h3 class="m">${one.name}</h3><pre class="diff"><span>${one.text}</span></pre>`)}`)}
${when(rebuilt.length > 0, () => html`<p>Replaced by themselves: ${rebuilt.join(", ")}</p>`)}
${patches.map(({ name, text }) => html`<details><summary>The patch <span class="m">${name}</span></summary><div>${diffHtml(text.replace(/\n$/, "").split("\n"))}</div></details>`)}`;
}

function dataHtml({ manifest, descriptor }: Inspection): Html {
  const variables = (manifest?.added ?? []).filter(({ kind }) => kind === "variable");
  const shadows = manifest?.shadows ?? [];
  const states = descriptor?.states ?? [];
  const none =
    variables.length +
      shadows.length +
      states.length +
      (manifest?.live ?? []).length +
      (manifest?.members ?? []).length +
      (manifest?.holes ?? []).length ===
    0;
  return html`<h2 id="data">Data that it brings</h2>
${when(none, () => html`<p>${manifest === undefined ? "What it brings is not known: the module does not say." : "No variable of its own, no shadow variables, no states."}</p>`)}
${table(
  "Variables",
  ["name", "object", "bytes"],
  variables.map((one) => [one.name, one.object, one.size]),
)}
${table(
  "Shadow variables",
  ["id", "name", "bytes"],
  shadows.map(({ id, name, size }) => [`0x${id.toString(16)}`, name, size]),
)}
${table(
  "Changed in the kernel's data by somebody's word (--accept-data), when every task runs the new code, and put back before the first goes to the old",
  ["variable", "byte", "of", "from", "to", "and"],
  (manifest?.live ?? []).map(({ variable, at, owner, was, becomes, holds, readOnly }) => [
    variable,
    at,
    owner,
    was,
    becomes,
    [...(holds ? ["the module stays in memory"] : []), ...(readOnly ? ["read-only there"] : [])].join("; "),
  ]),
)}
${table(
  "New members that are kept beside the objects of their structures, by somebody's word (--shadow), while every task runs the new code",
  ["structure", "member", "declared as", "where"],
  (manifest?.members ?? []).map(({ type, name, declaration, sites }) => [
    type,
    name,
    declaration,
    sites.map(({ file, line, what }) => `${what} ${file}:${line}`).join(", "),
  ]),
)}
${when(manifest?.membersSource !== undefined, () => html`<details><summary>How the source was written anew for those</summary><div>${diffHtml((manifest?.membersSource ?? "").replace(/\n$/, "").split("\n"))}</div></details>`)}
${table(
  "New members that lie where their structures had padding, by somebody's word (--hole): each object is cleared where it begins; what new code writes stays when the livepatch goes",
  ["structure", "member", "declared as", "objects begin at"],
  (manifest?.holes ?? []).map(({ type, name, declaration, begins }) => [
    type,
    name,
    declaration,
    begins.map(({ file, line }) => `${file}:${line}`).join(", "),
  ]),
)}
${table(
  "States",
  ["id", "version"],
  states.map(({ id, version }) => [id, version]),
)}`;
}

function escapeHtml({ manifest }: Inspection): Html {
  const handed = manifest?.handed ?? [];
  return html`<h2 id="escaping">What may escape</h2>
${manifest === undefined ? html`<p>Not known: the module does not say.</p>` : handed.length === 0 ? html`<p>No address of what is in the module was seen to be given away: taking it out leaves nothing behind, as far as the code shows.</p>` : html`<p>Its code gives these addresses to others. If something keeps one, it dangles when the module is taken out; disabling or replacing it is safe.</p>`}
${table(
  "",
  ["by", "object", "kind", "name"],
  handed.map((one) => [one.function, one.object, one.kind, one.name === "" ? "(empty string)" : one.name]),
)}`;
}

function knownHtml({ manifest }: Inspection): Content {
  if (manifest === undefined) return undefined;
  const { notes, skipped, notTaken = [] } = manifest;
  return html`${when(notes.length > 0, () => html`<h2 id="notes">Notes</h2><ul>${notes.map(({ object, text }) => html`<li><span class="m">${object}</span>: ${text}</li>`)}</ul>`)}
${when(
  skipped.length > 0,
  () =>
    html`<h2 id="left">What differs and is left as it is</h2>${table(
      "",
      ["name", "object", "why"],
      skipped.map((one) => [one.name, one.object, one.why]),
    )}`,
)}
${when(
  notTaken.length > 0,
  () =>
    html`<h2>Asked for, and not replaced</h2>${table(
      "",
      ["name", "object", "why"],
      notTaken.map((one) => [one.name, one.object, one.why]),
    )}`,
)}`;
}

function symbolsHtml({ klpSymbols, imports }: Inspection): Html {
  return html`<h2 id="symbols">What of the kernel it uses</h2>
<details><summary>${klpSymbols.length} symbols that the livepatch core finds</summary><div>${table(
    "",
    ["symbol", "of", "which of that name"],
    klpSymbols.map((one) => [one.name, one.object, one.sympos]),
  )}</div></details>
<details><summary>${imports.length} symbols that the kernel exports</summary><div><p class="m">${imports.join(", ")}</p></div></details>`;
}

function inputsHtml({ manifest }: Inspection): Content {
  if (manifest === undefined) return undefined;
  return html`<h2 id="inputs">Inputs</h2>
${table(
  "",
  ["kind", "name", "version", "SHA-256"],
  manifest.inputs.map((one) => [one.kind, one.name, one.version ?? "", one.sha256]),
)}
<p class="dim">The same inputs give the same module, byte for byte.</p>`;
}

function table(title: string, heads: readonly string[], rows: readonly (readonly (string | number)[])[]): Content {
  return when(
    rows.length > 0,
    () =>
      html`${when(title !== "", () => html`<h3>${title}</h3>`)}<div class="scroll"><table><thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead><tbody>${rows.map(
        (row) => html`<tr>${row.map((cell) => html`<td class="m">${cell}</td>`)}</tr>`,
      )}</tbody></table></div>`,
  );
}
