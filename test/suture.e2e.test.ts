/** The command as a person uses it, on the newest stock 6.1 cloud kernel: a source fix in, a tried livepatch out, and what it refuses. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { documentIn } from "@suture/testkit/document";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";

const suture = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-e2e-"));
let release = "";
let tree = "";

beforeAll(async () => {
  const task = new Task();
  release = await ownKernel(task);
  tree = (await prepareTarget(task, release, { cache: cacheRoot(process.env) })).tree;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Ran {
  const env = { ...process.env, ...options.env };
  const { status, stdout, stderr } = spawnSync(suture, args, { cwd: options.cwd ?? folder, env, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

/** A patch made by editing the unpacked source. */
function patchOf(name: string, file: string, from: string | RegExp, to: string): string {
  const before = readFileSync(join(tree, file), "latin1");
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${file} does not have ${from}`);
  return write(`${name}.patch`, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after));
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, "latin1");
  return path;
}

const build = (patch: string, ...more: string[]): Ran => run(["build", patch, "--kernel", release, ...more]);
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
const MEMINFO = ["fs/proc/meminfo.c", '"MemTotal:       "', '"MemTotal (fixed):"'] as const;

test("a fix is built, tried on the stock kernel, seen in /proc, and gone again", () => {
  const { code, stdout, stderr } = run([
    "try",
    patchOf("seen", ...MEMINFO),
    "--kernel",
    release,
    "--probe",
    "head -n 1 /proc/meminfo",
    "--json",
  ]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const report = documentIn(stdout);
  expect(report).toMatchObject({ outcome: "passed", release, missing: [], events: [] });
  const [{ before, patched, after }] = report.probes;
  expect(before.output).toMatch(/^MemTotal: /);
  expect(patched.output).toMatch(/^MemTotal \(fixed\):/);
  expect(after.output).toMatch(/^MemTotal: /);
});

test("a fix that mends one thing and breaks another has failed", () => {
  const breaks = patchOf("breaks", "fs/filesystems.c", /\ttmp = file_systems;\n(?=\twhile \(tmp\) \{\n\t\tseq_printf)/, "\ttmp = NULL;\n");
  write("given", "#!/bin/sh\nexit 0\n");
  const probes = write(
    "probes.json",
    JSON.stringify({
      "suture-probes": 1,
      files: ["given"],
      setup: ["mkdir /tmp/a", "./given"],
      keeps: ["cat /proc/filesystems"],
      cleanup: ["rmdir /tmp/a"],
    }),
  );
  const check = ["--check", "grep -q '(fixed)' /proc/meminfo", "--check-after", "fail"];
  const { code, stdout } = run(["try", patchOf("mends", ...MEMINFO), breaks, "--kernel", release, ...check, "--probes", probes, "--json"]);
  expect(code).toBe(1);
  const report = documentIn(stdout);
  expect(report).toMatchObject({
    outcome: "failed",
    failure: { step: "probe patched" },
    checks: [{ holds: true }],
    keeps: [{ holds: false }],
  });
  expect(report.failure.why).toMatch(/^keep 'cat \/proc\/filesystems' differs with the livepatch: line 1 was ".*", it is missing$/);
});

test("long work says in a pipe where it is, and the document stays one", async () => {
  const args = ["prove", "--sample", "10", "--kernel", release, "--json"];
  const child = spawn(suture, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let stdout = "";
  let stderr = "";
  const proving = new Promise<void>((resolve) => {
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      if (/^ {2}kernel /m.test(stderr)) resolve();
    });
  });
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  const ended = once(child, "close");
  // It sleeps for a while in the middle of its work, so that the work is long on every machine.
  await proving;
  await setTimeout(500);
  process.kill(-(child.pid ?? 0), "SIGSTOP");
  await setTimeout(9_000);
  process.kill(-(child.pid ?? 0), "SIGCONT");
  expect(await ended).toEqual([0, null]);
  expect(stderr).toMatch(/^ {2}prove \.\.\. .* so far$/m);
  expect(documentIn(stdout)).toBeDefined();
});

test("the same fix gives the same module, whatever the folder, with a type of its own too", () => {
  // With a type: both builds have debug information, which names folders.
  const file = "fs/proc/meminfo.c";
  const text = readFileSync(join(tree, file), "latin1");
  const fixed = text.replace(MEMINFO[1], MEMINFO[2]).replace("static int meminfo_proc_show", "struct suture_same { int a; };\n\n$&");
  const patch = write("same.patch", createTwoFilesPatch(`a/${file}`, `b/${file}`, text, fixed));
  const files = ["one", "two"].map((name) => {
    const cwd = join(folder, name);
    mkdirSync(cwd);
    copyFileSync(patch, join(cwd, "same.patch"));
    expect(run(["build", "same.patch", "--kernel", release], { cwd }).code).toBe(0);
    return join(cwd, "livepatch-same.ko");
  });
  expect(new Set(files.map(sha256)).size).toBe(1);
  const { stdout } = run(["inspect", files[0] ?? "", "--json"]);
  const { manifest, faults } = documentIn(stdout);
  expect(faults).toEqual([]);
  expect(manifest).toMatchObject({
    name: "same",
    kernel: { release },
    proof: { proven: true },
    functions: [{ name: "meminfo_proc_show", owner: "vmlinux", sympos: 0 }],
  });
  expect(readdirSync(join(folder, "one")).sort()).toEqual(["livepatch-same.ko", "same.patch"]);
});

test("a page for the person who signs: the source's hunk, and the string in the old and in the new instructions", () => {
  const keep = join(folder, "kept");
  expect(build(patchOf("reviewed", ...MEMINFO), "--output", "reviewed.ko", "--keep", keep).code).toBe(0);
  const ways = [["--kernel", release], ["--keep", keep], []].map((how) => {
    const { code, stdout } = run(["review", "reviewed.ko", "-o", "reviewed.html", ...how, "--json"]);
    expect(code).toBe(0);
    return { document: documentIn(stdout), page: readFileSync(join(folder, "reviewed.html"), "utf8") };
  });
  const [byKernel, kept, alone] = ways as [(typeof ways)[number], (typeof ways)[number], (typeof ways)[number]];
  expect(byKernel.document).toMatchObject({ functions: 1, beside: 1, missing: [], sha256: sha256(join(folder, "reviewed.ko")) });
  // Strings that stay the kernel's are read from its image: they do not differ.
  expect(byKernel.page).toContain(", 2 differ</summary>");
  expect(kept.document).toEqual(byKernel.document);
  expect(byKernel.page).toMatch(
    /<td class="d">mov \$&quot;MemTotal: +&quot;,%rsi<\/td>.*<td class="a">mov \$&quot;MemTotal \(fixed\):&quot;,%rsi<\/td>/,
  );
  expect(byKernel.page).toContain('<span class="a">+\tshow_val_kb(m, &quot;MemTotal (fixed):&quot;');
  expect(alone.document).toMatchObject({ functions: 1, beside: 0, missing: [{ name: "meminfo_proc_show" }] });
  expect(run(["review", "reviewed.ko", "--kernel", release, "--keep", keep]).code).toBe(2);
  expect(run(["review", "reviewed.patch"]).stderr).toMatch(/^error ELF_/);
});

test("strings, a new function, a static local, a warning and an exception table are carried and work", () => {
  const patch = patchOf(
    "carried",
    "fs/proc/loadavg.c",
    /static int loadavg_proc_show\(struct seq_file \*m, void \*v\)\n\{\n/,
    `#include <linux/uaccess.h>\nstatic noinline int suture_read(void)\n{\n\tint value = 0;\n\n\tif (get_user(value, (int __user *)8))\n\t\tvalue = 77;\n\treturn value;\n}\n\n` +
      `static int loadavg_proc_show(struct seq_file *m, void *v)\n{\n\tstatic int calls;\n\n\tWARN_ONCE(calls == 1, "suture: seen %d\\n", calls);\n` +
      `\tseq_printf(m, "call %d read %d cpu %d\\n", ++calls, suture_read(), raw_smp_processor_id() >= 0);\n`,
  );
  const probe = "head -n 1 /proc/loadavg; head -n 1 /proc/loadavg";
  const kept = join(folder, "tried");
  const { stdout } = run(["try", patch, "--kernel", release, "--probe", probe, "--keep-build", kept, "--json"]);
  expect(readdirSync(join(kept, "fs/proc")).sort()).toEqual(["loadavg.delta.o", "loadavg.original.o", "loadavg.patched.o"]);
  const report = documentIn(stdout);
  expect(report.probes[0].patched.output).toBe("call 1 read 77 cpu 1\ncall 2 read 77 cpu 1\n");
  // The warning is the patched function's own: the kernel found it in the module's bug table, and nothing else happened.
  expect(report.outcome).toBe("warned");
  expect(report.events).toHaveLength(1);
  expect(JSON.stringify(report.events)).toContain("loadavg_proc_show");
});

test("a run that is looked at says what it decides, and gives the same module", () => {
  const patch = patchOf("looked", ...MEMINFO);
  expect(build(patch, "--output", join(folder, "plain.ko")).code).toBe(0);
  const kept = join(folder, "looked-at");
  const { code, stderr } = build(patch, "--output", join(folder, "looked.ko"), "--explain", "--keep", kept);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(sha256(join(folder, "looked.ko"))).toBe(sha256(join(folder, "plain.ko")));
  expect(stderr).toMatch(/^fs\/proc\/meminfo\.o: changed meminfo_proc_show: /m);
  expect(stderr).toMatch(/^fs\/proc\/meminfo\.o: reached seq_put_decimal_ull_width: /m);
  expect(readdirSync(join(kept, "fs/proc")).sort()).toEqual(["meminfo.delta.o", "meminfo.original.o", "meminfo.patched.o"]);
  expect(documentIn(readFileSync(join(kept, "decisions.json"), "utf8")).decisions).toContainEqual(
    expect.objectContaining({ object: "fs/proc/meminfo.o", what: "changed", name: "meminfo_proc_show" }),
  );
  const again = build(patch, "--keep", kept);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("CLI_FILE: it holds decisions.json already") });
});

test("of what is refused of two objects all is told, and kept", () => {
  const broken = (name: string, file: string, at: string): string => patchOf(name, file, at, `#error ${name}\n${at}`);
  const patches = [
    broken("first", "fs/proc/meminfo.c", "static int meminfo_proc_show"),
    broken("second", "fs/proc/loadavg.c", "static int loadavg_proc_show"),
  ];
  const kept = join(folder, "refused");
  const { code, stdout } = run(["build", ...patches, "--kernel", release, "--json", "--keep", kept]);
  expect(code).toBe(1);
  const { error } = documentIn(stdout);
  expect([error, ...error.others].map(({ code, where }) => [code, where.file])).toEqual([
    ["BUILD_COMPILE", "fs/proc/loadavg.c"],
    ["BUILD_COMPILE", "fs/proc/meminfo.c"],
  ]);
  const { decisions } = documentIn(readFileSync(join(kept, "decisions.json"), "utf8"));
  expect(decisions.map(({ what }: { what: string }) => what)).toEqual(["refused", "refused"]);
});

test("of several functions of one name the right one is patched", () => {
  const patch = patchOf("namesake", "kernel/kallsyms.c", /"%p[xK] %c %s\\n"/, '"%px %c patched %s\\n"');
  const probe = "grep -c ' patched ' /proc/kallsyms; grep -c patched /proc/slabinfo; grep -c ' s_show$' /proc/kallsyms";
  const { stdout } = run(["try", patch, "--kernel", release, "--probe", probe, "--json"]);
  const report = documentIn(stdout);
  const numbers = (text: string): number[] => text.trim().split("\n").map(Number);
  const [patched, others, namesakes] = numbers(report.probes[0].patched.output);
  expect(report.outcome).toBe("passed");
  expect(namesakes).toBeGreaterThan(1);
  expect(report.functions).toEqual([{ object: "vmlinux", name: "s_show", sympos: expect.any(Number) }]);
  expect([numbers(report.probes[0].before.output)[0], others]).toEqual([0, 0]);
  expect(patched).toBeGreaterThan(5);
});

test.each<[string, () => string, string, number]>([
  [
    "that does not apply",
    () => write("bad.patch", "--- a/fs/pipe.c\n+++ b/fs/pipe.c\n@@ -1,3 +1,3 @@\n x\n-y\n+z\n w\n"),
    "PATCH_DOES_NOT_APPLY",
    1,
  ],
  ["that is no patch", () => write("words.patch", "hello\n"), "PATCH_UNREADABLE", 1],
  ["that is not there", () => join(folder, "none.patch"), "PATCH_UNREADABLE", 1],
  [
    "of a file that this kernel does not build",
    () => patchOf("other", "arch/arm/kernel/setup.c", "{\n", "{\n\n"),
    "PATCH_NOT_FOR_KERNEL",
    1,
  ],
  ["of a build rule", () => patchOf("rule", "fs/Makefile", /$/, "# x\n"), "PATCH_NOT_C", 1],
  ["of a comment", () => patchOf("comment", "fs/pipe.c", "/*", "/* A comment.\n *"), "BUILD_NOTHING_CHANGED", 3],
  ["of a document", () => patchOf("document", "Documentation/admin-guide/sysrq.rst", /$/, "x\n"), "BUILD_NOTHING_CHANGED", 3],
  ["of an __init function", () => patchOf("init", "fs/proc/loadavg.c", '"loadavg", 0,', '"loadaverage", 0,'), "BUILD_NOT_AT_RUN_TIME", 1],
  ["of live data", () => patchOf("data", "fs/pipe.c", "pipe_max_size = 1048576", "pipe_max_size = 2097152"), "DIFF_DATA_CHANGED", 1],
  [
    "of a layout",
    () => patchOf("layout", "fs/timerfd.c", "struct timerfd_ctx {\n", "struct timerfd_ctx {\n\tint suture;\n"),
    "BUILD_LAYOUT",
    1,
  ],
  [
    "of a file that only programs within the kernel include, by way of other folders",
    () => patchOf("vdso", "lib/vdso/gettimeofday.c", "if (likely(tv != NULL)) {", "if (likely(tv != NULL && tz != (void *)1)) {"),
    "BUILD_OTHER_PROGRAM",
    1,
  ],
  [
    "of a header that assembly of the kernel reads too",
    () => patchOf("assembly", "arch/x86/include/asm/kexec.h", /# define PA_TABLE_PAGE\t\t2/, "# define PA_TABLE_PAGE\t\t5"),
    "PATCH_NOT_C",
    1,
  ],
  [
    "of constants for assembly",
    () => patchOf("constants", "arch/x86/kernel/asm-offsets_64.c", "BLANK();", "DEFINE(more, 1);"),
    "PATCH_NOT_C",
    1,
  ],
  [
    "of a header of which a script makes a file",
    () => patchOf("script", "include/scsi/scsi_devinfo.h", "#define BLIST_NOLUN", "#define BLIST_SUTURE 1\n#define BLIST_NOLUN"),
    "PATCH_NOT_C",
    1,
  ],
  ["of a text that is source", () => patchOf("text", "arch/x86/lib/x86-opcode-map.txt", /^#/, "# more\n#"), "PATCH_NOT_C", 1],
  ["of a program of the build", () => patchOf("generator", "lib/gen_crc32table.c", "int main", "int more;\nint main"), "PATCH_NOT_C", 1],
  ["of the vDSO", () => patchOf("getcpu", "arch/x86/entry/vdso/vgetcpu.c", "return 0;", "return 5;"), "BUILD_OTHER_PROGRAM", 1],
  ["of the boot", () => patchOf("boot", "arch/x86/boot/cmdline.c", "return -1;", "return -2;"), "BUILD_OTHER_PROGRAM", 1],
  [
    "of a hunk that has moved and fits in two places",
    () =>
      write(
        "moved.patch",
        "--- a/fs/eventfd.c\n+++ b/fs/eventfd.c\n@@ -2,1 +2,2 @@\n \t\t__set_current_state(TASK_RUNNING);\n+\t\tcpu_relax();\n",
      ),
    "PATCH_DOES_NOT_APPLY",
    1,
  ],
  ["that does not compile", () => patchOf("broken", "fs/pipe.c", "static int\npipe_fasync", "static itn\npipe_fasync"), "BUILD_COMPILE", 1],
])("a patch %s is refused by name and leaves nothing", (_, make, code, exit) => {
  const ran = build(make(), "--json", "--output", join(folder, "never.ko"));
  expect(documentIn(ran.stdout).error).toMatchObject({ code, mend: expect.stringMatching(/\w/), why: expect.stringMatching(/\w/) });
  expect(ran.code).toBe(exit);
  expect(existsSync(join(folder, "never.ko"))).toBe(false);
});

test("a copy of a changed file in purgatory stays as it is, which is told, and a new header is taken", () => {
  const file = patchOf(
    "copy",
    "lib/crypto/sha256.c",
    /(\nvoid sha256_update\([^{]*\{\n)/,
    "$1\tif (unlikely(len == SUTURE_LENGTH))\n\t\treturn;\n",
  );
  const header = `--- a/lib/crypto/sha256.c\n+++ b/lib/crypto/sha256.c\n@@ -1,1 +1,2 @@\n+#include "suture-length.h"\n ${readFileSync(join(tree, "lib/crypto/sha256.c"), "utf8").split("\n")[0]}\n`;
  const made = "--- /dev/null\n+++ b/lib/crypto/suture-length.h\n@@ -0,0 +1 @@\n+#define SUTURE_LENGTH 0xabcdef\n";
  writeFileSync(file, `${readFileSync(file, "utf8")}${header}${made}`);
  const { manifest } = documentIn(build(file, "--json", "--output", join(folder, "copy.ko")).stdout);
  expect(manifest.functions.map(({ name }: { name: string }) => name)).toContain("sha256_update");
  expect(manifest.notes).toContainEqual({
    object: "arch/x86/purgatory/sha256.o",
    text: expect.stringContaining("that copy stays as it is"),
  });
});

test("a kernel that is not there is refused", () => {
  const { code, stdout } = run(["build", patchOf("none", ...MEMINFO), "--kernel", "6.1.0-0-none", "--json"]);
  expect([code, documentIn(stdout).error.code]).toEqual([1, "KERNEL_NOT_FOUND"]);
});

test("a module for another kernel, a cut and a changed one are not tried", () => {
  const ko = join(folder, "mine.ko");
  expect(build(patchOf("mine", ...MEMINFO), "--output", ko).code).toBe(0);
  const codeOf = (...args: string[]): string => documentIn(run(["try", ...args, "--json"]).stdout).error.code;
  expect(codeOf(ko, "--kernel", "6.1.0-0-none")).toBe("TRY_OTHER_KERNEL");
  expect(codeOf(ko, "--keep-build", join(folder, "of-a-module"))).toBe("CLI_USAGE");
  const cut = join(folder, "cut.ko");
  copyFileSync(ko, cut);
  truncateSync(cut, 20_000);
  expect(codeOf(cut)).toMatch(/^ELF_/);
  const text = readFileSync(ko, "latin1");
  const buildId = documentIn(run(["inspect", ko, "--json"]).stdout).manifest.kernel.buildId as string;
  const other = write("other.ko", text.replaceAll(buildId, "0".repeat(buildId.length)));
  expect(codeOf(other)).toBe("TRY_OTHER_KERNEL");
  const plain = write("plain.ko", text.replaceAll(".klp.rela.vmlinux.", ".xlp.rela.vmlinux."));
  expect(codeOf(plain)).toBe("TRY_REFUSED");
});

test("Ctrl-C ends a build at any moment, leaves no child and nothing half-written", async () => {
  const patch = patchOf("cancel", ...MEMINFO);
  const output = join(folder, "cancel.ko");
  for (const ms of [150, 500, 900, 1400]) {
    const child = spawn(suture, ["try", patch, "--kernel", release, "--probe", "true"], { cwd: folder, stdio: "ignore", detached: true });
    await setTimeout(ms);
    process.kill(child.pid ?? 0, "SIGINT");
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect([130, null]).toContain(code);
    // Its children are in groups of their own, but in its session.
    const left = spawnSync("pgrep", ["--session", String(child.pid)], { encoding: "utf8" }).stdout;
    expect(left).toBe("");
  }
  expect(existsSync(output)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes(".partial"))).toEqual([]);
});
