/**
 * HTML that is escaped by construction: `html` makes it of a template, whose values are text unless they are HTML that was made in the same way.
 * Values stand between tags, or in attributes with double quotes.
 */

class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Html = Markup;
export type Content = Html | string | number | undefined | readonly Content[];

export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Markup(parts.map((part, i) => part + textOf(values[i])).join(""));
}

/** Nothing where the condition does not hold. */
export function when(condition: boolean, content: () => Content): Content {
  return condition ? content() : undefined;
}

function textOf(value: Content): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** What is not seen, or turns the direction of what follows, is shown by its number: a reader sees what a compiler reads. */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "")
    .replace(UNSEEN, (character) => `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** A whole document of this program's own style and script, which are constants; the browser is told to run and load nothing else. */
export function pageOf(page: {
  title: string;
  style: string;
  script: string | undefined;
  body: Html;
  hash: (text: string) => string;
}): string {
  const { title, style, script, body, hash } = page;
  const policy = `default-src 'none'; style-src 'sha256-${hash(style)}'; script-src ${script === undefined ? "'none'" : `'sha256-${hash(script)}'`}; base-uri 'none'; form-action 'none'`;
  const head = html`<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
`;
  const run = script === undefined ? "" : `<script>${script}</script>\n`;
  return `<!DOCTYPE html>\n<html lang="en">\n<head>\n${head.text}<style>${style}</style>\n</head>\n<body>\n${body.text}\n${run}</body>\n</html>\n`;
}
