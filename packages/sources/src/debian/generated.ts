/**
 * The sources that the kernel's build makes before it compiles: tables, lists of names, parsers. Some objects need them and the packages do not
 * hold them. make says how they are made, along with how every object is compiled (`make -n`); what makes sources is then run, a second's work.
 */
import { join } from "node:path";
import { exists } from "@suture/files";
import { run, type Task } from "@suture/task";
import { mortal, saysFull } from "../cache/store.ts";
import { fail } from "../errors.ts";

/** Programs of scripts/ that other folders' rules call, without having a rule for them, and that the kbuild package does not have. */
const HOST_PROGRAMS = [
  { program: "scripts/asn1_compiler", includes: ["include"] },
  { program: "scripts/selinux/genheaders/genheaders", includes: ["include/uapi", "include", "security/selinux/include"] },
];

/** What make would run for the whole kernel, as it prints it. Errors of single folders are no errors of this. */
export function dryRun(make: readonly string[]): string[] {
  // One job: what several print runs into each other in a dry run, with --output-sync too, and an object would be missed.
  return ["make", "--dry-run", "--keep-going", "--jobs=1", "V=1", ...make, "vmlinux", "modules"];
}

/** Makes the sources in `tree`. @returns what make printed before they were there */
export async function makeGenerated(task: Task, tree: string, make: readonly string[], compiler: string): Promise<string> {
  for (const { program, includes } of HOST_PROGRAMS) {
    const source = `${program}.c`;
    if ((await exists(join(tree, program))) || !(await exists(join(tree, source)))) continue;
    await run(task, mortal(compiler, "-O1", ...includes.map((path) => `-I${path}`), "-o", program, source), { cwd: tree });
  }
  const { stdout } = await run(task, mortal(...dryRun(make)), { cwd: tree, accept: [1, 2] });
  const recipes = generators(stdout);
  const script = recipes.map((recipe, i) => `sh -c '${recipe.replaceAll("'", "'\\''")}' >&2 || echo ${i}`).join("\n");
  const made = await run(task, mortal("sh", "-s"), { cwd: tree, input: script });
  // What was written of a source may be half of it.
  if (saysFull(made.stderr)) throw fail("CACHE_FULL", made.stderr.trim(), { file: tree });
  for (const i of made.stdout.split("\n").filter((line) => line !== ""))
    task.reporter.warn(
      `a source that the kernel's build makes could not be made; objects that need it will not compile: ${shortened(recipes[Number(i)] ?? "")}`,
    );
  return stdout;
}

/** What a recipe says of itself, or its beginning. */
function shortened(recipe: string): string {
  return /echo '# ([^']*)'/.exec(recipe)?.[1]?.trim() ?? recipe.slice(0, 200);
}

/** Of the recipes that make prints, those that make sources out of sources, in their order. */
export function generators(printed: string): string[] {
  const recipes: string[] = [];
  let begun = "";
  for (const line of printed.split("\n")) {
    begun += line;
    if (line.endsWith("\\")) {
      begun += "\n";
      continue;
    }
    if (RECIPE.test(begun) && (!BINARY.test(begun) || isHostCompile(begun)) && !UNWANTED.test(begun)) recipes.push(begun);
    begun = "";
  }
  return recipes;
}

/** How kbuild's recipes begin when they are printed. Those that compare what they make with what is there (filechk) have no echo. */
const RECIPE = /^\s*(?:set -e;\s*)?(?:echo '|mkdir -p )/;
/** A file that is no source, in a command: something that a compiler, linker or the like makes or takes. */
const BINARY = /\.(?:o|a|ko|mod|so|dbg|elf|ro|chk|order|lds|log|cpio|relocs|bin|gz|xz|zst|symvers)(?![\w.-])/;
/**
 * The time of this build: the kernel's own is in its headers package. What only init/version.c includes is not made of that: the link puts other
 * data in the place of that object's, and the kernel would not have what it says. And a program that needs the headers of libcrypto, for a list of
 * certificates that only Debian has. And what only code in Rust takes, which is not compiled here.
 */
const UNWANTED = /\butsver|\bextract-cert\b|^\s*(?:set -e;\s*)?echo '# (?:BINDGEN|RUST\w*) /;

/** Whether the recipe compiles or links a program of the build itself, which other recipes run. */
function isHostCompile(recipe: string): boolean {
  return /echo '\s*\S*(?:gcc|clang)[^\s/]* .*-o /.test(recipe) && !/-D__KERNEL__|-nostdinc|-nostdlib/.test(recipe);
}
