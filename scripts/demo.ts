/**
 * `npm run demo`: the newest stock cloud kernel of this Debian's own series changes its behaviour while it runs, in a virtual machine. The visible fixes
 * are made here by editing the kernel's own source; a folder of real fixes beside the checkout (or in SUTURE_CORPUS) gives one more.
 * `npm run demo -- FIX.patch --kernel RELEASE` shows another fix instead.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { placeText } from "@suture/errors";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { scratchFolder, Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";
import { exitCode, sutureError } from "../packages/cli/src/failure.ts";
import { ScreenReporter } from "../packages/cli/src/reporter.ts";

const root = join(import.meta.dirname, "..");
const started = performance.now();

interface Edit {
  name: string;
  file: string;
  from: RegExp;
  to: string;
  probe: string;
}

/** Small changes that a person can see from outside of the kernel. */
const EDITS: readonly Edit[] = [
  {
    name: "meminfo",
    file: "fs/proc/meminfo.c",
    from: /"MemTotal: {7}"/,
    to: '"MemTotal (patched):"',
    probe: "grep -i memtotal /proc/meminfo",
  },
  {
    name: "loadavg",
    file: "fs/proc/loadavg.c",
    from: /(seq_printf\(m, "%lu\.%02lu )/,
    to: "$1[patched] ",
    probe: "cat /proc/loadavg",
  },
];

function suture(...args: string[]): void {
  console.log(`\n$ suture ${args.map((arg) => (/[^\w./+=:-]/.test(arg) ? `'${arg}'` : arg)).join(" ")}`);
  const { status, signal } = spawnSync(join(root, "suture"), args, { stdio: "inherit" });
  if (status !== 0) {
    console.error(`demo: suture ended with ${status ?? signal}`);
    process.exit(status ?? 1);
  }
}

function demonstrateEdit(folder: string, release: string, tree: string, edit: Edit): void {
  const before = readFileSync(join(tree, edit.file), "latin1");
  const after = before.replace(edit.from, edit.to);
  if (after === before) throw new Error(`${edit.file} of ${release} does not have what this demonstration changes`);
  const patch = join(folder, `${edit.name}.patch`);
  writeFileSync(patch, createTwoFilesPatch(`a/${edit.file}`, `b/${edit.file}`, before, after), "latin1");
  console.log(`\n${readFileSync(patch, "latin1").trimEnd()}`);
  suture("try", patch, "--kernel", release, "--probe", edit.probe);
}

/** The first real fix of the corpus that only changes function bodies of the kernel itself. */
function realFix(): { patch: string; release: string } | undefined {
  const corpus = process.env.SUTURE_CORPUS ?? join(root, "../shared/corpus/6.1.190-192");
  const path = join(corpus, "manifest.json");
  if (!existsSync(path)) return undefined;
  const manifest = JSON.parse(readFileSync(path, "utf8")) as { release: string; patches: { name: string; patch: string }[] };
  const fix = manifest.patches.find(({ name }) => name === "fs-pipe") ?? manifest.patches[0];
  return fix === undefined ? undefined : { patch: join(corpus, fix.patch), release: manifest.release };
}

async function demonstrate(reporter: ScreenReporter): Promise<void> {
  const folder = await scratchFolder("demo");
  try {
    const task = new Task(reporter);
    const release = await ownKernel(task);
    console.log(`The kernel: ${release}, as Debian ships it.`);
    const target = await prepareTarget(task, release, { cache: cacheRoot(process.env) });
    reporter.close();
    for (const edit of EDITS) demonstrateEdit(folder, release, target.tree, edit);
    const fix = realFix();
    if (fix === undefined) console.log("\nNo folder of real fixes beside this checkout (SUTURE_CORPUS names one): none is shown.");
    else suture("try", fix.patch, "--kernel", fix.release, "--probe", "echo through a pipe | cat");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whatever went wrong, in words: what, where, and what to do. */
function refuse(thrown: unknown): never {
  const error = sutureError(thrown);
  const place = placeText(error.where);
  console.error(`demo: ${error.code}: ${error.message}${place === "" ? "" : `\n  at: ${place}`}\n  do: ${error.mend}`);
  console.error("demo: when that is mended, start again: what was fetched so far is kept");
  process.exit(exitCode(error));
}

const given = process.argv.slice(2);
if (given.length > 0) suture("try", ...given);
else {
  const reporter = new ScreenReporter(process.stderr, { verbose: false, colour: false });
  try {
    await demonstrate(reporter);
  } catch (thrown) {
    reporter.close();
    refuse(thrown);
  }
}
console.log(`\ndemo: ${((performance.now() - started) / 1000).toFixed(1)} s in all`);
