/** Unified diffs for people. */
import { type Content, type Html, html } from "./html.ts";

export interface Hunk {
  heading: string;
  lines: string[];
}

export interface FileDiff {
  path: string;
  hunks: Hunk[];
}

const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@ ?(.*)$/;

/** By files, in their order. What stands around the hunks (mail headers, messages) is left out: the whole text is shown beside. */
export function filesOfDiff(text: string): FileDiff[] {
  const files: FileDiff[] = [];
  let left = { old: 0, new: 0 };
  let file: FileDiff | undefined;
  let before = "";
  for (const line of text.split("\n")) {
    const hunk = file?.hunks.at(-1);
    if (hunk !== undefined && (left.old > 0 || left.new > 0 || line.startsWith("\\"))) {
      hunk.lines.push(line);
      if (!line.startsWith("+") && !line.startsWith("\\")) left.old -= 1;
      if (!line.startsWith("-") && !line.startsWith("\\")) left.new -= 1;
      continue;
    }
    if (line.startsWith("--- ")) before = pathOf(line);
    if (line.startsWith("+++ ")) {
      const path = pathOf(line);
      file = { path: path === "/dev/null" ? before : path, hunks: [] };
      files.push(file);
    }
    const [, old, fresh, heading = ""] = HUNK.exec(line) ?? [];
    if (!line.startsWith("@@") || file === undefined || HUNK.exec(line) === null) continue;
    left = { old: Number(old ?? 1), new: Number(fresh ?? 1) };
    file.hunks.push({ heading, lines: [line] });
  }
  return files;
}

function pathOf(line: string): string {
  const [path = ""] = line.slice(4).split("\t");
  return path === "/dev/null" ? path : path.replace(/^[^/]+\//, "").trimEnd();
}

export function diffHtml(lines: readonly string[]): Html {
  return html`<pre class="diff">${lines.map((line) => html`<span${classOf(line)}>${line === "" ? " " : line}</span>`)}</pre>`;
}

function classOf(line: string): Content {
  if (line.startsWith("+++") || line.startsWith("---") || line.startsWith("@@") || line.startsWith("diff ")) return html` class="h"`;
  if (line.startsWith("+")) return html` class="a"`;
  return line.startsWith("-") ? html` class="d"` : undefined;
}

/** Hunks that name a function in their heading, or begin it. */
export function hunksOf(files: readonly FileDiff[], name: string): { path: string; hunk: Hunk }[] {
  const bare = name.replace(/\.(?:isra|constprop|part|cold)\b.*$/, "");
  return files.flatMap(({ path, hunks }) =>
    hunks
      .filter((hunk) => names(hunk.heading, bare) || hunk.lines.some((line) => /^[ +-][A-Za-z_]/.test(line) && names(line, bare)))
      .map((hunk) => ({ path, hunk })),
  );
}

function names(line: string, name: string): boolean {
  for (let at = line.indexOf(name); at >= 0; at = line.indexOf(name, at + 1))
    if (!/\w/.test(line[at - 1] ?? "") && /^\s*\(/.test(line.slice(at + name.length))) return true;
  return false;
}
