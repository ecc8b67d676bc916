/**
 * dist/package: what users install. One file with all of our code, and a small one that starts it; beside them what is read at run time: the decoder of
 * x86 instructions (WebAssembly that its own code reads from its own folder) and the C that is compiled into a module. Besides that for people and
 * their programs: manual pages, completion for shells, and the schemas of the JSON documents.
 * `npm pack ./dist/package` makes the archive.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeProgram as makeWords } from "../packages/cli/src/program.ts";
import { COMPLETION_FILES, completionScript, SHELLS } from "../packages/cli/src/words/completion.ts";
import { manualPages } from "../packages/cli/src/words/manual.ts";
import { outlineOf } from "../packages/cli/src/words/outline.ts";
import { schemaFiles } from "./json-page.ts";
import { BESIDE, makeProgram } from "./program.ts";
import { thirdParty } from "./third-party.ts";

const root = join(import.meta.dirname, "..");
const out = join(process.argv[2] ?? join(root, "dist"), "package");
interface PackageJson {
  version: string;
  description: string;
  license: string;
  engines: Record<string, string>;
  dependencies?: Record<string, string>;
}

const readPackage = (folder: string): PackageJson => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageJson;
const workspace = readPackage(root);
const modules = join(root, "node_modules");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const metafile = await makeProgram(out);
for (const name of BESIDE) cpSync(join(modules, name), join(out, "node_modules", name), { recursive: true, dereference: true });
// Help and refusals name the pages of docs.
for (const name of ["LICENSE", "LICENSES", "README.md", "docs"])
  if (existsSync(join(root, name))) cpSync(join(root, name), join(out, name), { recursive: true });
const outline = outlineOf(
  await makeWords(
    () => async () => {},
    () => {},
  ),
);
const manual = writeAll("man/man1", manualPages(outline));
writeAll("completion", new Map(SHELLS.map((shell) => [COMPLETION_FILES[shell], completionScript(shell, outline)])));
writeAll("schemas", schemaFiles());
writeFileSync(join(out, "THIRD-PARTY.txt"), thirdParty(metafile));
writeFileSync(
  join(out, "package.json"),
  `${JSON.stringify(
    {
      name: "suture",
      version: workspace.version,
      description: workspace.description,
      license: workspace.license,
      type: "module",
      engines: workspace.engines,
      bin: { suture: "suture.mjs" },
      // npm links them to where `man` looks.
      man: manual,
      dependencies: Object.fromEntries(BESIDE.map((name) => [name, readPackage(join(modules, name)).version])),
      bundleDependencies: BESIDE,
    },
    undefined,
    2,
  )}\n`,
);
console.log(out);

/** @returns the paths in the package */
function writeAll(folder: string, files: ReadonlyMap<string, string>): string[] {
  mkdirSync(join(out, folder), { recursive: true });
  return [...files].map(([name, text]) => {
    writeFileSync(join(out, folder, name), text);
    return `./${folder}/${name}`;
  });
}
