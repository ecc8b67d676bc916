/**
 * The same fixes of modules by Suture and by the steps of the kernel's own scripts/livepatch/klp-build (since 6.19): time, functions that are replaced,
 * what each refuses. objtool is built from the kernel's source with what `objtool klp` needs; the script's full builds of the kernel are left out in its
 * favour: both are given the original object, and klp-build's is compiled by the command of the kernel's build, as it would be.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SutureError } from "@suture/errors";
import { compile, type KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { type Edit, writePatch } from "./edits.ts";
import { row } from "./text.ts";

const FIXES: readonly (Edit & { what: string })[] = [
  { what: "a text", object: "fs/binfmt_misc", from: /(READ_ONCE\(misc->enabled\) \?) "enabled/, to: '$1 "Enabled' },
  { what: "a check", object: "fs/binfmt_misc", from: /if \(!READ_ONCE\(misc->enabled\)\)/, to: "if (!misc || !READ_ONCE(misc->enabled))" },
  {
    what: "a static local",
    object: "fs/binfmt_misc",
    from: /(\n\ts = READ_ONCE\(misc->enabled\) \?)/,
    to: '\n\t{ static int reads; pr_debug("%d", ++reads); if (reads > 9) reads = 0; }$1',
  },
  { what: "a structure grows", object: "fs/binfmt_misc", from: /(\nstruct binfmt_misc_entry \{)/, to: "$1 int fresh;" },
  { what: "an initial value", object: "drivers/net/dummy", from: /numdummies = 1;/, to: "numdummies = 2;" },
];

export async function peer(kernel: KernelContext, folder: string): Promise<void> {
  const { tree } = kernel.target;
  if (!existsSync(join(tree, "scripts/livepatch/klp-build"))) {
    console.log("\npeer: this kernel's source has no scripts/livepatch/klp-build: take one of 7.x by --kernel");
    return;
  }
  const objtool = buildObjtool(tree, folder);
  console.log(
    `\nfixes of modules by Suture (it compiles, proves, compares, links) and by klp-build's steps (it compiles, compares, links)`,
  );
  console.log(row(["fix", "suture", "klp-build", "  functions: suture | klp-build"]));
  for (const fix of FIXES) {
    const path = writePatch(tree, folder, fix);
    const object = `${fix.object}.o`;
    if (path === undefined) {
      console.log(row([fix.what, "no such place"]));
      continue;
    }
    const patches = [await readPatch(path)];
    const build = async (): Promise<string[]> => {
      const { manifest } = await buildLivepatch(new Task(), kernel, { patches, replace: false, unproven: false });
      return manifest.functions.map(({ name }) => name);
    };
    await timed(build);
    // What was compiled from unchanged source is there by now for both.
    const ours = await timed(build);
    const theirs = await klpBuild(kernel, objtool, object, fix, join(folder, "klp"));
    console.log(row([fix.what, seconds(ours.ms), seconds(theirs.ms), `  ${ours.said} | ${theirs.said}`]));
  }
}

interface Outcome {
  ms: number;
  /** Functions, or why there are none. */
  said: string;
}

async function timed(work: () => Promise<readonly string[]>): Promise<Outcome> {
  const started = performance.now();
  try {
    const names = await work();
    return { ms: performance.now() - started, said: shown(names) };
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return { ms: performance.now() - started, said: error.code };
  }
}

/** The steps of klp-build, from generate_checksums on, upon objects of the kernel's own commands. */
async function klpBuild(kernel: KernelContext, objtool: string, object: string, fix: Edit, folder: string): Promise<Outcome> {
  const { target, commands } = kernel;
  rmSync(folder, { recursive: true, force: true });
  const [original, patched, module] = ["original", "patched", "module"].map((name) => join(folder, name)) as [string, string, string];
  for (const each of [original, patched, module]) mkdirSync(join(each, dirname(object)), { recursive: true });
  copyFileSync(join(target.tree, "Module.symvers"), join(original, "Module.symvers"));
  const task = new Task();
  const command = commands.of(object);
  const source = readFileSync(join(target.tree, command.source), "latin1");
  writeFileSync(join(original, object), (await compile(task, command, "sections", kernel.original)).bytes);
  checked(objtool, ["klp", "checksum", join(original, object)]);
  const started = performance.now();
  const ended = (said: string): Outcome => ({ ms: performance.now() - started, said });
  const view = await kernel.changed(task, new Map([[command.source, source.replace(fix.from, fix.to)]]));
  try {
    writeFileSync(join(patched, object), (await compile(task, command, "sections", view)).bytes);
  } finally {
    await view.dispose();
  }
  checked(objtool, ["klp", "checksum", join(patched, object)]);
  const diff = spawnSync(objtool, ["klp", "diff", object, join(patched, object), join(module, object)], {
    cwd: original,
    encoding: "utf8",
  });
  const changed = [...`${diff.stdout}${diff.stderr}`.matchAll(/: (?:changed|new) function: (\S+)/g)].map(([, name = ""]) => name);
  if (diff.status !== 0 || !existsSync(join(module, object))) return ended(lastLine(diff.stderr));
  const ko = join(module, "livepatch-peer.ko");
  copyFileSync(join(target.tree, "scripts/livepatch/init.c"), join(module, "init.c"));
  copyFileSync(join(module, object), join(module, `${object}_shipped`));
  writeFileSync(join(module, dirname(object), `.${basename(object)}.cmd`), "");
  writeFileSync(join(module, "Kbuild"), `obj-m := livepatch-peer.o\nlivepatch-peer-y := init.o ${object}\n`);
  const flags = "KCFLAGS=-ffunction-sections -fdata-sections -g0 -DKLP_NO_REPLACE";
  const made = spawnSync("make", ["-s", ...target.make, `M=${module}`, flags, "modules"], { cwd: target.tree, encoding: "utf8" });
  if (made.status !== 0) return ended(lastLine(made.stderr));
  checked("objcopy", ["--remove-section=.BTF", ko]);
  const post = spawnSync(objtool, ["klp", "post-link", ko], { encoding: "utf8" });
  return ended(post.status === 0 ? shown(changed) : lastLine(post.stderr));
}

/** kbuild's own says that klp is not implemented: Debian builds it without libxxhash-dev. */
function buildObjtool(tree: string, folder: string): string {
  const output = join(folder, "objtool");
  mkdirSync(output);
  const { status, stderr } = spawnSync(
    "make",
    ["-s", "-C", join(tree, "tools/objtool"), "HOSTCC=gcc", "CC=gcc", "SRCARCH=x86", "ARCH=x86", "all"],
    {
      env: { ...process.env, OUTPUT: `${output}/` },
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`objtool could not be built (apt-get install libelf-dev libxxhash-dev): ${stderr}`);
  const program = join(output, "objtool");
  if (!spawnSync(program, ["klp"], { encoding: "utf8" }).stderr.includes("checksum"))
    throw new Error("objtool was built without klp: apt-get install libxxhash-dev");
  return program;
}

function checked(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
}

function shown(names: readonly string[]): string {
  return names.length > 2 ? `${names.length} functions` : names.join(" ");
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
