/**
 * What is where in the cache. One function for each path; nothing else makes one.
 *
 *     debs/NAME_VERSION_ARCH.deb        packages of the archive, whose hash was compared with the archive's index
 *     sources/SOURCE_VERSION/           the source as linux-source has it, never compiled in
 *     changelogs/SOURCE_VERSION/        changelog.gz, as a package of that source has it; empty if none does
 *     kernels/RELEASE_VERSION_FORMAT/   one kernel, ready to build for, by the machine's compiler; with _COMPILER behind it, by one of toolchains/:
 *         target.json                     what it is and what it was made from
 *         image/                          the image package unpacked: boot/vmlinuz-RELEASE, lib/modules/RELEASE
 *         make.gz                         what make said it would run for the whole kernel
 *         tree/                           the source (hard links into sources/) with the configuration, generated headers and tools
 *     featuresets/SOURCE_VERSION_NAME/  patches of Debian's source package that a flavour has on top of the source
 *     trees/DIR-STATE_FORMAT/           links to a tree that somebody prepared, as it was in that state
 *     scratch/                          temporary files, where the kernel's build cannot work in TMPDIR
 *     apt/, apt-SUITE/                  lists of source packages, for these
 *     suites/SUITE/                     apt's lists of a suite, its own state and configuration
 *     toolchains/COMPILER_VERSION_BINUTILS_FORMAT/   a compiler with its binutils and libraries:
 *         toolchain.json                  what it is and what it was made from
 *         bin/                            the programs, as they are to be called
 *         root/                           packages unpacked
 *     locks/                            empty files, locked while what they are named after is made; never removed
 *
 * What is there under its name is complete. It is made beside it, under a name that ends in `.unfinished`, and renamed when it is on the disk.
 */
import { homedir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { sha256 } from "@suture/files";
import { fail } from "../errors.ts";

/** To be raised when a kernel's directory is made in another way than before: older ones are then not used. */
const FORMAT = 6;

/** The same for toolchains. */
const TOOLCHAIN_FORMAT = 1;

/** The same for links to trees. */
const TREE_FORMAT = 3;

const UNFINISHED = ".unfinished";

/** $XDG_CACHE_HOME/suture, or ~/.cache/suture. */
export function cacheRoot(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CACHE_HOME } = env;
  // The specification: a path that is not absolute is to be ignored.
  return join(XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : join(home(), ".cache"), "suture");
}

/** $HOME, or what the system knows of the user where that is no whole path. */
function home(): string {
  const named = homedir();
  if (named.startsWith("/")) return named;
  try {
    return userInfo().homedir;
  } catch (cause) {
    throw fail("CACHE_UNWRITABLE", "HOME is not set, and this user has no home directory", {}, { cause });
  }
}

export function debsDirectory(cache: string): string {
  return join(cache, "debs");
}

/** Versions are as in file names of the archive: without the epoch. */
export function debPath(cache: string, deb: { name: string; version: string; architecture: string }): string {
  return join(debsDirectory(cache), `${deb.name}_${withoutEpoch(deb.version)}_${deb.architecture}.deb`);
}

export function sourcePath(cache: string, source: { name: string; version: string }): string {
  return join(cache, "sources", `${source.name}_${withoutEpoch(source.version)}`);
}

export function changelogPath(cache: string, source: { name: string; version: string }): string {
  return join(cache, "changelogs", `${source.name}_${withoutEpoch(source.version)}`);
}

export function featuresetPath(cache: string, source: { name: string; version: string }, featureset: string): string {
  return join(cache, "featuresets", `${source.name}_${withoutEpoch(source.version)}_${featureset}`);
}

export const inFeatureset = {
  description: (path: string): string => join(path, "source.json"),
  patches: (path: string, featureset: string): string => join(path, `patches-${featureset}`),
};

/** @param suite where they are not those of the machine's mirrors */
export function aptPath(cache: string, suite?: string): string {
  return join(cache, suite === undefined ? "apt" : `apt-${suite}`);
}

/** The state of apt for one suite. */
export function suitePath(cache: string, suite: string): string {
  return join(cache, "suites", suite);
}

export const inSuite = {
  configuration: (path: string): string => join(path, "apt.conf"),
  sources: (path: string): string => join(path, "own.sources"),
  lists: (path: string): string => join(path, "lists"),
  status: (path: string): string => join(path, "status"),
  index: (path: string): string => join(path, "pkgcache.bin"),
  /** Of what the lists were fetched, and its time says when. */
  fetched: (path: string): string => join(path, "fetched"),
};

export function toolchainsDirectory(cache: string): string {
  return join(cache, "toolchains");
}

export function toolchainName(compiler: string, version: string, binutils: string): string {
  return `${compiler}_${withoutEpoch(version)}_${withoutEpoch(binutils)}_${TOOLCHAIN_FORMAT}`;
}

export function isToolchainName(name: string): boolean {
  return new RegExp(`^[^_]+_[^_]+_[^_]+_${TOOLCHAIN_FORMAT}$`).test(name);
}

export function toolchainPath(cache: string, name: string): string {
  return join(toolchainsDirectory(cache), name);
}

export const inToolchain = {
  description: (path: string): string => join(path, "toolchain.json"),
  root: (path: string): string => join(path, "root"),
  bin: (path: string): string => join(path, "bin"),
  program: (path: string, name: string): string => join(path, "bin", name),
};

export function kernelsDirectory(cache: string): string {
  return join(cache, "kernels");
}

/** @param compiler where it is one of toolchains/ */
export function kernelPath(cache: string, release: string, version: string, compiler?: string): string {
  const by = compiler === undefined ? "" : `_${compiler}`;
  return join(kernelsDirectory(cache), `${release}_${withoutEpoch(version)}_${FORMAT}${by}`);
}

/** Whether that is the name of a finished kernel's directory, of this format. */
export function isKernelName(name: string): boolean {
  return new RegExp(`^[^_]+_[^_]+_${FORMAT}(?:_[a-z]+-\\d+)?$`).test(name);
}

export const inKernel = {
  description: (kernel: string): string => join(kernel, "target.json"),
  image: (kernel: string): string => join(kernel, "image"),
  vmlinuz: (kernel: string, release: string): string => join(kernel, "image", "boot", `vmlinuz-${release}`),
  modules: (kernel: string, release: string): string => join(kernel, "image", "lib", "modules", release),
  /** Where some packages have them. */
  usrModules: (kernel: string, release: string): string => join(kernel, "image", "usr", "lib", "modules", release),
  dryRun: (kernel: string): string => join(kernel, "make.gz"),
  tree: (kernel: string): string => join(kernel, "tree"),
};

export function treesDirectory(cache: string): string {
  return join(cache, "trees");
}

/** What the names of all states of one tree begin with. */
export function treeFamily(directory: string): string {
  return sha256(directory).slice(0, 16);
}

export function treePath(cache: string, family: string, state: string): string {
  return join(treesDirectory(cache), `${family}-${state.slice(0, 32)}_${TREE_FORMAT}`);
}

/** The lock under which `path` is made. */
export function lockPath(cache: string, path: string): string {
  return join(cache, "locks", `${basename(dirname(path))}-${basename(path)}`);
}

/** A name beside `path`, for what becomes it. */
export function unfinishedPath(path: string, random: string): string {
  return `${path}.${random}${UNFINISHED}`;
}

/** Whether `name` is what a run left of the making of `path`. */
export function isUnfinished(name: string, path: string): boolean {
  return name.startsWith(`${basename(path)}.`) && name.endsWith(UNFINISHED);
}

function withoutEpoch(version: string): string {
  return version.replace(/^\d+:/, "");
}
