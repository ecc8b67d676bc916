/** File names as the headers of patches write them. */

const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", t: "\t", n: "\n", v: "\v", f: "\f", r: "\r", '"': '"', "\\": "\\" };

/** A name in quotation marks at the beginning of a text, and what is behind it. @returns undefined if it does not end, or has an unknown escape */
function quoted(text: string): { name: string; rest: string } | undefined {
  const [whole, inner] = /^"((?:[^"\\]|\\[0-3][0-7]{2}|\\[abtnvfr"\\])*)"/.exec(text) ?? [];
  if (whole === undefined || inner === undefined) return undefined;
  const name = inner.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
    /^\d/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );
  return { name, rest: text.slice(whole.length) };
}

/** What tools write behind a name: dates, and what Subversion says. */
const BEHIND =
  /\t.*$|\s+\((?:revision \d+|working copy|nonexistent)\)\s*$|\s+\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[+-]\d{4}| ?Z)?\s*$|\s+(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d+ [\d:]{8}(?: [A-Z+-]\w*)? \d{4}.*$/;

/** The name in a line `--- NAME`, `+++ NAME` or `Index: NAME`, without the keyword. */
export function nameIn(text: string): string | undefined {
  if (text.startsWith('"')) return quoted(text)?.name;
  const name = text.replace(BEHIND, "").trimEnd();
  return name === "" ? undefined : name;
}

/** The two names in a line `diff --git OLD NEW`; undefined where they cannot be told apart, which git then takes from the lines that follow. */
export function namesOfGit(text: string): { old: string; new: string } | undefined {
  if (text.startsWith('"')) {
    const first = quoted(text);
    if (first === undefined) return undefined;
    const rest = first.rest.trimStart();
    const second = rest.startsWith('"') ? quoted(rest)?.name : rest;
    return second === undefined ? undefined : { old: first.name, new: second };
  }
  const second = / (".*)$/.exec(text)?.[1];
  if (second !== undefined) {
    const name = quoted(second)?.name;
    return name === undefined ? undefined : { old: text.slice(0, -second.length - 1), new: name };
  }
  const words = text.trimEnd().split(" ");
  if (words.length === 2) return { old: words[0] ?? "", new: words[1] ?? "" };
  // Names with spaces: both are the same behind their prefixes.
  for (let i = 1; i < words.length; i++) {
    const [old, now] = [words.slice(0, i).join(" "), words.slice(i).join(" ")];
    if (old.replace(/^[^/]*\//, "") === now.replace(/^[^/]*\//, "")) return { old, new: now };
  }
  return undefined;
}

/** A word that can be the name of a file, not one of a sentence. */
export function isPathLike(text: string): boolean {
  return text.startsWith('"') || /^\S*[./]\S*(?:\t.*)?$/.test(text.replace(BEHIND, "").trimEnd());
}
