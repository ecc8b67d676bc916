/**
 * A kernel's source tree that somebody prepared, looked at before it is used: where its sources and its outputs are, for which kernel it was
 * prepared, and whether all is there that compiling single objects and linking modules takes.
 */
import { readFile, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { exists } from "@suture/files";
import { KernelConfig } from "@suture/kernel";
import { fail } from "../errors.ts";

export interface PreparedTree {
  /** Where its C files are. */
  source: string;
  /** Where its configuration and what was made from that are: the same, or the folder that was given to make as O=. */
  outputs: string;
  /** What the kernel calls itself. */
  release: string;
  config: KernelConfig;
}

/** What every prepared tree has, and what makes it. */
const OUTPUTS = [
  ".config",
  "include/config/auto.conf",
  "include/generated/autoconf.h",
  "include/generated/utsrelease.h",
  "scripts/basic/fixdep",
  "scripts/mod/modpost",
];

/** @throws TREE_NOT_A_KERNEL, TREE_NO_SOURCE, TREE_NOT_PREPARED, TREE_NO_SYMVERS */
export async function preparedTree(directory: string): Promise<PreparedTree> {
  const outputs = await realpath(directory).catch((cause: unknown) => {
    throw fail("TREE_NOT_A_KERNEL", "there is no such directory", { file: directory }, { cause });
  });
  const source = await sourceOf(outputs, directory);
  for (const path of OUTPUTS) if (!(await exists(join(outputs, path)))) throw notPrepared(directory, source, outputs, `${path} is missing`);
  const config = KernelConfig.parse(await readFile(join(outputs, ".config"), "utf8"), join(directory, ".config"));
  const made = KernelConfig.parse(await readFile(join(outputs, "include/config/auto.conf"), "utf8"), "include/config/auto.conf");
  const [other] = config.differences(made);
  if (other !== undefined)
    throw notPrepared(directory, source, outputs, `.config and include/config/auto.conf do not agree on ${other}: it was edited since`);
  if (config.enabled("CONFIG_OBJTOOL") || config.enabled("CONFIG_STACK_VALIDATION"))
    if (!(await exists(join(outputs, "tools/objtool/objtool"))))
      throw notPrepared(directory, source, outputs, "tools/objtool/objtool is missing");
  if ((await readFile(join(outputs, "Module.symvers"), "utf8").catch(() => "")) === "")
    throw fail("TREE_NO_SYMVERS", "Module.symvers is missing or empty", { file: directory }, { mend: symversMend(directory) });
  // Not include/config/kernel.release: whoever gives make another KERNELRELEASE, as Debian does, has it here.
  const header = await readFile(join(outputs, "include/generated/utsrelease.h"), "utf8");
  const release = /^#define UTS_RELEASE "([^"]+)"/m.exec(header)?.[1];
  if (release === undefined) throw notPrepared(directory, source, outputs, "include/generated/utsrelease.h does not define UTS_RELEASE");
  return { source, outputs, release, config };
}

function notPrepared(directory: string, source: string, outputs: string, why: string) {
  const where = source === outputs ? `make -C ${directory}` : `make -C ${source} O=${outputs}`;
  return fail("TREE_NOT_PREPARED", why, { file: directory }, { mend: `Run: ${where} olddefconfig modules_prepare` });
}

function symversMend(directory: string): string {
  return (
    `Build the kernel there (make -C ${directory}), which writes it, or copy the Module.symvers of exactly this kernel there, ` +
    "as the headers package of a distribution has it."
  );
}

/** A folder of outputs has a link to the source, and a Makefile that includes the source's. */
async function sourceOf(outputs: string, directory: string): Promise<string> {
  if (await hasSource(outputs)) return outputs;
  const makefile = await readFile(join(outputs, "Makefile"), "utf8").catch(() => undefined);
  if (makefile === undefined) throw fail("TREE_NOT_A_KERNEL", "it has no Makefile", { file: directory });
  const link = await readlink(join(outputs, "source")).catch(() => undefined);
  const included = /^(?:export )?(?:include|KBUILD_SRC\s*:?=|MAKEARGS\s*:?=\s*-C)\s*(\S+?)(?:\/Makefile)?\s*$/m.exec(makefile)?.[1];
  for (const found of [link, included]) {
    if (found === undefined) continue;
    const path = isAbsolute(found) ? found : join(outputs, found);
    if (await hasSource(path)) return realpath(path);
  }
  throw fail(
    "TREE_NO_SOURCE",
    (await exists(join(outputs, "Module.symvers")))
      ? "it holds the headers of a kernel, and no C files"
      : "it holds no C files of the kernel, and leads to none",
    { file: directory },
  );
}

function hasSource(directory: string): Promise<boolean> {
  return exists(join(directory, "kernel", "livepatch", "core.c"));
}
