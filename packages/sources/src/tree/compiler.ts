/** The compiler that a tree was configured with, found on this machine. */
import type { KernelConfig } from "@suture/kernel";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

/**
 * @param given the program, if the user named one (CC=...)
 * @returns the program's name
 * @throws TREE_COMPILER, SOURCE_COMPILER_MISSING
 */
export async function compilerOf(task: Task, config: KernelConfig, given: string | undefined, file: string): Promise<string> {
  if (config.enabled("CONFIG_CC_IS_CLANG") || config.enabled("CONFIG_LTO_CLANG"))
    throw fail("TREE_COMPILER", `it is configured for LLVM: ${config.get("CONFIG_CC_VERSION_TEXT") ?? "clang"}`, { file });
  const wanted = config.get("CONFIG_CC_VERSION_TEXT") ?? "";
  if (wanted === "") throw fail("TREE_COMPILER", ".config does not say which compiler (CONFIG_CC_VERSION_TEXT)", { file });
  const [name = "", ...rest] = wanted.split(" ");
  const major = /(\d+)\.\d+\.\d+/.exec(rest.at(-1) ?? "")?.[1];
  const candidates = given === undefined ? [...new Set([name, ...(major === undefined ? [] : [`gcc-${major}`]), "gcc"])] : [given];
  const found: string[] = [];
  for (const program of candidates) {
    const version = await versionOf(task, program);
    if (version === undefined) continue;
    // It says its own name first: gcc and gcc-12 may be the same program.
    if (sameVersion(version, wanted)) return program;
    found.push(`${program} is ${version}`);
  }
  const package_ = major === undefined ? name : `gcc-${major}`;
  throw fail(
    "SOURCE_COMPILER_MISSING",
    `it was configured with ${wanted}; ${found.length === 0 ? `there is no ${candidates.join(" and no ")}` : found.join("; ")}`,
    { file },
    { mend: `apt-get install ${package_}, in exactly that version; or name it with --make CC=PROGRAM` },
  );
}

async function versionOf(task: Task, program: string): Promise<string | undefined> {
  try {
    return (await run(task, [program, "--version"])).stdout.split("\n")[0];
  } catch {
    task.check();
    return undefined;
  }
}

/** Of two first lines of --version, all but the program's name. */
export function sameVersion(a: string, b: string): boolean {
  const version = (text: string): string => text.slice(text.indexOf(" ") + 1).trim();
  return version(a) === version(b);
}
