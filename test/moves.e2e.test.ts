/**
 * Functions, variables and state that a fix moves between files of a stock kernel: what other code goes on using is what the new code uses. And
 * what a fix may add: per-CPU variables, static keys, static calls. All are loaded in one guest; edits of the unpacked source are the fixes.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, type Livepatch, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { IBT, OWN } from "@suture/testkit/series";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "suture-moves-"));
const task = new Task();
let kernel: KernelContext;

beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
}, 600_000);
afterAll(() => {
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** By file: what is replaced by what, each once. */
type Edits = Readonly<Record<string, readonly (readonly [string | RegExp, string])[]>>;

async function built(name: string, edits: Edits, of = kernel): Promise<Livepatch> {
  let text = "";
  for (const [file, replacements] of Object.entries(edits)) {
    const before = readFileSync(join(of.sourceRoot, file), "latin1");
    let after = before;
    for (const [from, to] of replacements) {
      const next = after.replace(from, () => to);
      if (next === after) throw new Error(`${file} does not have ${from}`);
      after = next;
    }
    text += createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after);
  }
  const path = join(folder, `${name}.patch`);
  writeFileSync(path, text, "latin1");
  return buildLivepatch(task, of, { patches: [await readPatch(path)], replace: false, unproven: false });
}

const VERSION = "fs/proc/version.c";
const SHOW = /(version_proc_show\(struct seq_file \*m, void \*v\)\n\{\n)/;
const INCLUDES = /#include "internal.h"\n/;
const show = (code: string) => [SHOW, `version_proc_show(struct seq_file *m, void *v)\n{\n${code}`] as const;
const above = (code: string) => [INCLUDES, `#include "internal.h"\n${code}`] as const;

/** The text of a function or variable of the kernel's source, from its first line to the closing one. */
function sourceOf(file: string, pattern: RegExp): string {
  const [found] = pattern.exec(readFileSync(join(kernel.sourceRoot, file), "latin1")) ?? [];
  if (found === undefined) throw new Error(`${file} does not have ${pattern}`);
  return found;
}
const NAME_TO_INT = /^unsigned name_to_int\([\s\S]*?^\}\n/m;
const IDA = /^static DEFINE_IDA\(proc_inum_ida\);[\s\S]*?^void proc_free_inum[\s\S]*?^\}\n/m;
const PRESSURE = /^int sysctl_vfs_cache_pressure __read_mostly = 100;\nEXPORT_SYMBOL_GPL\(sysctl_vfs_cache_pressure\);\n/m;

const NEW = `
static DEFINE_PER_CPU(unsigned long, version_reads) = 7;
DEFINE_PER_CPU_SHARED_ALIGNED(unsigned long, version_shared);
static DEFINE_STATIC_KEY_FALSE(version_key);
DEFINE_STATIC_KEY_TRUE_RO(version_true);
static noinline void version_one(struct seq_file *m) { seq_puts(m, "one "); }
static noinline void version_two(struct seq_file *m) { seq_puts(m, "two "); }
DEFINE_STATIC_CALL(version_call, version_one);
DECLARE_TRACE(version_shown, TP_PROTO(int x), TP_ARGS(x));
DEFINE_TRACE(version_shown, TP_PROTO(int x), TP_ARGS(x));
`;
const USE = `	int cpu;
	this_cpu_inc(version_reads);
	this_cpu_add(version_shared, 2);
	for_each_possible_cpu(cpu)
		seq_printf(m, "%lu/%lu ", per_cpu(version_reads, cpu), per_cpu(version_shared, cpu));
	static_call(version_call)(m);
	static_call_update(version_call, version_two);
	if (static_branch_unlikely(&version_key))
		seq_puts(m, "key ");
	else
		static_branch_enable(&version_key);
	if (static_branch_likely(&version_true))
		seq_puts(m, "true\\n");
	trace_version_shown(3);
`;
const HEADERS = ["percpu", "jump_label", "static_call", "tracepoint"].map((name) => `#include <linux/${name}.h>\n`).join("");
const ADDED: Edits = { [VERSION]: [above(`${HEADERS}${NEW}`), show(USE)] };
const CHECK_ADDED = `load livepatch-added
  for cpu in 1 2 1; do taskset $cpu head -1 /proc/version; done
  unload livepatch_added; grep -c Linux /proc/version`;
const SAID_ADDED = /^8\/2 7\/0 one true\n8\/2 8\/2 two key true\n9\/4 8\/2 two key true\n1\n$/;

test("each is what other code goes on using, in a guest", async () => {
  const nameToInt = sourceOf("fs/proc/util.c", NAME_TO_INT).replace("return n;", "return n == 7 ? ~0U : n;");
  const livepatches = [
    await built("function", { "fs/proc/util.c": [[NAME_TO_INT, ""]], [VERSION]: [above(nameToInt)] }),
    await built("variable", {
      "fs/dcache.c": [[PRESSURE, ""]],
      [VERSION]: [above(sourceOf("fs/dcache.c", PRESSURE)), show('\tseq_printf(m, "%d\\n", sysctl_vfs_cache_pressure);\n')],
    }),
    await built("state", {
      "fs/proc/generic.c": [[IDA, "#define PROC_DYNAMIC_FIRST 0xF0000000U\n"]],
      "fs/proc/util.c": [above(`#include <linux/idr.h>\n#include <linux/proc_ns.h>\n${sourceOf("fs/proc/generic.c", IDA)}`)],
      [VERSION]: [
        above("#include <linux/proc_ns.h>\n"),
        show('\tunsigned int i = 0;\n\tproc_alloc_inum(&i);\n\tseq_printf(m, "%u\\n", i);\n'),
      ],
    }),
    await built("weak", { [VERSION]: [above("int memcmp_pages(struct page *a, struct page *b) { return a != b; }\n")] }),
    await built("added", ADDED),
  ];
  expect(livepatches.map(({ manifest }) => manifest.functions.map(({ name }) => name).sort())).toEqual([
    ["name_to_int"],
    ["version_proc_show"],
    // Two more have it inlined in stock kernels.
    process.env.SUTURE_TREE === undefined
      ? ["pde_put", "proc_alloc_inum", "proc_free_inum", "proc_register", "version_proc_show"]
      : expect.arrayContaining(["proc_alloc_inum", "proc_free_inum", "version_proc_show"]),
    ["memcmp_pages"],
    ["version_proc_show"],
  ]);
  expect(livepatches.slice(0, 4).map(({ manifest }) => manifest.added)).toEqual([[], [], [], []]);
  expect(livepatches.slice(0, 4).map(({ manifest }) => manifest.notes.map(({ text }) => text))).toEqual([
    ["name_to_int takes the place of the kernel's, which fs/proc/util.o defines, for all who call it"],
    ["sysctl_vfs_cache_pressure is the kernel's, which fs/dcache.o defines"],
    expect.arrayContaining(["proc_inum_ida is the kernel's proc_inum_ida, which fs/proc/generic.o defines"]),
    ["memcmp_pages takes the place of the kernel's, which mm/util.o defines, for all who call it"],
  ]);
  const guest = await bootWith(task, kernel, livepatches);
  try {
    const seen = await said(
      guest,
      `exec 7</proc/version; readlink /proc/self/fd/7; load livepatch-function; readlink /proc/self/fd/7; unload livepatch_function
      readlink /proc/self/fd/7; exec 7<&-
      load livepatch-variable; echo 55 >/proc/sys/vm/vfs_cache_pressure; head -1 /proc/version; unload livepatch_variable
      load livepatch-weak; unload livepatch_weak
      ls -iR /proc/sys /proc/net/stat /proc/fs /proc/driver /proc/bus /proc/irq 2>/dev/null | awk '$1 >= 4026531840 { print $1 }' >/inums
      load livepatch-state; i=$(head -1 /proc/version); [ $i -ge 4026531840 ] && ! grep -q $i /inums && echo unused; unload livepatch_state
      ${CHECK_ADDED}`,
    );
    expect(seen).toMatch(new RegExp(`^/proc/version\\n/proc/version\\n55\\nunused\\n${SAID_ADDED.source.slice(1)}`));
  } finally {
    await guest.stop();
  }
}, 600_000);

test("what a fix adds works on a kernel with IBT, too", async () => {
  const other = await kernelOf(task, IBT);
  try {
    const livepatch = await built("added", ADDED, other);
    const guest = await bootWith(task, other, [livepatch]);
    try {
      expect(await said(guest, CHECK_ADDED)).toMatch(SAID_ADDED);
    } finally {
      await guest.stop();
    }
  } finally {
    other.close();
  }
}, 600_000);

describe("refused", () => {
  const filesystems = /(#include <linux\/fs_parser.h>\n)/;
  test.each<[string, () => Edits, string, RegExp]>([
    [
      "a function that returns something else there",
      () => ({
        "fs/proc/util.c": [[NAME_TO_INT, ""]],
        "fs/filesystems.c": [
          [filesystems, "#include <linux/fs_parser.h>\nunsigned long name_to_int(const struct qstr *q) { return q->len; }\n"],
        ],
      }),
      "AUTHORED_SIGNATURE",
      /it returns (long unsigned int|unsigned long), not unsigned int/,
    ],
    [
      "a variable that begins otherwise there",
      () => ({
        "fs/dcache.c": [[PRESSURE, ""]],
        [VERSION]: [above("int sysctl_vfs_cache_pressure = 50;\n"), show('\tseq_printf(m, "%d\\n", sysctl_vfs_cache_pressure);\n')],
      }),
      "BUILD_MOVED",
      /fs\/dcache.o: its initial value is another one/,
    ],
    [
      "a second definition",
      () => ({ "fs/filesystems.c": [[filesystems, "#include <linux/fs_parser.h>\nint name_to_int(int x) { return x; }\n"]] }),
      "BUILD_DEFINED_TWICE",
      /fs\/proc\/util.o defines it too/,
    ],
    [
      "two new ones of a name",
      () => ({
        [VERSION]: [above("int twice(int x) { return x; }\n")],
        "fs/proc/util.c": [above("int twice(int x) { return x; }\n")],
      }),
      "BUILD_DEFINED_TWICE",
      /gets a new twice too/,
    ],
    [
      "a name of vmlinux in a module",
      () => ({
        "drivers/net/dummy.c": [[/(#include <linux\/module.h>\n)/, "#include <linux/module.h>\nint name_to_int(int x) { return x; }\n"]],
      }),
      "BUILD_DEFINED_TWICE",
      /vmlinux has a name_to_int, and the fix gives dummy one of its own/,
    ],
    [
      "state that moves and is renamed",
      () => ({
        "fs/proc/generic.c": [[IDA, "#define PROC_DYNAMIC_FIRST 0xF0000000U\n"]],
        "fs/proc/util.c": [
          above(
            `#include <linux/idr.h>\n#include <linux/proc_ns.h>\n${sourceOf("fs/proc/generic.c", IDA).replaceAll("proc_inum_ida", "inums")}`,
          ),
        ],
      }),
      "BUILD_MOVED",
      /proc_inum_ida of fs\/proc\/generic.o is gone, and what used it uses the new inums here/,
    ],
    [
      "a write to what another object made read-only after boot",
      () => ({ [VERSION]: [show("\textern bool rodata_enabled;\n\trodata_enabled = false;\n")] }),
      "BUILD_READ_ONLY",
      /version_proc_show writes rodata_enabled/,
    ],
  ])(
    "%s",
    async (name, edits, code, why) => {
      await expect(built(name.replace(/\W/g, "-"), edits())).rejects.toMatchObject({
        code,
        message: expect.stringMatching(why),
        mend: expect.stringMatching(/\w/),
      });
    },
    300_000,
  );
});
