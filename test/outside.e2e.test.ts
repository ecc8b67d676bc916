/** A module whose source is outside of the kernel's tree: proven against its .ko file, patched while it is loaded, and before it is. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { boot, type Guest } from "@suture/lab";
import { run, Task } from "@suture/task";
import { testContext } from "@suture/testkit/context";
import { documentIn } from "@suture/testkit/document";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-outside-"));
const source = join(folder, "source");
const module = join(folder, "suture_sample.ko");

const FILES: Record<string, string> = {
  Kbuild: "obj-m := suture_sample.o\nsuture_sample-y := main.o parts/text.o\nccflags-y := -I$(src)/include\n",
  "include/sample.h": `#include <linux/seq_file.h>
void sample_say(struct seq_file *m);
static inline int sample_number(void) { return 41; }
`,
  "main.c": `#include <linux/module.h>
#include <linux/proc_fs.h>
#include "sample.h"
static int show(struct seq_file *m, void *v)
{
	sample_say(m);
	return 0;
}
static int __init sample_init(void)
{
	return proc_create_single("suture_sample", 0444, NULL, show) ? 0 : -ENOMEM;
}
static void __exit sample_exit(void)
{
	remove_proc_entry("suture_sample", NULL);
}
module_init(sample_init);
module_exit(sample_exit);
MODULE_LICENSE("GPL");
`,
  "parts/text.c": `#include <linux/bug.h>
#include "sample.h"
static int shown;
noinline void sample_say(struct seq_file *m)
{
	WARN_ON_ONCE(!m);
	seq_printf(m, "old %d, shown %d from %s\\n", sample_number(), ++shown, __FILE__);
}
`,
};

let kernel: KernelContext;
let guest: Guest;

beforeAll(async () => {
  kernel = await testContext();
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(source, name, ".."), { recursive: true });
    writeFileSync(join(source, name), text);
  }
  await run(new Task(), ["make", ...kernel.target.make, `M=${source}`, "modules"], { cwd: kernel.target.tree });
  copyFileSync(join(source, "suture_sample.ko"), module);
  // As distributed: the source as it was unpacked, and the module apart from it.
  for (const name of ["main.o", "parts/text.o", "suture_sample.o", "suture_sample.ko", "Module.symvers"]) rmSync(join(source, name));
}, 600_000);
afterAll(async () => {
  await guest?.stop();
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

function suture(...args: string[]): { code: number | null; report: unknown } {
  const of = ["--kernel", kernel.target.release, "--module-source", source, "--module", module, "--json"];
  const { status, stdout } = spawnSync(program, [...args, ...of], { cwd: folder, encoding: "utf8" });
  return { code: status, report: documentIn(stdout) };
}

function patchOf(name: string, file: string, from: string, to: string): string {
  const before = FILES[file] ?? "";
  writeFileSync(join(folder, name), createTwoFilesPatch(`a/${file}`, `b/${file}`, before, before.replace(from, to)));
  return name;
}

test("its objects are proven against its file", () => {
  expect(suture("prove", "main.o", "parts/text.c").report).toMatchObject({
    objects: [
      { object: "main.o", owner: "suture_sample", functions: 5, proven: 5 },
      { object: "parts/text.o", owner: "suture_sample", functions: 1, proven: 1 },
    ],
  });
});

test("a changed header reaches its objects, and a source that is not that of the file is refused", () => {
  const patch = patchOf("header.patch", "include/sample.h", "return 41", "return 42");
  expect(suture("build", patch).report).toMatchObject({ manifest: { functions: [{ object: "parts/text.o", name: "sample_say" }] } });
  const text = FILES["parts/text.c"] ?? "";
  writeFileSync(join(source, "parts/text.c"), text.replace("++shown", "shown++"));
  expect(suture("build", "--rebuild", "parts/text.o")).toMatchObject({ code: 1, report: { error: { code: "BUILD_UNPROVEN" } } });
  writeFileSync(join(source, "parts/text.c"), text);
  const other = readFileSync(module, "latin1").replaceAll(
    `vermagic=${kernel.target.release}`,
    `vermagic=${"6".repeat(kernel.target.release.length)}`,
  );
  writeFileSync(join(folder, "other.ko"), other, "latin1");
  expect(suture("build", patch, "--module", "other.ko").report).toMatchObject({ error: { code: "OUTSIDE_MODULE" } });
});

test("it is patched while it is loaded, and when it is loaded after the livepatch", async () => {
  const { report } = suture("build", patchOf("fix.patch", "parts/text.c", "old %d", "new %d"));
  expect(report).toMatchObject({ manifest: { functions: [{ name: "sample_say" }], modules: [{ name: "suture_sample" }] } });
  guest = await boot(new Task(), {
    image: kernel.target.image,
    files: [
      { path: "/root/sample.ko", content: { file: module } },
      { path: "/root/fix.ko", content: { file: join(folder, "livepatch-fix.ko") } },
    ],
  });
  const said = async (...commands: string[]): Promise<string> => {
    const { output } = await guest.run(commands.join(" && "), { timeoutMs: 120_000 });
    return output.replace(/, shown.*/, "").trim();
  };
  const patch = "/sys/kernel/livepatch/livepatch_fix";
  const settled = `while [ -e ${patch} ] && [ "$(cat ${patch}/transition 2>/dev/null)" = 1 ]; do usleep 50000; done`;
  const gone = `while ! rmmod livepatch_fix 2>/dev/null; do usleep 50000; done`;
  const show = "cat /proc/suture_sample";
  expect(await said("insmod sample.ko", show)).toBe("old 41");
  expect(await said("insmod fix.ko", settled, show)).toBe("new 41");
  expect(await said(`echo 0 >${patch}/enabled`, settled, show, gone)).toBe("old 41");
  expect(await said("rmmod suture_sample", "insmod fix.ko", settled, "insmod sample.ko", show)).toBe("new 41");
  expect(await said(`echo 0 >${patch}/enabled`, settled, show, gone)).toBe("old 41");
  expect(guest.events()).toEqual([]);
});
