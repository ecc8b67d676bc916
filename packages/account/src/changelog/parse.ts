/**
 * Debian's changelog of the kernel, as deb-changelog(5) and the kernel team's own habits have it:
 *
 *     linux (VERSION) SUITE; urgency=...
 *
 *       * New upstream stable update:
 *         https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-RELEASE
 *         - [x86] subject of a commit, wrapped at 80 columns
 *           (CVE-YEAR-NUMBER)
 *
 *       [ Name ]
 *       * subject of a patch of Debian's own (Closes: #NUMBER)
 *
 *      -- Name <address>  date
 *
 * Bodies are read of the entries that are asked for only. Each line is looked at once.
 */
import { fail } from "../errors.ts";

/** A line of an entry: a commit of the kernel's stable series, or a change of the distribution's own. */
export interface Change {
  /** Without what stands before it in brackets, and without CVEs and bug reports. */
  subject: string;
  /** `x86`, of `[x86] subject`. */
  prefixes: string[];
  cves: string[];
  /** Numbers of bug reports. */
  closes: string[];
  /** Of the package. */
  version: string;
  /** The kernel release whose ChangeLog it is from; undefined for the distribution's own. */
  upstream: string | undefined;
}

const LINE_LIMIT = 2000;
/** Characters of a change with all its lines. */
const CHANGE_LIMIT = 4000;
const ENTRY_LIMIT = 100_000;

interface Entry {
  source: string;
  version: string;
  /** Line of the file, from 0. */
  at: number;
}

export function changesBetween(text: string, file: string, from: string, to: string): { versions: string[]; changes: Change[] } {
  const lines = text.split("\n");
  const entries = entriesOf(lines, file);
  if (entries.length === 0) throw fail("ACCOUNT_CHANGELOG", "it has no entry like `linux (VERSION) SUITE; urgency=...`", { file });
  const named = entries.map((entry, i) => ({
    ...entry,
    end: entries[i + 1]?.at ?? lines.length,
    ...signedOf(entry, lines, entries[i + 1]?.at),
  }));
  const first = named.findIndex(({ version }) => version === to);
  if (first < 0) throw fail("ACCOUNT_CHANGELOG", `it has no entry of ${to}; the newest is of ${named[0]?.version}`, { file });
  const last = named.findIndex(({ version }, i) => i >= first && version === from);
  if (last < 0) throw fail("ACCOUNT_CHANGELOG", `it has no entry of ${from} below that of ${to}`, { file });
  const asked = named.slice(first, last);
  // What a signed image's own entry says, that of the source says again where it is there.
  const plain = new Set(asked.flatMap(({ signed, version }) => (signed ? [] : [version])));
  const read = asked.filter(({ signed, version }) => !signed || !plain.has(version));
  return {
    versions: [...new Set(read.map(({ version }) => version))],
    changes: read.flatMap((entry) => changesOf(entry, lines.slice(entry.at + 1, entry.end), file)),
  };
}

const HEADING = /^([a-z0-9][a-z0-9+.-]*) \(([A-Za-z0-9.+:~-]+)\)[^;]*;/;

function entriesOf(lines: readonly string[], file: string): Entry[] {
  const entries: Entry[] = [];
  for (const [at, line] of lines.entries()) {
    if (line.length > LINE_LIMIT) throw fail("ACCOUNT_CHANGELOG", `line ${at + 1} has ${line.length} characters`, { file });
    const found = HEADING.exec(line);
    if (found === null) continue;
    const [, source = "", version = ""] = found;
    entries.push({ source, version, at });
    if (entries.length > ENTRY_LIMIT) throw fail("ACCOUNT_CHANGELOG", `it has more than ${ENTRY_LIMIT} entries`, { file });
  }
  return entries;
}

/** A signed image is made of a source with a version of its own: `* Sign kernel from linux VERSION`. */
function signedOf({ source, at }: Entry, lines: readonly string[], end = lines.length): { signed: boolean; version?: string } {
  if (!source.startsWith("linux-signed")) return { signed: false };
  for (const line of lines.slice(at + 1, end)) {
    const [, version] = line.startsWith("  * ") ? (SIGNED.exec(line.slice(4)) ?? []) : [];
    if (version !== undefined) return { signed: true, version };
  }
  return { signed: true };
}

const SIGNED = /^Sign kernel from \S+ (\S+)$/;
const UPDATE = /^New upstream (?:stable )?(?:update|release)\b/;

interface Bullet {
  indent: number;
  text: string;
  upstream: string | undefined;
  /** Further ones stand below it. */
  heads: boolean;
}

function changesOf({ version, at }: Entry, body: readonly string[], file: string): Change[] {
  const bullets: Bullet[] = [];
  let above: Bullet[] = [];
  let update = false;
  let upstream: string | undefined;
  for (const [i, line] of body.entries()) {
    const where = at + i + 2;
    const text = line.trim();
    if (text === "" || line.startsWith(" -- ")) continue;
    const indent = line.length - line.trimStart().length;
    if (indent < 2) throw fail("ACCOUNT_CHANGELOG", `line ${where} is neither a heading nor part of an entry`, { file });
    if (indent === 2 && text.startsWith("[ ") && text.endsWith(" ]")) {
      above = [];
      continue;
    }
    const [, mark, rest = ""] = /^([*+-]) +(.*)$/.exec(text) ?? [];
    const inside = above.findLast((bullet) => bullet.indent < indent);
    // A line of a wrapped text may begin with a dash, too: it then stands under the text, not under the mark.
    if (mark !== undefined && (inside === undefined || above.some((bullet) => bullet.indent === indent) || startsList(inside))) {
      above = above.filter((bullet) => bullet.indent < indent);
      if (above.length === 0) {
        update = UPDATE.test(rest);
        upstream = undefined;
      }
      for (const bullet of above) bullet.heads = true;
      const bullet = { indent, text: rest, upstream, heads: update && above.length === 0 };
      above.push(bullet);
      bullets.push(bullet);
      continue;
    }
    const [, release] = update ? (/^https?:\/\/\S*\/ChangeLog-(\d[\w.-]*)$/.exec(text) ?? []) : [];
    if (release !== undefined) {
      upstream = release;
      above = above.filter((bullet) => bullet.indent < indent);
      continue;
    }
    if (inside === undefined) continue;
    inside.text += ` ${text}`;
    if (inside.text.length > CHANGE_LIMIT)
      throw fail("ACCOUNT_CHANGELOG", `the change that line ${where} belongs to has more than ${CHANGE_LIMIT} characters`, { file });
  }
  return bullets
    .filter(({ heads, text }) => !SIGNED.test(text) && !(heads && (UPDATE.test(text) || text.endsWith(":"))))
    .map((bullet) => changeOf(bullet, version));
}

/** Whether a deeper line with a mark begins a list below this one, not a line of its text. */
function startsList({ text, heads, indent }: Bullet): boolean {
  return heads || indent === 2 || text.endsWith(":");
}

const CVE = /\bCVE-\d{4}-\d{4,7}\b/g;
const IN_PARENTHESES = /\(([^()]*)\)/g;

function changeOf({ text, upstream }: Bullet, version: string): Change {
  const cves = [...new Set(text.match(CVE) ?? [])];
  const closes: string[] = [];
  let subject = text.replace(IN_PARENTHESES, (whole, inner: string) => {
    if (/^closes:/i.test(inner)) {
      closes.push(...(inner.match(/\d+/g) ?? []));
      return "";
    }
    return inner.replace(CVE, "").replace(/[\s,;]+/g, "") === "" && inner !== "" ? "" : whole;
  });
  const prefixes: string[] = [];
  for (let found = PREFIX.exec(subject); found !== null && prefixes.length < 8; found = PREFIX.exec(subject)) {
    prefixes.push(found[1] ?? "");
    subject = subject.slice(found[0].length);
  }
  return { subject: subject.replace(/\s+/g, " ").trim(), prefixes, cves, closes, version, upstream };
}

const PREFIX = /^\s*\[([^[\]]{1,60})\]\s*/;
