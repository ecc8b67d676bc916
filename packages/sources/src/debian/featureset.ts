/**
 * The patches that some flavours (rt) are built with on top of what linux-source has. Only Debian's source package has them, as
 * debian/patches-FEATURESET, and most machines do not ask their mirrors for source packages: apt is asked here, with lists of its own.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { exists, readKept, sha256OfFile } from "@suture/files";
import { type TargetInput, targetInputSchema } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import { aptPath, featuresetPath, inFeatureset, inSuite } from "../cache/layout.ts";
import { exclusively, makeOnce, mortal, removeUnfinished } from "../cache/store.ts";
import { fail } from "../errors.ts";
import { type Apt, aptSaid } from "./apt.ts";
import type { SourceName } from "./packages.ts";

const LIST = "/etc/apt/sources.list";
const PARTS = "/etc/apt/sources.list.d";

/**
 * The directory of the featureset's patches and the source package that they are from.
 * @throws SOURCE_NO_FEATURESET
 */
export async function getFeatureset(task: Task, cache: string, apt: Apt, source: SourceName, featureset: string): Promise<TargetInput> {
  const path = featuresetPath(cache, source, featureset);
  await makeOnce(
    task,
    cache,
    path,
    (beside) =>
      task.stage("patches", async (stage) => {
        const tar = await fetchSource(task, cache, apt, source, beside, featureset);
        const input: TargetInput = { kind: "package", name: `${source.name} (source)`, version: source.version, sha256: tar.sha256 };
        const only = `debian/patches-${featureset}`;
        await run(task, mortal("tar", "--extract", "--xz", "--file", tar.path, "--directory", beside, "--strip-components=1", only));
        await rm(tar.path);
        const { length } = await seriesOf(inFeatureset.patches(beside, featureset));
        await writeFile(inFeatureset.description(beside), JSON.stringify(input));
        stage.result(`${length} of ${featureset}`);
      }),
    async (at) => (await described(at)) !== undefined,
  );
  const input = await described(path);
  if (input === undefined) throw fail("SOURCE_TREE", "what says what it is has been removed or damaged meanwhile", { file: path });
  return input;
}

function described(path: string): Promise<TargetInput | undefined> {
  return readKept(inFeatureset.description(path), targetInputSchema);
}

/** Applies the patches to `tree`. Files are replaced, not written to: they may be links to a tree without the patches. */
export async function applyFeatureset(task: Task, cache: string, source: SourceName, featureset: string, tree: string): Promise<void> {
  const patches = inFeatureset.patches(featuresetPath(cache, source, featureset), featureset);
  for (const name of await seriesOf(patches)) {
    const options = ["--strip=1", "--batch", "--forward", "--silent", "--no-backup-if-mismatch", "--reject-file=-", "--remove-empty-files"];
    try {
      await run(task, mortal("patch", ...options, `--input=${join(patches, name)}`), { cwd: tree });
    } catch (error) {
      task.check();
      const why = error instanceof Error ? error.message : String(error);
      throw fail("SOURCE_TREE", `a patch of ${featureset} does not apply: ${why}`, { file: name }, { cause: error });
    }
  }
}

async function seriesOf(patches: string): Promise<string[]> {
  const text = await readFile(join(patches, "series"), "utf8");
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/** Downloads the packaging part of a source package into `directory` and holds it against the archive's index. */
async function fetchSource(task: Task, cache: string, apt: Apt, source: SourceName, directory: string, featureset: string) {
  const home = aptPath(cache, apt.suite?.name);
  return exclusively(task, cache, home, async () => {
    await removeUnfinished(home);
    const options = await ownLists(home, apt);
    const missing = (why: string, cause: unknown) =>
      fail(
        "SOURCE_NO_FEATURESET",
        `the patches of ${featureset} are in the source package ${source.name} ${source.version}, which could not be had: ${why}`,
        { file: source.name },
        { cause },
      );
    const get = async (argv: string[]): Promise<string> => {
      try {
        return (await run(task, mortal("apt-get", ...options, ...argv), { cwd: directory })).stdout;
      } catch (error) {
        task.check();
        throw missing(aptSaid(error), error);
      }
    };
    // Mirrors that have no source packages are an error here and none for those that do.
    await run(task, mortal("apt-get", ...options, "--quiet", "update"), { accept: [100] });
    const wanted = ["source", "--download-only", "--diff-only", `${source.name}=${source.version}`];
    const planned = await get(["--print-uris", ...wanted]);
    const line = /^'[^']*' (\S+\.debian\.tar\.\S+) \d+ SHA256:([0-9a-f]{64})/m.exec(planned);
    if (line?.[1] === undefined || line[2] === undefined) throw missing("apt-get does not give its address and SHA-256", undefined);
    await get(["--quiet", ...wanted]);
    const path = join(directory, basename(line[1]));
    const found = await sha256OfFile(task, path);
    if (found !== line[2])
      throw fail("ARCHIVE_DAMAGED", `the SHA-256 of what was downloaded is ${found}, not ${line[2]}, which the archive's index gives`, {
        file: line[1],
      });
    return { path, sha256: found };
  });
}

/** Options for apt to use its sources as sources of source packages, with lists in `home`. Its own stay as they are. */
async function ownLists(home: string, apt: Apt): Promise<string[]> {
  const parts = join(home, "parts");
  const lists = join(home, "lists");
  await rm(parts, { recursive: true, force: true });
  await mkdir(parts, { recursive: true, mode: 0o755 });
  await mkdir(join(lists, "partial"), { recursive: true });
  for (const file of apt.suite === undefined ? await machineFiles() : [inSuite.sources(dirname(apt.lists))])
    await writeFile(join(parts, basename(file)), asSourceList(await readFile(file, "utf8"), file.endsWith(".sources")));
  return [
    ...apt.options,
    `-oDir::Etc::sourcelist=/dev/null`,
    `-oDir::Etc::sourceparts=${parts}`,
    `-oDir::State::lists=${lists}`,
    // Its own cache of the lists, too.
    `-oDir::Cache::pkgcache=`,
    `-oDir::Cache::srcpkgcache=`,
  ];
}

async function machineFiles(): Promise<string[]> {
  const names = (await readdir(PARTS).catch(() => [])).filter((name) => /^[\w.-]+\.(list|sources)$/.test(name));
  return [...((await exists(LIST)) ? [LIST] : []), ...names.map((name) => join(PARTS, name))];
}

/** The sources of a file of apt's configuration (of either form) as sources of source packages. */
export function asSourceList(text: string, deb822: boolean): string {
  if (deb822) return text.replace(/^Types:.*(?:\n[ \t].*)*$/gim, "Types: deb-src").replace(/^Targets:.*\n/gim, "");
  return text
    .split("\n")
    .filter((line) => /^\s*deb\s/.test(line))
    .map((line) => line.replace(/^\s*deb(?=\s)/, "deb-src"))
    .concat("")
    .join("\n");
}
