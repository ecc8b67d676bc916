/** Old and new instructions of a function beside each other. */
import { type Html, html } from "../html.ts";
import { align } from "./align.ts";
import type { Line } from "./code.ts";

/** Lines around a difference that are shown, too. */
const CONTEXT = 4;

/** @param before why there are none, if it is a text */
export function sideBySide(before: readonly Line[] | string, after: readonly Line[]): { title: string; content: Html } {
  if (typeof before === "string")
    return {
      title: `${after.length}`,
      content: html`<table class="code"><colgroup><col class="o"><col></colgroup>${after.map((line) => html`<tr><td class="n">${hex(line)}</td><td>${line.text}</td></tr>`)}</table>`,
    };
  const pairs = align(
    before.map(({ alike }) => alike),
    after.map(({ alike }) => alike),
  );
  const differs = pairs.map(([a, b]) => a === undefined || b === undefined);
  const near = differs.map((_, i) => differs.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).includes(true));
  const changed = differs.filter((one) => one).length;
  return {
    title: changed === 0 ? `${after.length}, the same but for places` : `${before.length} → ${after.length}, ${changed} differ`,
    content: html`<table class="code"><colgroup><col class="o"><col><col class="o"><col></colgroup>${rowsOf(pairs, near, before, after)}</table>`,
  };
}

type Pair = ReturnType<typeof align>[number];

function rowsOf(pairs: readonly Pair[], near: readonly boolean[], before: readonly Line[], after: readonly Line[]): Html[] {
  const rows: Html[] = [];
  let hidden = 0;
  const gap = (): void => {
    if (hidden > 0) rows.push(html`<tr class="gap"><td colspan="4">${hidden} the same</td></tr>`);
    hidden = 0;
  };
  let at = 0;
  while (at < pairs.length) {
    if (near[at] !== true) {
      hidden += 1;
      at += 1;
      continue;
    }
    gap();
    const [a, b] = pairs[at] as Pair;
    if (a !== undefined && b !== undefined) {
      rows.push(rowOf(before[a], after[b], false));
      at += 1;
      continue;
    }
    // What goes and what comes in its place stand beside each other.
    const gone: Line[] = [];
    const come: Line[] = [];
    for (; at < pairs.length; at++) {
      const [old, fresh] = pairs[at] as Pair;
      if (old !== undefined && fresh !== undefined) break;
      if (old !== undefined) gone.push(before[old] as Line);
      if (fresh !== undefined) come.push(after[fresh] as Line);
    }
    for (let i = 0; i < Math.max(gone.length, come.length); i++) rows.push(rowOf(gone[i], come[i], true));
  }
  gap();
  return rows;
}

function rowOf(old: Line | undefined, fresh: Line | undefined, differs: boolean): Html {
  const side = (line: Line | undefined, mark: string): Html =>
    line === undefined
      ? html`<td class="n"></td><td></td>`
      : html`<td class="n">${hex(line)}</td><td${differs ? html` class="${mark}"` : undefined}>${line.text}</td>`;
  return html`<tr>${side(old, "d")}${side(fresh, "a")}</tr>`;
}

function hex({ start }: Line): string {
  return start.toString(16);
}
