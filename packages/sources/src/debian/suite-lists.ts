/**
 * apt's lists of one suite, in the cache: the machine's apt need not know the suite, and its configuration stays as it is. They come from the
 * machine's own mirror, and apt verifies them with Debian's keys.
 */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { thisArch } from "@suture/arch";
import { exists, writeAtomic } from "@suture/files";
import type { Task } from "@suture/task";
import { inSuite, suitePath } from "../cache/layout.ts";
import { exclusively, inCache } from "../cache/store.ts";
import { fail } from "../errors.ts";
import { type Apt, aptSaid, runApt } from "./apt.ts";
import { aptTargets, type Mirrors, mirrorsOf } from "./mirrors.ts";
import { COMPONENT, type Suite } from "./suites.ts";

/** Where Debian's package debian-archive-keyring has the keys. */
const KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];
/** Milliseconds after which lists are asked for anew where something is to be fetched. */
const FRESH = 86_400_000;

/** What apt says of lists that no key vouches for. */
const UNVERIFIED = /NO_PUBKEY|BADSIG|EXPKEYSIG|KEYEXPIRED|REVKEYSIG|is not signed|not signed by|couldn't be verified|could not be verified/;

export function suiteApt(cache: string, suite: Suite): Apt {
  const path = suitePath(cache, suite.name);
  return { suite, options: ["-c", inSuite.configuration(path)], lists: inSuite.lists(path) };
}

export async function hasLists(cache: string, suite: Suite): Promise<boolean> {
  return exists(inSuite.fetched(suitePath(cache, suite.name)));
}

/**
 * The suite's lists, fetched where they are not there or a day old. Old ones are used where new ones cannot be had: their age is told.
 * @throws ARCHIVE_NO_APT, ARCHIVE_NO_MIRROR, ARCHIVE_NO_KEYRING, ARCHIVE_SUITE, ARCHIVE_UNVERIFIED, CACHE_*
 */
export async function fetchLists(task: Task, cache: string, suite: Suite): Promise<Apt> {
  const path = suitePath(cache, suite.name);
  const apt = suiteApt(cache, suite);
  const isFresh = async (): Promise<boolean> => {
    const at = await stat(inSuite.fetched(path)).catch(() => undefined);
    return at !== undefined && Date.now() - at.mtimeMs < FRESH;
  };
  if (await isFresh()) return apt;
  await inCache(cache, () =>
    exclusively(task, cache, path, async () => {
      if (await isFresh()) return;
      await task.stage("lists", async (stage) => {
        stage.note(`of ${suite.name}`);
        const told = await refresh(task, path, apt, suite);
        stage.result(told ?? suite.name);
      });
    }),
  );
  return apt;
}

/** @returns what is to be told of lists that stay old */
async function refresh(task: Task, path: string, apt: Apt, suite: Suite): Promise<string | undefined> {
  const had = await exists(inSuite.fetched(path));
  try {
    const mirrors = mirrorsOf(await aptTargets(task));
    const keyring = await keyringPath();
    const sources = sourcesText(suite, mirrors, keyring);
    // Lists of another mirror are others.
    const before = await readFile(inSuite.sources(path), "utf8").catch(() => "");
    await mkdir(`${inSuite.lists(path)}/partial`, { recursive: true, mode: 0o755 });
    await writeFile(inSuite.status(path), "");
    await writeAtomic(inSuite.sources(path), sources);
    await writeAtomic(inSuite.configuration(path), configurationText(path));
    await runApt(task, apt, "apt-get", ["--quiet", "-oAPT::Update::Error-Mode=any", "update"]);
    await writeAtomic(inSuite.fetched(path), sources);
    return before === "" || before === sources ? undefined : `${suite.name}, from another mirror than before`;
  } catch (error) {
    task.check();
    const said = aptSaid(error);
    if (UNVERIFIED.test(error instanceof Error ? error.message : ""))
      throw fail("ARCHIVE_UNVERIFIED", `${suite.name}: ${said}`, { file: suite.name }, { cause: error });
    if (had) {
      const why = `new lists of ${suite.name} could not be fetched, the old ones are used: ${said}`;
      task.reporter.warn(why);
      return "old ones";
    }
    if (error instanceof Error && "code" in error && String(error.code).startsWith("ARCHIVE_")) throw error;
    throw fail("ARCHIVE_SUITE", `${suite.name}: ${said}`, { file: suite.name }, { cause: error });
  }
}

async function keyringPath(): Promise<string> {
  for (const path of KEYRINGS) if (await exists(path)) return path;
  throw fail("ARCHIVE_NO_KEYRING", "Debian's keys are not on this machine", { file: KEYRINGS[0] });
}

/** In the form of sources.list.d/*.sources. */
export function sourcesText(suite: Suite, mirrors: Mirrors, keyring: string): string {
  const parts = [
    [mirrors.main, suite.main],
    [mirrors.security, suite.security],
  ] as const;
  return parts
    .filter(([, suites]) => suites.length > 0)
    .map(([uri, suites]) =>
      [
        "Types: deb",
        `URIs: ${uri}`,
        `Suites: ${suites.join(" ")}`,
        `Components: ${COMPONENT}`,
        `Architectures: ${thisArch().debian.name}`,
        "Targets: Packages",
        "Languages: none",
        `Signed-By: ${keyring}`,
        "",
      ].join("\n"),
    )
    .join("\n");
}

/** What is different from the machine's configuration, which has proxies and the like: state of its own, and nothing that runs afterwards. */
function configurationText(path: string): string {
  return [
    `Dir::State::lists "${inSuite.lists(path)}";`,
    `Dir::State::status "${inSuite.status(path)}";`,
    `Dir::Etc::sourcelist "${inSuite.sources(path)}";`,
    `Dir::Etc::sourceparts "/dev/null";`,
    `Dir::Etc::preferences "/dev/null";`,
    `Dir::Etc::preferencesparts "/dev/null";`,
    `Dir::Cache "${path}";`,
    `Dir::Cache::pkgcache "${inSuite.index(path)}";`,
    `Dir::Cache::srcpkgcache "";`,
    `APT::Architecture "${thisArch().debian.name}";`,
    `#clear APT::Architectures;`,
    `APT::Architectures { "${thisArch().debian.name}"; };`,
    // The cache is one user's: that of apt for downloads may not enter it.
    `APT::Sandbox::User "root";`,
    "#clear APT::Update::Pre-Invoke;",
    "#clear APT::Update::Post-Invoke;",
    "#clear APT::Update::Post-Invoke-Success;",
    "",
  ].join("\n");
}
