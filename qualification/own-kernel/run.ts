/**
 * A kernel with a small configuration of our own, built from the newest 6.1 source package with make O=FOLDER, and then all that Suture does
 * for a kernel that no distribution made: its objects are proven, a fix is built, tried in a virtual machine and taken out, and the tree is
 * found as it was left. The build takes some ten minutes of processor time and is kept. With --instrumented the kernel watches its memory, locks
 * and objects, and what livepatches do besides replacing functions is done to it by the tests of that.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { sourcePath } from "@suture/sources";
import { writePatch } from "../guest/source-edit.ts";
import { COMMON } from "../options.ts";
import { newestCloud, ROOT, type Run, type RunContext } from "../run.ts";
import { type Configuration, INSTRUMENTED, SMALL } from "./configuration.ts";

const EDITS = [{ file: "fs/proc/cmdline.c", from: /seq_puts\(m, saved_command_line\);/, to: 'seq_puts(m, "patched ");\n\t$&' }];

export const ownKernel: Run = {
  name: "own-kernel",
  what: "a kernel with a configuration of our own: built, proven, patched and tried",
  words: {
    kernel: { ...COMMON.kernel, what: "the one whose source it is built from" },
    instrumented: { what: "with KASAN and what else a kernel has to find faults in itself; then the tests of what docs/means.md has" },
    tree: { value: "DIR", what: "where it is built, and kept; a folder of the cache unless given" },
    jobs: { value: "N", what: "compilers at a time", is: String(availableParallelism()) },
    sample: { ...COMMON.sample, what: "so many objects are proven", is: "100", short: "10" },
  },
  needs: { make: "make", flex: "flex", bison: "bison", bc: "bc", "/usr/include/libelf.h": "libelf-dev" },
  kernel: newestCloud,
  run: perform,
};

function run(argv: readonly string[], cwd: string, variables?: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  const [program = "", ...args] = argv;
  const result = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status !== 0) {
    throw new Error(`${argv.join(" ")} ended with ${result.status ?? result.signal}\n${result.stdout}${result.stderr ?? ""}`);
  }
  return result;
}

function suture(...args: string[]): string {
  console.log(`\n$ suture ${args.join(" ")}`);
  const { stdout } = run([join(ROOT, "suture"), ...args], ROOT);
  console.log(stdout.split("\n").slice(-14).join("\n"));
  return stdout;
}

interface Build {
  configuration: Configuration;
  source: string;
  outputs: string;
  compiler: string;
  jobs: number;
}

function build({ configuration, source, outputs, compiler, jobs }: Build): void {
  mkdirSync(outputs, { recursive: true });
  const make = (...args: string[]): unknown =>
    run(["make", "-s", "-C", source, `O=${outputs}`, `CC=${compiler}`, `HOSTCC=${compiler}`, ...configuration.make, ...args], ROOT);
  make("tinyconfig");
  const file = join(outputs, ".config");
  const options = [
    ...configuration.options.map((option) => `CONFIG_${option}=y`),
    ...configuration.modules.map((option) => `CONFIG_${option}=m`),
    `CONFIG_LOCALVERSION="-suture-${configuration.name}"`,
  ];
  const off = configuration.off.map((option) => `# CONFIG_${option} is not set`);
  writeFileSync(file, `${readFileSync(file, "utf8")}\n${[...options, ...off].join("\n")}\n`);
  make("olddefconfig");
  // What depends on something that is off is dropped without a word.
  const taken = new Set(readFileSync(file, "utf8").split("\n"));
  const dropped = options.filter((line) => !taken.has(line));
  if (dropped.length > 0) throw new Error(`the kernel does not take ${dropped.join(", ")}`);
  console.log(`building ${outputs}: some minutes`);
  const started = performance.now();
  make(`-j${jobs}`);
  console.log(`built in ${((performance.now() - started) / 60_000).toFixed(1)} min`);
}

/** Names, sizes and times of all files: whatever writes to one changes it. */
function stateOf(...folders: string[]): string {
  const { stdout } = run(["find", ...folders, "-printf", "%p %y %s %T@ %C@\\n"], ROOT);
  return createHash("sha256").update(stdout).digest("hex");
}

async function perform(context: RunContext): Promise<void> {
  const { cache, options } = context;
  const target = await context.target();
  const [source] = target.inputs.flatMap(({ name, version }) =>
    name.startsWith("linux-source-") && version !== undefined ? [sourcePath(cache, { name, version })] : [],
  );
  if (source === undefined) throw new Error(`${target.release} is made of no linux-source package`);
  const configuration = options.flag("instrumented") ? INSTRUMENTED : SMALL;
  const outputs = options.text("tree") ?? join(cache, "own-kernel", target.release, configuration.name);
  const image = join(outputs, "arch", "x86", "boot", "bzImage");
  const step = async (name: string, work: () => string | undefined): Promise<boolean> => {
    const result = await context.item(name, async () => {
      const why = work();
      return why === undefined ? { good: true, outcome: "passed" } : { good: false, outcome: "failed", why };
    });
    return result?.good !== false;
  };
  const making = { configuration, source, outputs, compiler: target.compiler, jobs: options.number("jobs") };
  if (!existsSync(image) && !(await step("build", () => void build(making)))) return;
  const before = stateOf(source, outputs);
  const given = ["--tree", outputs, ...configuration.make.flatMap((variable) => ["--make", variable])];
  await step("doctor", () => void suture("doctor", "--tree", outputs));
  await step("prove", () => void suture("prove", ...given, "--sample", String(options.number("sample"))));
  await step("try", () => {
    const report = suture("try", writePatch(context.folder, "own", source, EDITS), ...given, "--probe", "cut -c 1-20 /proc/cmdline");
    return /^outcome:\s+passed$/m.test(report) ? undefined : "the fix did not go in and out";
  });
  const variables = { SUTURE_TREE: outputs, SUTURE_TREE_MAKE: JSON.stringify(configuration.make) };
  for (const file of configuration.tests)
    await step(file, () => void run(["npx", "vitest", "run", "--project", "e2e", file], ROOT, variables));
  await step("tree", () => (stateOf(source, outputs) === before ? undefined : `it is not as it was: ${outputs}`));
}
