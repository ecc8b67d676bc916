/**
 * A kernel with IBT, whose build runs objtool when it links: the newest stock 6.12 cloud kernel. Its objects are proven, and its code
 * is replaced while it runs.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSection, readElf, SHF, STT } from "@suture/elf";
import { ReachedByDistance } from "@suture/livepatch";
import type { CatchUpReport } from "@suture/protocol";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { documentIn } from "@suture/testkit/document";
import { Repository } from "@suture/testkit/repository";
import { IBT } from "@suture/testkit/series";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";

const suture = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-ibt-"));
let release = "";
let tree = "";

beforeAll(async () => {
  const task = new Task();
  release = await newestKernel(task, IBT);
  tree = (await prepareTarget(task, release, { cache: cacheRoot(process.env) })).tree;
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { code: number | null; report: unknown } {
  const { status, stdout } = spawnSync(suture, [...args, "--kernel", release, "--json"], { cwd: folder, encoding: "utf8" });
  return { code: status, report: documentIn(stdout) };
}

test("objects of the kernel, of a module of several and of a module of one are proven", () => {
  // pipe.o ends where another object's code follows, and has landing pads that other objects refer to.
  const named = ["fs/pipe.o", "fs/isofs/rock.o", "drivers/net/tap.o"];
  const { code, report } = run("prove", ...named);
  const { objects } = report as { objects: { object: string; functions: number; proven: number; doubts: unknown[] }[] };
  expect(objects.map(({ object, doubts }) => ({ object, doubts }))).toEqual(named.map((object) => ({ object, doubts: [] })));
  for (const { functions, proven } of objects) expect([functions > 5, proven]).toEqual([true, functions]);
  expect(code).toBe(0);
});

/** A patch made by editing the unpacked source. */
function patchOf(name: string, from: string, to: string, more = "", file = "fs/proc/meminfo.c"): string {
  const before = readFileSync(join(tree, file), "latin1");
  if (!before.includes(from)) throw new Error(`${file} does not have ${from}`);
  const after = before.replace(from, to) + more;
  writeFileSync(join(folder, name), createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after), "latin1");
  return name;
}

test("a pointer to a function whose landing pad the kernel takes away is refused", () => {
  const pointer = "{ void (*volatile report)(struct seq_file *) = hugetlb_report_meminfo; report(m); }";
  const { code, report } = run("build", patchOf("sealed.patch", "hugetlb_report_meminfo(m);", pointer));
  expect(report).toMatchObject({ error: { code: "BUILD_SEALED", where: { symbol: "hugetlb_report_meminfo" } } });
  expect(code).toBe(1);
});

test("and one to a function for which the compiler has made none, since it was only called by name", () => {
  const call = "return do_io_accounting(task, m, 0);";
  const pointer = `{ int (*volatile account)(struct task_struct *, struct seq_file *, int) = do_io_accounting; ${call.replace("do_io_accounting", "account")} }`;
  const { code, report } = run("build", patchOf("padless.patch", call, pointer, "", "fs/proc/base.c"));
  expect(report).toMatchObject({ error: { code: "BUILD_SEALED", where: { symbol: "do_io_accounting" } } });
  expect(code).toBe(1);
});

test("of a release, what keeps such a pointer is left out, and nothing else", () => {
  const repository = new Repository(join(folder, "repository"));
  const [memory, line] = ["fs/proc/meminfo.c", "fs/proc/cmdline.c"];
  repository.copy(tree, [memory, line]);
  repository.commit("the release that runs");
  repository.git("tag", "from");
  repository.edit(memory, /(\tsi_meminfo\(&i\);\n)/, "$1\tbarrier();\n\tif (!i.totalram)\n\t\treturn 0;\n");
  repository.commit("meminfo: of nothing");
  repository.edit(
    memory,
    /hugetlb_report_meminfo\(m\);/,
    "{ void (*volatile report)(struct seq_file *) = hugetlb_report_meminfo; report(m); }",
  );
  repository.commit("meminfo: by a pointer");
  repository.edit(line, /\tseq_putc\(m, '\\n'\);\n/, "\tseq_putc(m, '!');\n\tseq_putc(m, '\\n');\n");
  repository.commit("cmdline: say more");
  const { code, report } = run("catch-up", "--git", repository.folder, "--range", "from..main");
  const { units } = (report as { report: CatchUpReport }).report;
  expect(units.map(({ title, state, reasons }) => [title, state, ...reasons.map((one) => one.code)])).toEqual([
    ["meminfo: of nothing", "carried"],
    ["meminfo: by a pointer", "left out", "BUILD_SEALED"],
    ["cmdline: say more", "carried"],
  ]);
  expect(code).toBe(0);
});

/** The kernel calls these by the pointers in the livepatch's descriptor. */
const CALLBACKS = `
#include "kpatch-macros.h"
static int before(patch_object *obj) { pr_info("heard: pre_patch\\n"); return 0; }
KPATCH_PRE_PATCH_CALLBACK(before);
static void after(patch_object *obj) { pr_info("heard: post_unpatch\\n"); }
KPATCH_POST_UNPATCH_CALLBACK(after);
`;
const ENDBR64 = [0xf3, 0x0f, 0x1e, 0xfa];

test("a fix is built with the padding and tables that such a kernel wants, tried, seen and gone again", () => {
  expect(run("build", patchOf("ibt.patch", '"MemTotal:       "', '"MemTotal (ibt):  "', CALLBACKS)).code).toBe(0);
  const elf = readElf(readFileSync(join(folder, "livepatch-ibt.ko")), "livepatch-ibt.ko");
  const [patched] = elf.symbols.filter(({ name }) => name === "meminfo_proc_show");
  const config = readFileSync(join(tree, ".config"), "utf8");
  expect(patched?.value).toBe(Number(/^CONFIG_FUNCTION_PADDING_BYTES=(\d+)$/m.exec(config)?.[1]));
  for (const section of [".call_sites", ".return_sites", ".orc_unwind_ip", "__mcount_loc"])
    expect(elf.sections.find(({ name }) => name === section)?.size, section).toBeGreaterThan(0);
  // Callbacks have landing pads, and no table takes them away again.
  expect(elf.sections.filter(({ name }) => name === ".ibt_endbr_seal")).toEqual([]);
  for (const callback of ["before", "after"]) {
    const symbol = elf.symbols.find(({ name, type }) => name === callback && type === STT.FUNC);
    const code = symbol !== undefined && isSection(symbol.place) ? symbol.place.data.subarray(symbol.value, symbol.value + 4) : [];
    expect([...code], callback).toEqual(ENDBR64);
  }
  // A weak function of the object itself, of which the kernel runs another: the call is of its entry, not of what is behind the padding.
  const reached = new ReachedByDistance(elf);
  const called = elf.sections.flatMap(({ relocations }) => relocations).flatMap((relocation) => reached.meant(relocation, 4) ?? []);
  expect(called.filter(({ klp }) => klp.name.includes("arch_report_meminfo")).map(({ offset }) => offset)).toEqual([0]);
  // All that the livepatch core is left with is to find the build-id, by which the module knows that the distances are this kernel's.
  const left = elf.sections.filter(({ flags }) => (flags & SHF.RELA_LIVEPATCH) !== 0);
  expect(left.map(({ name, relocations }) => [name, relocations.length])).toEqual([[".klp.rela.vmlinux..rodata.suture_kernel", 1]]);
  const { code, report } = run("try", "livepatch-ibt.ko", "--probe", "head -n 1 /proc/meminfo");
  expect(report).toMatchObject({ outcome: "passed", missing: [], events: [] });
  const said = (report as { log: { text: string }[] }).log.map(({ text }) => text).filter((text) => text.startsWith("heard: "));
  expect(said).toEqual(["heard: pre_patch", "heard: post_unpatch"]);
  const [probe] = (report as { probes: Record<"before" | "patched" | "after", { output: string }>[] }).probes;
  expect(probe?.before.output).toMatch(/^MemTotal: /);
  expect(probe?.patched.output).toMatch(/^MemTotal \(ibt\):/);
  expect(probe?.after.output).toMatch(/^MemTotal: /);
  expect(code).toBe(0);
});
