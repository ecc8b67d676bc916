/**
 * A source tree made ready to compile single objects, without the kernel's own prepare step: what that would make is in the packages. The
 * headers package has the configuration and the generated headers of exactly this kernel, the kbuild package its host programs.
 */
import { chmod, copyFile, cp, mkdir, open, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { exists } from "@suture/files";
import { run, type Task } from "@suture/task";
import { mortal } from "../cache/store.ts";
import { fail } from "../errors.ts";
import { besideWrapper, type Loader, REAL } from "./toolchain/wrappers.ts";

/** Where the unpacked packages are. */
export interface Parts {
  headers: string;
  kbuild: string;
}

/** What the headers' .kernelvariables says of the build. */
export interface KernelVariables {
  arch: string;
  compiler: string;
}

/** Targets of the top Makefile that would make what is there already. */
export const DONE = ["prepare", "scripts", "archprepare", "prepare0"];

/** The programs that the kernel is built with, as variables of make's. */
export interface Tools {
  kernel: readonly string[];
  /** Compiles programs that the build runs. */
  host: string;
}

export function makeArguments(release: string, arch: string, tools: Tools): string[] {
  // Without --no-print-directory the Makefile would call itself again for it, and make does not hand -o on.
  return [
    "--no-print-directory",
    `ARCH=${arch}`,
    `KERNELRELEASE=${release}`,
    ...tools.kernel,
    `HOSTCC=${tools.host}`,
    ...DONE.flatMap((target) => ["-o", target]),
  ];
}

/** Makes `tree`, which is not there yet, of hard links: a second flavour of the same source costs a second and no space. */
export async function linkTree(task: Task, source: string, tree: string): Promise<void> {
  await run(task, mortal("cp", "--archive", "--link", "--no-target-directory", source, tree));
}

export function headersPath(parts: Parts, release: string): string {
  return join(parts.headers, "usr", "src", `linux-headers-${release}`);
}

/**
 * Adds what makes it ready. @param loader that runs the kernel's own programs, where that of the machine does not
 * No file of the source is written to: it belongs to other trees, too.
 */
export async function completeTree(tree: string, release: string, parts: Parts, loader?: Loader): Promise<KernelVariables> {
  const headers = headersPath(parts, release);
  const variables = parseVariables(await readFile(join(headers, ".kernelvariables"), "utf8"), join(headers, ".kernelvariables"));
  for (const file of [".config", "Module.symvers"]) await copyFile(join(headers, file), join(tree, file));
  const generated = [join("include", "config"), join("include", "generated"), join("arch", variables.arch, "include", "generated")];
  for (const directory of generated) await cp(join(headers, directory), join(tree, directory), { recursive: true });
  // The linker script of modules, which the kernel's build made at one of two places.
  for (const file of [join("scripts", "module.lds"), join("arch", variables.arch, "module.lds")])
    if (await exists(join(headers, file))) await copyFile(join(headers, file), join(tree, file));
  await addTools(join(parts.kbuild, "usr", "lib"), tree, variables.arch, loader);
  // Its place is taken by a file that names nothing, and the configuration is older than what was made from it.
  await writeFile(join(tree, "include", "config", "auto.conf.cmd"), "");
  const past = new Date("2000-01-01");
  await utimes(join(tree, ".config"), past, past);
  return variables;
}

/** Copies what the kbuild package has and the source does not: the programs that the kernel's build made for itself. */
async function addTools(lib: string, tree: string, arch: string, loader: Loader | undefined): Promise<void> {
  const kbuild = (await readdir(lib)).find((name) => name.startsWith("linux-kbuild-"));
  if (kbuild === undefined) throw fail("SOURCE_TREE", "the kbuild package has no usr/lib/linux-kbuild-*", { file: lib });
  const root = join(lib, kbuild);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(tree, relative(root, from));
    if (await exists(to)) continue;
    await mkdir(dirname(to), { recursive: true });
    // Some stand for several, and choose by what kbuild has in its environment.
    const chosen = `${from}.real-${arch}`;
    const program = (await exists(chosen)) ? chosen : from;
    const wrapped = loader !== undefined && (await isProgram(program));
    if (wrapped) await writeFile(to, besideWrapper(loader));
    await copyFile(program, wrapped ? `${to}${REAL}` : to);
    for (const path of wrapped ? [to, `${to}${REAL}`] : [to]) await chmod(path, 0o755);
  }
}

/** Whether a file is a program, not a script. */
async function isProgram(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1") === "\x7fELF";
  } finally {
    await file.close();
  }
}

/** @throws SOURCE_TREE */
export function parseVariables(text: string, file: string): KernelVariables {
  const arch = /^(?:override )?ARCH\s*:?=\s*(\S+)$/m.exec(text)?.[1];
  const compiler = /^(?:override )?CC\s*:?=.*?([A-Za-z][\w.]*-\d+)\s*$/m.exec(text)?.[1];
  if (arch === undefined || compiler === undefined)
    throw fail("SOURCE_TREE", `it does not say ${arch === undefined ? "ARCH" : "CC"} in a way that is known`, { file });
  return { arch, compiler };
}
