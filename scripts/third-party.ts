/** Licences of the packages that went into a bundle: they ask to go along with the code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

const modules = join(import.meta.dirname, "../node_modules");

interface About {
  version: string;
  license?: string;
  author?: string | { name: string };
}

export function thirdParty({ inputs }: Metafile): string {
  return [...new Set(Object.keys(inputs).flatMap(packageOf))]
    .sort()
    .map((name) => {
      const folder = join(modules, name);
      const { version, ...about } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as About;
      return `${name} ${version}\n\n${licenceIn(name, folder, about).trim()}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

/** Some have it at the end of what they say of themselves. */
function licenceIn(name: string, folder: string, { license, author }: Omit<About, "version">): string {
  const files = readdirSync(folder);
  const file = files.find((entry) => /^licen[cs]e/i.test(entry));
  if (file !== undefined) return readFileSync(join(folder, file), "utf8");
  const readme = files.find((entry) => /^readme/i.test(entry));
  const [, text] = /\n#+ *licen[cs]e *\n(.*)$/is.exec(readme === undefined ? "" : readFileSync(join(folder, readme), "utf8")) ?? [];
  if (text === undefined || license === undefined) throw new Error(`${name} has no licence file, and does not say its licence otherwise`);
  return `${license}, by ${typeof author === "object" ? author.name : (author ?? "its authors")}\n\n${text.trim()}`;
}

/** The package that a bundled file is of; none for our own. */
function packageOf(input: string): string[] {
  const [, name] = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(input) ?? [];
  return name === undefined ? [] : [name];
}
