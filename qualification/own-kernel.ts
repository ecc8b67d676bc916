/**
 * A kernel with a small configuration of our own, built from the newest 6.1 source package with make O=FOLDER, and then all that Suture does
 * for a kernel that no distribution made: its objects are proven, a fix is built, tried in a virtual machine and taken out, and the tree is
 * found as it was left. `npm run own-kernel [-- FOLDER] [--jobs N] [--sample N]`. The build takes some ten minutes of processor time and is kept.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheRoot, newestKernel, prepareTarget, sourcePath } from "@suture/sources";
import { Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";

/** What the smallest configuration lacks for livepatching, and for a guest that answers on its serial port. */
const OPTIONS = [
  ...["64BIT", "SMP", "MODULES", "MODULE_UNLOAD", "MODVERSIONS", "PRINTK", "BUG", "DEBUG_KERNEL", "KALLSYMS", "KALLSYMS_ALL"],
  ...["FTRACE", "FUNCTION_TRACER", "DYNAMIC_FTRACE", "UNWINDER_ORC", "LIVEPATCH"],
  ...["SYSFS", "PROC_FS", "DEBUG_FS", "DEVTMPFS", "TMPFS", "SHMEM", "BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT"],
  ...["MULTIUSER", "FUTEX", "EPOLL", "POSIX_TIMERS", "TTY", "SERIAL_8250", "SERIAL_8250_CONSOLE", "ACPI", "MAGIC_SYSRQ", "CRYPTO"],
];
const MODULES = ["CRYPTO_MD5", "CRYPTO_SHA256"];
const SUFFIX = "-suture-own";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: "string", default: String(availableParallelism()) }, sample: { type: "string", default: "100" } },
});
const root = join(import.meta.dirname, "..");
const cache = cacheRoot(process.env);

function run(argv: readonly string[], cwd: string, quiet = false): SpawnSyncReturns<string> {
  const [program = "", ...args] = argv;
  const result = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    stdio: ["ignore", "pipe", quiet ? "pipe" : "inherit"],
  });
  if (result.status !== 0) {
    console.error(`own-kernel: ${argv.join(" ")} ended with ${result.status ?? result.signal}\n${result.stdout}${result.stderr ?? ""}`);
    process.exit(1);
  }
  return result;
}

function suture(...args: string[]): string {
  console.log(`\n$ suture ${args.join(" ")}`);
  const { stdout } = run([join(root, "suture"), ...args], root);
  console.log(stdout.split("\n").slice(-14).join("\n"));
  return stdout;
}

function build(source: string, outputs: string, compiler: string): void {
  const missing = ["flex", "bison", "bc"].filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (!existsSync("/usr/include/libelf.h")) missing.push("libelf-dev");
  if (missing.length > 0) {
    console.error(`own-kernel: a whole kernel is built here; that needs: apt-get install ${missing.join(" ")}`);
    process.exit(1);
  }
  mkdirSync(outputs, { recursive: true });
  const make = (...args: string[]): unknown =>
    run(["make", "-C", source, `O=${outputs}`, `CC=${compiler}`, `HOSTCC=${compiler}`, ...args], root, true);
  make("tinyconfig");
  const options = [
    ...OPTIONS.map((option) => `CONFIG_${option}=y`),
    ...MODULES.map((option) => `CONFIG_${option}=m`),
    `CONFIG_LOCALVERSION="${SUFFIX}"`,
  ];
  writeFileSync(join(outputs, ".config"), `${readFileSync(join(outputs, ".config"), "utf8")}\n${options.join("\n")}\n`);
  make("olddefconfig");
  console.log(`building ${outputs}: some minutes`);
  const started = performance.now();
  make(`-j${values.jobs}`);
  console.log(`built in ${((performance.now() - started) / 60_000).toFixed(1)} min`);
}

/** Names, sizes and times of all files: whatever writes to one changes it. */
function stateOf(...folders: string[]): string {
  const { stdout } = run(["find", ...folders, "-printf", "%p %y %s %T@ %C@\\n"], root);
  return createHash("sha256").update(stdout).digest("hex");
}

const task = new Task();
const target = await prepareTarget(task, await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/), { cache });
const [source] = target.inputs.flatMap(({ name, version }) =>
  name.startsWith("linux-source-") && version !== undefined ? [sourcePath(cache, { name, version })] : [],
);
if (source === undefined) throw new Error(`${target.release} is made of no linux-source package`);
const folder = positionals[0] ?? join(cache, "own-kernel", target.release);
const outputs = join(folder, "build");
const image = join(outputs, "arch", "x86", "boot", "bzImage");
if (!existsSync(image)) build(source, outputs, target.compiler);

const before = stateOf(source, outputs);
suture("doctor", "--tree", outputs);
suture("prove", "--tree", outputs, "--sample", values.sample);
const file = "fs/proc/cmdline.c";
const text = readFileSync(join(source, file), "latin1");
const patch = join(folder, "own.patch");
const from = "seq_puts(m, saved_command_line);";
if (!text.includes(from)) throw new Error(`${file} does not have what is changed here`);
writeFileSync(
  patch,
  createTwoFilesPatch(`a/${file}`, `b/${file}`, text, text.replace(from, `seq_puts(m, "patched ");\n\t${from}`)),
  "latin1",
);
const report = suture("try", patch, "--tree", outputs, "--probe", "cut -c 1-20 /proc/cmdline");
if (!/^outcome:\s+passed$/m.test(report)) throw new Error("the fix did not go in and out");
if (stateOf(source, outputs) !== before) throw new Error("the tree is not as it was");
console.log(`\nthe tree is as it was: ${outputs}`);
