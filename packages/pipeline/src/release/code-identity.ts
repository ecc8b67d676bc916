/** What tells one state of this program from another: what was refused by another one may not be refused by this. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256 } from "@suture/files";

let known: Promise<string> | undefined;

export function codeIdentity(): Promise<string> {
  known ??= hashed(rootOf(import.meta.dirname));
  return known;
}

/** The folder of all packages in a checkout; of what users install, the folder that this is in. */
function rootOf(own: string): string {
  const packages = own.lastIndexOf("/packages/pipeline/src");
  return packages < 0 ? own : join(dirname(own.slice(0, packages + 2)), "packages");
}

/** What asks for verdicts, or does something else: packages that this one does not import, and a release's rounds. */
const OTHERS =
  /^\/(?:account|agent|cli|host|lab|pages|testkit|trust)\/|^\/pipeline\/src\/release\/(?!release-objects|chosen-view|code-identity)/;

async function hashed(root: string): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /\.(?:[cm]?js|ts|c|h)$/.test(entry.name) && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/node_modules/") && !OTHERS.test(path.slice(root.length)))
    .sort();
  const parts = await Promise.all(files.map(async (path) => [path.slice(root.length), await readFile(path)]));
  return sha256(...parts.flat());
}
