/**
 * The kernel's own self-tests of its livepatch core, from its source package, with their modules built for a stock kernel: in a guest as they come, and
 * once more with Suture in the place of modprobe and sysfs, the kernel's log held against the one that they expect.
 * `npm run selftests -- [--kernel R] [--out FILE]`
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/build";
import { boot, type Guest, type GuestFile, programFiles } from "@suture/lab";
import { Task } from "@suture/task";
import { buildTestModules, testKernel } from "../packages/lab/test/kernel.ts";
import { bundle } from "./guest/bundle.ts";

const { values } = parseArgs({ options: { kernel: { type: "string" }, out: { type: "string" } } });
const TESTS = "tools/testing/selftests/livepatch";
/** Where kernels had the modules of the tests before they stood beside them. */
const OLDER = "lib/livepatch";
/** What the scripts use; busybox has some of it, but not with all options and messages. */
const PROGRAMS = [
  ...[
    "bash",
    "awk",
    "grep",
    "sed",
    "diff",
    "comm",
    "mktemp",
    "date",
    "id",
    "uname",
    "tr",
    "seq",
    "cat",
    "stat",
    "sleep",
    "dirname",
    "getconf",
    "head",
  ],
  ...["dmesg", "sysctl", "kmod", "modprobe", "modinfo", "insmod", "rmmod", "depmod", "taskset", "node", "flock"],
];
const SCRIPT_MS = 900_000;

type Verdict = "ok" | "not ok" | "skip";

interface Result {
  script: string;
  verdict: Verdict;
  /** Its tests, each with what was printed after its name. */
  tests: { name: string; said: string }[];
  /** Why, if it is not ok. */
  why: string;
  seconds: number;
}

const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const { tree, compiler } = await prepareTarget(task, release, { cache });
const kernel = await testKernel(task, release);
const tests = join(tree, TESTS);
const beside = readdirSync(tests).includes("test_modules");

/** In the guest: the scripts, and the modules beside them or where modprobe looks. */
async function testFiles(folder: string): Promise<GuestFile[]> {
  const sources = mkdtempSync(join(tmpdir(), "suture-selftests-"));
  try {
    cpSync(beside ? join(tests, "test_modules") : join(tree, OLDER), sources, { recursive: true, dereference: true });
    const objects = readdirSync(sources)
      .filter((name) => name.endsWith(".c"))
      .map((name) => name.replace(/c$/, "o"));
    for (const name of readdirSync(sources)) if (!name.endsWith(".c")) rmSync(join(sources, name), { recursive: true });
    writeFileSync(join(sources, "Kbuild"), `obj-m := ${objects.join(" ")}\n`);
    const built = await buildTestModules(task, kernel, sources);
    const modules = readdirSync(built)
      .filter((name) => name.endsWith(".ko"))
      .map((name) => ({
        path: join(beside ? `${folder}/test_modules` : `/lib/modules/${release}/extra`, name),
        content: readFileSync(join(built, name)),
      }));
    rmSync(built, { recursive: true });
    return [
      ...modules,
      ...readdirSync(tests)
        .filter((name) => name.endsWith(".sh"))
        .map((name) => ({ path: join(folder, name), content: readFileSync(join(tests, name)), mode: 0o755 })),
      ...readdirSync(tests)
        .filter((name) => name.endsWith(".c"))
        .map((name) => ({ path: join(folder, name.replace(/\.c$/, "")), content: program(join(tests, name)), mode: 0o755 })),
    ];
  } finally {
    rmSync(sources, { recursive: true, force: true });
  }
}

/** A helper of the tests that is no module. */
function program(source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "suture-selftests-"));
  try {
    execFileSync(compiler, ["-O2", "-static", "-o", join(folder, "out"), source]);
    return readFileSync(join(folder, "out"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runScript(guest: Guest, folder: string, script: string): Promise<Result> {
  const from = guest.logPosition;
  const started = performance.now();
  const { code, output, timedOut } = await guest.run(`cd ${folder} && KDIR=/ ./${script}`, { timeoutMs: SCRIPT_MS });
  const found = [...output.matchAll(/^TEST: (.*?) \.\.\. (.*)$/gm)].map(([, name = "", said = ""]) => ({ name, said: said.trim() }));
  const events = guest.events(from).map(({ headline }) => headline);
  const verdict: Verdict =
    code === 4 ? "skip" : code === 0 && events.length === 0 && found.every(({ said }) => said.endsWith("ok")) ? "ok" : "not ok";
  const why = verdict === "ok" ? "" : [timedOut ? "it did not end" : `exit code ${code}`, ...events, output.trim()].join("\n");
  return { script, verdict, tests: found, why, seconds: Math.round((performance.now() - started) / 1000) };
}

async function runAll(title: string, folder: string, files: readonly GuestFile[]): Promise<Result[]> {
  const guest = await boot(task, {
    image: kernel.image,
    cache,
    files,
    memory: 1536,
    cpus: 2,
    graceMs: 120_000,
    deadlineMs: 300_000,
    append: ["log_buf_len=4M"],
  });
  try {
    if (!beside) await guest.run(`/bin/depmod ${release}`);
    await guest.run("mount -t tracefs tracefs /sys/kernel/tracing");
    const results: Result[] = [];
    console.log(`\n${release}, ${title}`);
    for (const script of readdirSync(tests).filter((name) => /^test-.*\.sh$/.test(name))) {
      const result = await runScript(guest, folder, script);
      results.push(result);
      console.log(`  ${result.verdict.padEnd(6)} ${script} (${result.seconds} s)`);
      for (const { name, said } of result.tests) console.log(`           ${name}: ${said}`);
      if (result.why !== "") console.log(result.why.replace(/^/gm, "         | "));
    }
    return results;
  } finally {
    await guest.stop();
  }
}

const folder = "/opt/selftests";
const files = [...(await programFiles(task, PROGRAMS)), ...(await testFiles(folder))];
const own = readFileSync(join(tests, "functions.sh"), "utf8");
const replaced: GuestFile[] = [
  { path: "/opt/suture.mjs", content: await bundle(join(import.meta.dirname, "../packages/cli/src/main.ts")) },
  {
    path: join(folder, "functions.sh"),
    content: Buffer.from(`${own}\n${readFileSync(join(import.meta.dirname, "selftests/suture.sh"), "utf8")}`),
    mode: 0o755,
  },
];
const plain = await runAll("as they come", folder, files);
const driven = await runAll("through suture", folder, [...files, ...replaced]);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify({ release, plain, driven }, undefined, 1)}\n`);
const all = [...plain, ...driven];
const count = (verdict: Verdict): number => all.filter((result) => result.verdict === verdict).length;
console.log(`\n${release}: ${count("ok")} scripts ok, ${count("not ok")} not ok, ${count("skip")} skipped`);
process.exitCode = count("not ok") === 0 ? 0 : 1;
