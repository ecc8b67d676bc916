/** The kernel's self-tests of its livepatch core: from its source package into a guest, and what they say there. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boot, type Guest, type GuestFile, programFiles } from "@suture/lab";
import type { Target } from "@suture/sources";
import type { Task } from "@suture/task";
import { buildTestModules, type TestKernel, testKernel } from "@suture/testkit/stock-kernel";
import { bundle } from "../guest/bundle.ts";

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
const SCRIPT_MS = 3_600_000;

export type Verdict = "ok" | "not ok" | "skip";

export interface Result {
  script: string;
  verdict: Verdict;
  /** Its tests, each with what was printed after its name. */
  tests: { name: string; said: string }[];
  /** Why, if it is not ok. */
  why: string;
  seconds: number;
}

const FOLDER = "/opt/selftests";

/** Who loads and unloads the livepatches. */
export type Driver = "as they come" | "through suture";

export class SelfTests {
  /** The scripts, by name. */
  readonly scripts: readonly string[];
  readonly #task: Task;
  readonly #cache: string;
  readonly #kernel: TestKernel;
  readonly #target: Target;
  readonly #tests: string;
  /** Newer kernels have their test modules beside the scripts. */
  readonly #beside: boolean;

  private constructor(task: Task, cache: string, target: Target, kernel: TestKernel) {
    this.#task = task;
    this.#cache = cache;
    this.#target = target;
    this.#kernel = kernel;
    this.#tests = join(target.tree, TESTS);
    const names = readdirSync(this.#tests);
    this.#beside = names.includes("test_modules");
    this.scripts = names.filter((name) => /^test-.*\.sh$/.test(name));
  }

  static async of(task: Task, cache: string, target: Target): Promise<SelfTests> {
    return new SelfTests(task, cache, target, await testKernel(task, target.release));
  }

  /** Boots a guest, and runs the scripts one after the other. */
  async *run(driver: Driver, scripts = this.scripts): AsyncGenerator<Result> {
    const files = [...(await programFiles(this.#task, PROGRAMS)), ...(await this.#files())];
    if (driver === "through suture") files.push(...(await this.#suture()));
    const guest = await boot(this.#task, {
      image: this.#kernel.image,
      cache: this.#cache,
      files,
      memory: 1536,
      cpus: 2,
      graceMs: 120_000,
      deadlineMs: 300_000,
      append: ["log_buf_len=4M"],
    });
    try {
      if (!this.#beside) await guest.run(`/bin/depmod ${this.#kernel.release}`);
      // bash reads what a command prints by these.
      await guest.run("ln -s /proc/self/fd /dev/fd");
      await guest.run("mount -t tracefs tracefs /sys/kernel/tracing");
      for (const script of scripts) yield await runScript(guest, script);
    } finally {
      await guest.stop();
    }
  }

  /** In the guest: the scripts, and the modules beside them or where modprobe looks. */
  async #files(): Promise<GuestFile[]> {
    const sources = mkdtempSync(join(tmpdir(), "suture-selftests-"));
    try {
      cpSync(this.#beside ? join(this.#tests, "test_modules") : join(this.#target.tree, OLDER), sources, {
        recursive: true,
        dereference: true,
      });
      const objects = readdirSync(sources)
        .filter((name) => name.endsWith(".c"))
        .map((name) => name.replace(/c$/, "o"));
      for (const name of readdirSync(sources)) if (!name.endsWith(".c")) rmSync(join(sources, name), { recursive: true });
      writeFileSync(join(sources, "Kbuild"), `obj-m := ${objects.join(" ")}\n`);
      const built = await buildTestModules(this.#task, this.#kernel, sources);
      const modules = readdirSync(built)
        .filter((name) => name.endsWith(".ko"))
        .map((name) => ({
          path: join(this.#beside ? `${FOLDER}/test_modules` : `/lib/modules/${this.#kernel.release}/extra`, name),
          content: readFileSync(join(built, name)),
        }));
      rmSync(built, { recursive: true });
      return [
        ...modules,
        ...readdirSync(this.#tests)
          .filter((name) => name.endsWith(".sh"))
          .map((name) => ({ path: join(FOLDER, name), content: readFileSync(join(this.#tests, name)), mode: 0o755 })),
        ...readdirSync(this.#tests)
          .filter((name) => name.endsWith(".c"))
          .map((name) => ({
            path: join(FOLDER, name.replace(/\.c$/, "")),
            content: program(join(this.#tests, name)),
            mode: 0o755,
          })),
      ];
    } finally {
      rmSync(sources, { recursive: true, force: true });
    }
  }

  /** In place of some of its functions, ours. */
  async #suture(): Promise<GuestFile[]> {
    const functions = [join(this.#tests, "functions.sh"), join(import.meta.dirname, "suture.sh")];
    return [
      { path: "/opt/suture.mjs", content: await bundle(join(import.meta.dirname, "../../packages/cli/src/main.ts")) },
      {
        path: join(FOLDER, "functions.sh"),
        content: Buffer.from(functions.map((file) => readFileSync(file, "utf8")).join("\n")),
        mode: 0o755,
      },
    ];
  }
}

/** A helper of the tests that is no module: by this machine's compiler, since a compiler of the cache makes objects only. */
function program(source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "suture-selftests-"));
  try {
    execFileSync("gcc", ["-O2", "-static", "-o", join(folder, "out"), source]);
    return readFileSync(join(folder, "out"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runScript(guest: Guest, script: string): Promise<Result> {
  const from = guest.logPosition;
  const started = performance.now();
  const { code, output, timedOut } = await guest.run(`cd ${FOLDER} && KDIR=/ ./${script}`, { timeoutMs: SCRIPT_MS });
  const found = [...output.matchAll(/^TEST: (.*?) \.\.\. (.*)$/gm)].map(([, name = "", said = ""]) => ({ name, said: said.trim() }));
  const events = guest.events(from).map(({ headline }) => headline);
  const verdict: Verdict =
    code === 4 ? "skip" : code === 0 && events.length === 0 && found.every(({ said }) => said.endsWith("ok")) ? "ok" : "not ok";
  const why = verdict === "ok" ? "" : [timedOut ? "it did not end" : `exit code ${code}`, ...events, output.trim()].join("\n");
  return { script, verdict, tests: found, why, seconds: Math.round((performance.now() - started) / 1000) };
}
