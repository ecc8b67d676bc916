/** The kernels that the tests boot: stock ones of this machine's archive, unpacked into the cache, never installed. */
import { spawnSync } from "node:child_process";
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot, prepareTarget } from "@suture/sources";
import { run, type Task } from "@suture/task";

export interface TestKernel {
  release: string;
  image: string;
  /** lib/modules/RELEASE */
  modules: string;
  /** What make is told to build modules: where, and with which programs. */
  make: readonly string[];
}

/** By the flavour's meta package, which names the newest release: this Debian's own, and the later series that it has beside it, if it has one. */
const META_PACKAGES = ["linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64"] as const;
const [OWN_KERNEL, LATER_KERNEL = OWN_KERNEL] = META_PACKAGES.filter((name) => spawnSync("apt-cache", ["show", name]).status === 0);
if (OWN_KERNEL === undefined || LATER_KERNEL === undefined) throw new Error(`apt knows none of ${META_PACKAGES.join(", ")}`);
/** With SUTURE_KERNEL, that release in their place. */
const { SUTURE_KERNEL: GIVEN } = process.env;
export const KERNELS: readonly [string, string] = GIVEN === undefined ? [OWN_KERNEL, LATER_KERNEL] : [GIVEN, GIVEN];

/** Whether a kernel is to be tested with what does not depend on its version, and was seen to hold on all: the first, and all with SUTURE_EVERYWHERE. */
export function inFull(metaPackage: string): boolean {
  return metaPackage === KERNELS[0] || process.env.SUTURE_EVERYWHERE !== undefined;
}

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "suture-test-kernels");
const SOURCES = join(import.meta.dirname, "../modules");

/**
 * Unpacked on the first call; a few seconds and 50 MB of download. One of a suite that this machine's apt does not know is made ready to build for.
 * @param which a meta package, or a release
 */
export async function testKernel(task: Task, which: string): Promise<TestKernel> {
  const [image = ""] = which.startsWith("linux-image-") ? await depends(task, which, /^linux-image-\d/) : [which];
  const release = image.replace("linux-image-", "");
  if (spawnSync("apt-cache", ["show", `linux-image-${release}`]).status !== 0) return preparedKernel(task, release);
  const root = join(CACHE, release);
  const headers = join(root, "usr/src", `linux-headers-${release}`);
  if (!(await present(root))) await unpack(task, release, root);
  return {
    release,
    make: ["-C", headers],
    image: join(root, "boot", `vmlinuz-${release}`),
    modules: join(await libOf(root), "modules", release),
  };
}

async function preparedKernel(task: Task, release: string): Promise<TestKernel> {
  const { image, modules, tree, make } = await prepareTarget(task, release, { cache: cacheRoot(process.env) });
  if (modules === undefined) throw new Error(`${release} has no modules`);
  return { release, image, modules, make: ["-C", tree, ...make] };
}

/** Debian 13 has the kernel's modules in usr/lib, which /lib leads to on a machine. */
async function libOf(root: string): Promise<string> {
  return (await present(join(root, "usr/lib/modules"))) ? join(root, "usr/lib") : join(root, "lib");
}

async function unpack(task: Task, release: string, root: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const partial = await mkdtemp(join(CACHE, "partial-"));
  try {
    const needed = await depends(task, `linux-headers-${release}`, /^linux-(headers|kbuild)-/);
    await run(task, ["apt-get", "download", `linux-image-${release}`, `linux-headers-${release}`, ...needed], { cwd: partial });
    const packages = (await readdir(partial)).filter((name) => name.endsWith(".deb"));
    for (const name of packages) {
      await run(task, ["dpkg-deb", "-x", name, "."], { cwd: partial });
      await rm(join(partial, name));
    }
    // The headers name the common ones by where they would be installed.
    const makefile = join(partial, "usr/src", `linux-headers-${release}`, "Makefile");
    await writeFile(makefile, (await readFile(makefile, "utf8")).replace("/usr/src/", `${root}/usr/src/`));
    // Two test files may have unpacked it at the same time: the first one's stays, they are the same.
    await rename(partial, root).catch(async (error: unknown) => {
      if (!(await present(root))) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function present(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function depends(task: Task, name: string, pattern: RegExp): Promise<string[]> {
  const { stdout } = await run(task, ["apt-cache", "depends", name]);
  return [...stdout.matchAll(/^\s*Depends: (\S+)$/gm)].map(([, found = ""]) => found).filter((found) => pattern.test(found));
}

/** Builds the test modules (modules/, or another folder with a Kbuild file) for a kernel. @returns the directory that holds the .ko files; the caller removes it. */
export async function buildTestModules(task: Task, kernel: TestKernel, sources = SOURCES): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "suture-lab-modules-"));
  for (const name of await readdir(sources)) await copyFile(join(sources, name), join(directory, name));
  // No type information (BTF) for modules that need none: pahole is not among what we install.
  await run(task, ["make", ...kernel.make, `M=${directory}`, "KCFLAGS=-g0", "PAHOLE=true", "modules"]);
  return directory;
}
