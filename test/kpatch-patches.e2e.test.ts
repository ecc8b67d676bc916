/**
 * Patches that were written for kpatch and for klp-build, unmodified: each macro does in a running kernel what its author meant. The newest
 * stock 6.1 kernel, in a virtual machine.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { boot, type Guest, loadOrder, trial } from "@suture/lab";
import { inspect } from "@suture/livepatch";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import type { Manifest } from "@suture/protocol";
import { Task } from "@suture/task";
import { testContext } from "@suture/testkit/context";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-kpatch-"));
let kernel: KernelContext;
let guest: Guest;

beforeAll(async () => {
  kernel = await testContext();
  guest = await boot(task, { image: kernel.target.image, cpus: 1, cache: kernel.cache });
}, 600_000);
afterAll(async () => {
  await guest?.stop();
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

type Edit = [from: string | RegExp, to: string];

/** A patch of the kernel's source, made by editing it. */
function patchOf(edits: Record<string, Edit[]>): string {
  return Object.entries(edits)
    .map(([file, list]) => {
      const before = readFileSync(join(kernel.target.tree, file), "latin1");
      const after = list.reduce((text, [from, to]) => {
        const changed = text.replace(from, () => to);
        if (changed === text) throw new Error(`${file} does not have ${from}`);
        return changed;
      }, before);
      return createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after);
    })
    .join("");
}

interface Built {
  bytes: Uint8Array;
  manifest: Manifest;
}

async function build(name: string, edits: Record<string, Edit[]>, replace = false): Promise<Built> {
  const file = join(folder, `${name}.patch`);
  writeFileSync(file, patchOf(edits), "latin1");
  return buildLivepatch(task, kernel, { patches: [await readPatch(file)], replace, unproven: false });
}

async function refusal(edits: Record<string, Edit[]>): Promise<SutureError> {
  return build("refused", edits).then(
    () => Promise.reject(new Error("it was built")),
    (error: SutureError) => error,
  );
}

async function sh(command: string): Promise<string> {
  const { code, output, events } = await guest.run(command);
  expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
  return output;
}

/** What the callbacks said; softdog puts its name before. */
function said(log: readonly { text: string }[]): string[] {
  return log.flatMap(({ text }) => /^(?:softdog: )?heard: (.*)$/.exec(text)?.[1] ?? []);
}

/** What the callbacks said while a command ran. */
async function heard(command: string): Promise<string[]> {
  const { code, log, output, events } = await guest.run(command);
  expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
  return said(log);
}

const LOAD = (name: string): string =>
  `insmod /run/${name}.ko && while grep -q 1 /sys/kernel/livepatch/livepatch_${name}/transition; do usleep 20000; done`;
const DISABLE = (name: string): string =>
  `p=/sys/kernel/livepatch/livepatch_${name}; echo 0 >$p/enabled; while [ -e $p ]; do usleep 20000; done`;
const REMOVE = (name: string): string =>
  `i=0; while ! rmmod livepatch_${name}; do i=$((i+1)); [ $i -lt 50 ] || exit 1; usleep 100000; done`;

/** At the end of a file, where such patches have it. A text of our own; `after` has a name that other objects can see. */
const FOUR = (prefix: "KPATCH" | "KLP", returns = "0", header = "kpatch-macros.h"): Edit => [
  /$/,
  `
#include "${header}"
static int calls;
static void say(struct klp_object *obj, const char *what)
{
	pr_info("heard: %s of %s, call %d\\n", what, obj->name ? obj->name : "vmlinux", ++calls);
}
static int before(struct klp_object *obj)
{
	say(obj, "pre_patch");
	return ${returns};
}
${prefix}_PRE_PATCH_CALLBACK(before);
void after(struct klp_object *obj);
void after(struct klp_object *obj)
{
	say(obj, "post_patch");
}
${prefix}_POST_PATCH_CALLBACK(after);
static void before_un(struct klp_object *obj)
{
	say(obj, "pre_unpatch");
}
${prefix}_PRE_UNPATCH_CALLBACK(before_un);
static void after_un(struct klp_object *obj)
{
	say(obj, "post_unpatch");
}
${prefix}_POST_UNPATCH_CALLBACK(after_un);
`,
];

const MEMINFO = "fs/proc/meminfo.c";
const SOFTDOG = "drivers/watchdog/softdog.c";
const loaded = async (): Promise<void> => {
  for (const { name, data } of await loadOrder(task, kernel.target.modules ?? "", ["softdog"])) {
    if (name === "softdog") await guest.put("/run/softdog.ko", data);
    else {
      await guest.put("/run/module.ko", data);
      await sh(`grep -q '^${name} ' /proc/modules || insmod /run/module.ko`);
    }
  }
};
const says = (object: string, ...events: string[]): string[] => events.map((event) => `${event} of ${object}, call`);
const plain = (lines: string[]): string[] => lines.map((line) => line.replace(/call \d+$/, "call"));

describe("callbacks", () => {
  let both: Built;

  test("are built into the descriptor of the object that their file is of, one with functions and one without", async () => {
    both = await build("both", {
      [MEMINFO]: [['"MemTotal:       "', '"MemTotal (new):  "'], FOUR("KPATCH")],
      // Of a module: it uses the module's own variable, and none of its functions changes.
      [SOFTDOG]: [FOUR("KPATCH"), ["++calls);", '++calls);\n\tif (obj->mod)\n\t\tpr_info("heard: soft_margin %u\\n", soft_margin);']],
    });
    expect(both.manifest.functions.map(({ owner, name }) => `${owner} ${name}`)).toEqual(["vmlinux meminfo_proc_show"]);
    const expected = (name: string) => ({
      name,
      callbacks: [
        { kind: "pre_patch", name: "before" },
        { kind: "post_patch", name: "after" },
        { kind: "pre_unpatch", name: "before_un" },
        { kind: "post_unpatch", name: "after_un" },
      ],
    });
    const { descriptor, faults } = inspect(both.bytes, "both.ko");
    expect(faults).toEqual([]);
    expect(descriptor).toMatchObject({ replace: false, states: [], objects: [expected("softdog"), expected("vmlinux")] });
    expect(both.manifest.callbacks?.map(({ owner, kind, name }) => `${owner} ${kind} ${name}`)).toHaveLength(8);
  });

  test("run in their order, those of a module when it comes and goes", async () => {
    await guest.put("/run/both.ko", both.bytes);
    await loaded();
    expect(plain(await heard(LOAD("both")))).toEqual(says("vmlinux", "pre_patch", "post_patch"));
    expect(await sh("head -n 1 /proc/meminfo")).toMatch(/^MemTotal \(new\):/);
    // Functions like others: they can be traced.
    const traceable = await sh("grep -F '[livepatch_both]' /sys/kernel/debug/tracing/available_filter_functions");
    for (const name of ["before", "after", "before_un", "after_un"]) expect(traceable).toMatch(new RegExp(`^${name} `, "m"));
    const margin = ["soft_margin 60"];
    const ofModule = (...events: string[]): string[] => says("softdog", ...events).flatMap((line) => [line, ...margin]);
    expect(plain(await heard("insmod /run/softdog.ko"))).toEqual(ofModule("pre_patch", "post_patch"));
    expect(plain(await heard("rmmod softdog"))).toEqual(ofModule("pre_unpatch", "post_unpatch"));
    // Each object has variables of its own.
    expect(await heard(DISABLE("both"))).toEqual(["pre_unpatch of vmlinux, call 3", "post_unpatch of vmlinux, call 4"]);
    expect(await sh(`${REMOVE("both")}; head -n 1 /proc/meminfo`)).toMatch(/^MemTotal: /);
    // While the module is there.
    await sh("insmod /run/softdog.ko");
    expect(plain(await heard(LOAD("both")))).toEqual([
      ...ofModule("pre_patch"),
      ...says("vmlinux", "pre_patch"),
      ...ofModule("post_patch"),
      ...says("vmlinux", "post_patch"),
    ]);
    expect(plain(await heard(DISABLE("both")))).toEqual([
      ...ofModule("pre_unpatch"),
      ...says("vmlinux", "pre_unpatch"),
      ...ofModule("post_unpatch"),
      ...says("vmlinux", "post_unpatch"),
    ]);
    await sh(`${REMOVE("both")}; rmmod softdog`);
  });

  test("that refuse keep the patch out, and the kernel as it is", async () => {
    const { bytes, manifest } = await build("refusing", {
      [MEMINFO]: [['"MemTotal:       "', '"MemTotal (new):  "'], FOUR("KPATCH", "-EBUSY")],
    });
    const file = join(folder, "livepatch-refusing.ko");
    writeFileSync(file, bytes);
    const report = await trial(task, guest, { module: file, probes: ["head -n 1 /proc/meminfo; ls /sys/kernel/livepatch"] });
    expect(manifest.callbacks).toHaveLength(4);
    expect(report).toMatchObject({ outcome: "refused", refusal: { errno: "EBUSY" }, events: [] });
    expect(report.failure?.why).toContain("its pre_patch callback for vmlinux returned an error");
    // Nothing but that callback ran. (busybox tries each of the two system calls.)
    expect(new Set(said(report.log))).toEqual(new Set(["pre_patch of vmlinux, call 1"]));
    expect(await sh("head -n 1 /proc/meminfo; ls /sys/kernel/livepatch; grep -c livepatch_ /proc/modules || true")).toMatch(
      /^MemTotal: .*\n0\n$/,
    );
  });

  test("of a module that refuse keep that module out, and nothing else", async () => {
    const { bytes } = await build("picky", { [SOFTDOG]: [FOUR("KLP", "-ENODEV", "livepatch_helpers.h")] });
    await guest.put("/run/picky.ko", bytes);
    expect(await heard(LOAD("picky"))).toEqual([]);
    const { code, log } = await guest.run("insmod /run/softdog.ko");
    expect(code).toBe(19);
    expect(log.map(({ text }) => text)).toEqual(
      expect.arrayContaining([expect.stringContaining("pre-patch callback failed for object 'softdog'")]),
    );
    expect(await heard(DISABLE("picky"))).toEqual([]);
    await sh(`${REMOVE("picky")}; insmod /run/softdog.ko; rmmod softdog`);
  });

  test("of a patch that is replaced do not run: those of the new one do", async () => {
    const name = (text: string): Edit => ['"MemTotal:       "', `"MemTotal (${text}):  "`];
    const one = await build("one", { [MEMINFO]: [name("one"), FOUR("KPATCH")] });
    const two = await build("two", { [MEMINFO]: [name("two"), FOUR("KLP", "0", "livepatch_helpers.h")] }, true);
    expect(inspect(two.bytes, "two.ko").descriptor?.replace).toBe(true);
    await guest.put("/run/one.ko", one.bytes);
    await guest.put("/run/two.ko", two.bytes);
    expect(await heard(LOAD("one"))).toEqual(["pre_patch of vmlinux, call 1", "post_patch of vmlinux, call 2"]);
    expect(await heard(LOAD("two"))).toEqual(["pre_patch of vmlinux, call 1", "post_patch of vmlinux, call 2"]);
    expect(await sh(`${REMOVE("one")}; head -n 1 /proc/meminfo`)).toMatch(/^MemTotal \(two\):/);
    expect(await heard(DISABLE("two"))).toEqual(["pre_unpatch of vmlinux, call 3", "post_unpatch of vmlinux, call 4"]);
    await sh(REMOVE("two"));
  });

  test("of one kind, two for one object, are refused by name: in one file and in two", async () => {
    const second: Edit = [/$/, "static void other(patch_object *obj) { calls = 9; }\nKPATCH_POST_PATCH_CALLBACK(other);\n"];
    expect(await refusal({ [MEMINFO]: [FOUR("KPATCH"), second] })).toMatchObject({
      code: "DIFF_MARK",
      message: expect.stringMatching(/(after and other|other and after) are both post_patch callbacks/),
    });
    const alone: Edit = [
      /$/,
      `\n#include "kpatch-macros.h"\nstatic int alone(patch_object *obj) { return 0; }\nKPATCH_PRE_PATCH_CALLBACK(alone);\n`,
    ];
    expect(await refusal({ [MEMINFO]: [FOUR("KPATCH")], "fs/proc/uptime.c": [alone] })).toMatchObject({
      code: "KLP_DUPLICATE_CALLBACK",
      message: expect.stringContaining("before of fs/proc/meminfo.o and alone are both pre_patch of vmlinux"),
    });
  });

  test("with other parameters or another result do not compile", async () => {
    const wrong: Edit = [
      /$/,
      `\n#include "kpatch-macros.h"\nstatic void wrong(patch_object *obj) { }\nKPATCH_PRE_PATCH_CALLBACK(wrong);\n`,
    ];
    expect(await refusal({ [MEMINFO]: [wrong] })).toMatchObject({ code: "BUILD_COMPILE" });
  });
});

describe("the other macros", () => {
  test("system calls, static calls, messages; what is ignored stays; what is forced is noted", async () => {
    const { bytes, manifest } = await build("macros", {
      "kernel/sys.c": [
        [/^#include "uid16.h"$/m, '#include "uid16.h"\n#include "kpatch-syscall.h"'],
        ["SYSCALL_DEFINE2(sethostname, ", "KPATCH_SYSCALL_DEFINE2(sethostname, "],
        [
          "if (len < 0 || len > __NEW_UTS_LEN)\n\t\treturn -EINVAL;\n\terrno = -EFAULT;\n\tif (!copy_from_user(tmp, name, len)) {",
          `if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	KPATCH_PRINTK("heard: a new name of %d letters\\n", len);
	errno = -EFAULT;
	if (!copy_from_user(tmp, name, len)) {`,
        ],
      ],
      [MEMINFO]: [
        ['#include "internal.h"', '#include "internal.h"\n#include "kpatch-macros.h"\n#include <linux/sched.h>'],
        [
          "\tarch_report_meminfo(m);\n",
          '\tarch_report_meminfo(m);\n\tseq_printf(m, "Static call: %d\\n", KPATCH_STATIC_CALL(might_resched)());\n',
        ],
        [/$/, "KPATCH_FORCE_UNSAFE(meminfo_proc_show)\n"],
      ],
      "fs/proc/uptime.c": [
        [/seq_printf\(m, "%lu/, 'seq_printf(m, "up %lu'],
        [/$/, '#include "kpatch-macros.h"\nKPATCH_IGNORE_FUNCTION(uptime_proc_show);\n'],
      ],
    });
    const names = manifest.functions.map(({ name }) => name);
    expect(names).toContain("meminfo_proc_show");
    expect(names.filter((name) => name !== "meminfo_proc_show").every((name) => /sethostname$/.test(name))).toBe(true);
    expect(manifest.skipped).toEqual([
      { object: "fs/proc/uptime.o", name: "uptime_proc_show", why: expect.stringContaining("the fix says that it is to be ignored") },
    ]);
    expect(manifest.notes).toEqual(
      expect.arrayContaining([{ object: "fs/proc/meminfo.o", text: expect.stringContaining("KPATCH_FORCE_UNSAFE(meminfo_proc_show)") }]),
    );
    await guest.put("/run/macros.ko", bytes);
    await sh(LOAD("macros"));
    expect(await heard("hostname patched-name")).toEqual(["a new name of 12 letters"]);
    expect(await sh("hostname")).toBe("patched-name\n");
    // 1 if another task ran in between, which is for the guest to say.
    expect(await sh("grep Static /proc/meminfo")).toMatch(/^Static call: [01]\n$/);
    expect(await sh("cat /proc/uptime")).toMatch(/^\d/);
    await sh(`${DISABLE("macros")}; ${REMOVE("macros")}`);
    expect(await heard("hostname plain")).toEqual([]);
    expect(await sh("hostname; grep -c Static /proc/meminfo || true")).toBe("plain\n0\n");
  });

  test("klp-build's names for the same", async () => {
    const { bytes } = await build("klp", {
      "kernel/sys.c": [
        [/^#include "uid16.h"$/m, '#include "uid16.h"\n#include <linux/livepatch_helpers.h>'],
        ["SYSCALL_DEFINE2(sethostname, ", "KLP_SYSCALL_DEFINE2(sethostname, "],
        [
          "\tif (len < 0 || len > __NEW_UTS_LEN)\n\t\treturn -EINVAL;\n\terrno = -EFAULT;\n\tif (!copy_from_user(tmp, name, len)) {",
          `	pr_info("heard: %d\\n", KLP_STATIC_CALL(might_resched)());
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	errno = -EFAULT;
	if (!copy_from_user(tmp, name, len)) {`,
        ],
      ],
    });
    await guest.put("/run/klp.ko", bytes);
    await sh(LOAD("klp"));
    // As above, 1 if another task ran in between.
    expect(await heard("hostname x")).toEqual([expect.stringMatching(/^[01]$/)]);
    await sh(`${DISABLE("klp")}; ${REMOVE("klp")}`);
  });

  test("names that nothing has are refused", async () => {
    const include: Edit = ['#include "internal.h"', '#include "internal.h"\n#include "kpatch-macros.h"'];
    const unknown = (macro: string): Promise<SutureError> => refusal({ [MEMINFO]: [include, [/$/, `${macro}\n`]] });
    expect(await unknown('KPATCH_IGNORE_SECTION(".data.nothing")')).toMatchObject({
      code: "DIFF_MARK",
      message: expect.stringMatching(/\.data\.nothing/),
    });
    expect(await unknown("KPATCH_IGNORE_FUNCTION(nothing)")).toMatchObject({ code: "BUILD_COMPILE" });
    // Its code is in its callers.
    expect(await unknown("KPATCH_FORCE_UNSAFE(show_val_kb)")).toMatchObject({
      code: "DIFF_MARK",
    });
  });
});

test("the guest's kernel has nothing to complain of", () => {
  expect(guest.events()).toEqual([]);
});
