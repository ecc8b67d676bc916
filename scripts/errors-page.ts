/** docs/errors.md as the error tables of the packages give it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ErrorKind, ErrorTable } from "@suture/errors";

const HEAD = `# Errors

Every refusal of Suture has a code, and says what was found, the place, and what can be done:

    error CODE: what was found
      at: file, section, symbol, offset
      do: what can be done

Where several objects of a fix are refused, the first is told so, and the others below it (\`others\` of the document).

With \`--json\` the same is the document \`{"schema": "suture/error-1", "error": {"code", "why", "where", "mend"}}\` ([json.md](json.md)). The advice that is printed may be more exact than the
one here. This page is made from the tables in the packages by \`npm run docs:errors\`; a test holds them together.
`;

/** All packages and applications: name → folder. */
export function housesOf(root: string): Map<string, string> {
  const found = ["packages", "apps"].flatMap((part) =>
    readdirSync(join(root, part)).map((name) => [name, join(root, part, name)] as const),
  );
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export async function errorsPage(root: string): Promise<string> {
  const parts = [HEAD];
  for (const [name, folder] of housesOf(root)) {
    const kinds = await kindsOf(join(folder, "src/errors.ts"));
    if (kinds.length === 0) continue;
    const rows = kinds.map(([code, { cause, mend }]) => `| \`${code}\` | ${cell(cause)} | ${cell(mend)} |`);
    parts.push(`## ${name}\n\n| code | when | what to do |\n| --- | --- | --- |\n${rows.join("\n")}\n`);
  }
  return parts.join("\n");
}

/** The rows of a package's table, in its order. */
export async function kindsOf(file: string): Promise<[code: string, ErrorKind][]> {
  if (!existsSync(file)) return [];
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  return Object.entries(module)
    .filter((entry): entry is [string, ErrorTable<string>] => entry[0].endsWith("Errors"))
    .flatMap(([, table]) => Object.entries(table.kinds));
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
