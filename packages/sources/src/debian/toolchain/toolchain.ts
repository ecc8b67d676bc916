/** Compilers with binutils and libraries, out of the archive of the suite whose kernels they made: in the cache, by version. Nothing is installed. */
import { chmod, lstat, mkdir, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { thisArch } from "@suture/arch";
import { exists, readKept } from "@suture/files";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import { inToolchain, isToolchainName, toolchainName, toolchainPath, toolchainsDirectory } from "../../cache/layout.ts";
import { makeOnce } from "../../cache/store.ts";
import { fail } from "../../errors.ts";
import type { Apt } from "../apt.ts";
import { getDebs } from "../download.ts";
import { unpackDeb } from "../unpack.ts";
import { compilerVersions, nearestVersion, type ToolchainPackages, toolchainPackages } from "./packages.ts";
import { compilerWords, compilerWrapper, type Loader, loaderWords, programWrapper } from "./wrappers.ts";

/** What make has variables for, and what gcc runs. */
const BINUTILS = ["ld", "as", "ar", "nm", "objcopy", "objdump", "readelf", "strip"] as const;
const prefixed = (program: string): string => `${thisArch().debian.triplet}-${program}`;

const description = v.object({
  compiler: v.string(),
  /** Of the compiler's package. */
  version: v.string(),
  binutils: v.string(),
  packages: v.array(v.object({ name: v.string(), version: v.string(), architecture: v.string(), sha256: v.string() })),
});

export type ToolchainDescription = v.InferOutput<typeof description>;

export interface Toolchain extends ToolchainDescription {
  name: string;
  path: string;
  loader: Loader;
}

/** Undefined where it is not there. */
export async function openToolchain(cache: string, name: string): Promise<Toolchain | undefined> {
  const path = toolchainPath(cache, name);
  const found = await readKept(inToolchain.description(path), description);
  return found === undefined ? undefined : { ...found, name, path, loader: await loaderOf(path) };
}

/** Those that are in the cache. */
export async function cachedToolchains(cache: string): Promise<Toolchain[]> {
  const names = (await readdir(toolchainsDirectory(cache)).catch(() => [])).filter(isToolchainName);
  const found = await Promise.all(names.map((name) => openToolchain(cache, name)));
  return found.filter((toolchain) => toolchain !== undefined);
}

/** `gcc-N (Debian VERSION) X.Y.Z`, as CONFIG_CC_VERSION_TEXT has it, and the first line of --version. */
export function packageVersion(versionText: string): string | undefined {
  return /\(Debian ([^\s)]+)\)/.exec(versionText)?.[1];
}

/**
 * The compiler that a kernel was built with, exactly, from the cache or the archive; else the nearest of its series, which is told.
 * @param archives the first is that of the kernel's suite
 * @throws TOOLCHAIN_*, ARCHIVE_*, CACHE_*
 */
export async function getToolchain(task: Task, cache: string, archives: readonly Apt[], compiler: string, wanted: string | undefined) {
  const cached = (await cachedToolchains(cache)).filter((toolchain) => toolchain.compiler === compiler);
  const exact = cached.find(({ version }) => version === wanted);
  if (exact !== undefined) return exact;
  const known: { apt: Apt; version: string }[] = [];
  for (const apt of archives) for (const version of await compilerVersions(task, apt, compiler)) known.push({ apt, version });
  const versions = [...known, ...cached].map(({ version }) => version);
  const nearest = wanted === undefined ? known[0]?.version : nearestVersion(versions, wanted);
  if (nearest === undefined)
    throw fail(
      "TOOLCHAIN_PACKAGE",
      `the archive has no ${compiler}${archives.map(({ suite }) => (suite === undefined ? "" : `; ${suite.name} was asked`)).join("")}`,
      {
        file: compiler,
      },
    );
  if (wanted !== undefined && nearest !== wanted)
    task.reporter.warn(
      `the kernel was built with ${compiler} ${wanted}, which the archive does not have any more: ${nearest} is used, and the proof shows whether it compiles the same`,
    );
  const kept = cached.find(({ version }) => version === nearest);
  if (kept !== undefined) return kept;
  const from = known.find(({ version }) => version === nearest);
  if (from === undefined) throw fail("TOOLCHAIN_PACKAGE", `the archive has no ${compiler} ${nearest}`, { file: compiler });
  return make(task, cache, from.apt, await toolchainPackages(task, from.apt, compiler, nearest));
}

async function make(task: Task, cache: string, apt: Apt, packages: ToolchainPackages): Promise<Toolchain> {
  const { compiler, binutils, all } = packages;
  const name = toolchainName(compiler.name, compiler.version, binutils.version);
  const path = toolchainPath(cache, name);
  const isSound = async (at: string): Promise<boolean> => (await readKept(inToolchain.description(at), description)) !== undefined;
  await makeOnce(
    task,
    cache,
    path,
    async (beside) => {
      const debs = await getDebs(task, cache, all, apt);
      await task.stage("compiler", async (stage) => {
        stage.note(`${compiler.name} ${compiler.version}`);
        const root = inToolchain.root(beside);
        for (const deb of debs) await unpackDeb(task, deb, root);
        // Documents, and the part that compiles when programs are linked.
        await rm(join(root, "usr", "share"), { recursive: true, force: true });
        await writePrograms(path, beside, compiler.name);
        await checkLibraries(task, beside, compiler.name);
        await checkCompiles(task, beside, compiler.name, compiler.version);
        const described: ToolchainDescription = {
          compiler: compiler.name,
          version: compiler.version,
          binutils: binutils.version,
          packages: all.map((p) => ({ name: p.name, version: p.version, architecture: p.architecture, sha256: p.download.sha256 })),
        };
        await writeFile(inToolchain.description(beside), `${JSON.stringify(described, undefined, 2)}\n`);
        stage.result(`${compiler.name} ${compiler.version}, binutils ${binutils.version}`);
      });
    },
    isSound,
  );
  const made = await openToolchain(cache, name);
  if (made === undefined) throw fail("TOOLCHAIN_BROKEN", "what says what it is has been removed or damaged meanwhile", { file: path });
  return made;
}

/** Where the loader and the libraries are differs: of older suites some are in lib, and the loader is a link to a name with a version. */
async function loaderOf(path: string): Promise<Loader> {
  const root = inToolchain.root(path);
  const { triplet, loader: name } = thisArch().debian;
  const folders = [join(root, "usr", "lib", triplet), join(root, "lib", triplet)];
  const libraries: string[] = [];
  for (const folder of folders) if (await exists(folder)) libraries.push(folder);
  for (const start of [join(root, "usr", "lib64"), join(root, "lib64")]) {
    const loader = await inRoot(root, join(start, name));
    if (loader !== undefined) return { path: loader, libraries };
  }
  throw fail("TOOLCHAIN_BROKEN", `there is no ${name} in it`, { file: root });
}

/** Where a link leads, if the root of the file system were `root`. */
async function inRoot(root: string, path: string): Promise<string | undefined> {
  for (let links = 0, at = path; links < 8; links++) {
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined) return undefined;
    if (!found.isSymbolicLink()) return at;
    const to = await readlink(at);
    at = to.startsWith("/") ? join(root, to) : join(dirname(at), to);
  }
  return undefined;
}

/** @param path where it will be @param beside where it is made */
async function writePrograms(path: string, beside: string, compiler: string): Promise<void> {
  const made = await loaderOf(beside);
  const there = (at: string): string => join(path, at.slice(beside.length));
  const loader = { path: there(made.path), libraries: made.libraries.map(there) };
  const programs = join(inToolchain.root(path), "usr", "bin");
  const besidePrograms = join(inToolchain.root(beside), "usr", "bin");
  // By this name it finds its parts, and says what it is. Packages of older suites have the link.
  await symlink(prefixed(compiler), join(besidePrograms, compiler)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  // gcc looks for `as` by this name.
  await rm(join(besidePrograms, "as"), { force: true });
  await symlink(prefixed("as"), join(besidePrograms, "as"));
  await mkdir(inToolchain.bin(beside));
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(inToolchain.program(beside, name), text);
    await chmod(inToolchain.program(beside, name), 0o755);
  };
  await write(compiler, compilerWrapper(loader, join(programs, compiler), programs));
  for (const name of BINUTILS) await write(name, programWrapper(loader, join(programs, prefixed(name))));
}

/** That no program would take a library of the machine for one that is missing. @throws TOOLCHAIN_BROKEN */
export async function checkLibraries(task: Task, path: string, compiler: string): Promise<void> {
  const [loader = "", ...words] = loaderWords(await loaderOf(path));
  const root = inToolchain.root(path);
  const { stdout } = await run(task, ["find", join(root, "usr"), "-name", "cc1", "-type", "f"]);
  const proper = stdout.split("\n").filter((line) => line !== "");
  if (proper.length === 0) throw fail("TOOLCHAIN_BROKEN", `the packages of ${compiler} hold no cc1`, { file: root });
  const programs = [compiler, ...BINUTILS].map((name) => join(root, "usr", "bin", prefixed(name)));
  for (const program of [...programs, ...proper]) {
    const listed = await run(task, [loader, "--list", ...words, program], { accept: [127] });
    const strangers = listed.stdout
      .split("\n")
      .filter((line) => line.includes(" => ") && !line.includes(` => ${root}/`))
      .map((line) => line.trim());
    if (listed.code !== 0 || strangers.length > 0)
      throw fail("TOOLCHAIN_BROKEN", `${basename(program)} is not complete: ${[...strangers, listed.stderr.trim()].join("; ")}`, {
        file: root,
      });
  }
}

/** That it runs here, and is what it is taken for. @throws TOOLCHAIN_BROKEN */
async function checkCompiles(task: Task, path: string, compiler: string, version: string): Promise<void> {
  const programs = join(inToolchain.root(path), "usr", "bin");
  const words = compilerWords(await loaderOf(path), join(programs, compiler), programs);
  let said: string;
  try {
    said = (await run(task, [...words, "--version"])).stdout.split("\n")[0] ?? "";
    await run(task, [...words, "-c", "-x", "c", "-o", join(path, "answer.o"), "-"], { input: "int answer(void) { return 1; }\n" });
    await rm(join(path, "answer.o"));
  } catch (error) {
    task.check();
    throw fail("TOOLCHAIN_BROKEN", error instanceof Error ? error.message : String(error), { file: compiler }, { cause: error });
  }
  if (packageVersion(said) !== version) throw fail("TOOLCHAIN_BROKEN", `it says that it is ${said}, not ${version}`, { file: compiler });
}

/** The variables that make the kernel's build use it. */
export function toolVariables({ path, compiler }: Toolchain): string[] {
  const program = (name: string): string => inToolchain.program(path, name);
  const named = BINUTILS.filter((name) => name !== "as").map((name) => `${name.toUpperCase()}=${program(name)}`);
  return [`CC=${program(compiler)}`, ...named];
}
