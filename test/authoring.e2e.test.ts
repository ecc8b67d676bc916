/** The examples of docs/authoring.md, built, loaded, at work and taken out again. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extractFunctions, readSources } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import type { Guest } from "@suture/lab";
import { buildLivepatch, type Livepatch, readPredecessor } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, buildExamples, buildFrom, EXAMPLE_CHECKS, kernelOf, said } from "@suture/testkit/authoring";
import { CHOSEN, OWN } from "@suture/testkit/series";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const REFUSING = `// SPDX-License-Identifier: GPL-2.0
#include <suture.h>
static int not_now(struct klp_object *obj)
{
	return -EBUSY;
}
SUTURE_PRE_PATCH("vmlinux", not_now);
`;

describe.each(CHOSEN)("on %s", (_, series) => {
  const task = new Task();
  const folder = mkdtempSync(join(tmpdir(), "suture-authoring-"));
  let kernel: KernelContext;
  let built: Livepatch[] = [];
  let guest: Guest;

  beforeAll(async () => {
    kernel = await kernelOf(task, series);
    built = await buildExamples(task, kernel);
    const refusing = join(folder, "refusing.c");
    writeFileSync(refusing, REFUSING);
    guest = await bootWith(task, kernel, [...built, await buildFrom(task, kernel, refusing)]);
  });
  afterAll(async () => {
    await guest?.stop();
    kernel?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a callback that returns an error keeps the livepatch out, and the kernel says which", async () => {
    const before = await said(guest, "loaded");
    const script = "load livepatch-refusing; dmesg | grep -o 'livepatch: pre-patch callback.*' | tail -n 1";
    expect(await said(guest, script)).toMatch(/^insmod: .*(?:busy|EBUSY).*\nlivepatch: pre-patch callback failed for object 'vmlinux'\n$/i);
    expect(await said(guest, "loaded")).toBe(before);
  });

  test("every example is built, proven, and has a check", () => {
    expect(built.map(({ file }) => file.slice("livepatch-".length, -".ko".length))).toEqual(EXAMPLE_CHECKS.map(({ name }) => name).sort());
    for (const { manifest } of built) expect(manifest.proof).toMatchObject({ proven: true });
  });

  test.each(EXAMPLE_CHECKS)("$name does its work, and leaves nothing behind", async ({ script, expected }) => {
    const from = guest.logPosition;
    const before = await said(guest, "loaded");
    expect(await said(guest, script)).toMatch(expected);
    expect(await said(guest, "loaded")).toBe(before);
    expect(guest.events(from)).toEqual([]);
  });
});

describe("what is made, and what is refused", () => {
  const task = new Task();
  let kernel: KernelContext;
  const folder = mkdtempSync(join(tmpdir(), "suture-authoring-"));
  beforeAll(async () => {
    kernel = await kernelOf(task, OWN);
  });
  afterAll(() => {
    kernel?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a function that was extracted is the same again", async () => {
    const { text, notes } = await extractFunctions(task, kernel, ["fs/timerfd.c:timerfd_poll"]);
    const file = join(folder, "extracted.c");
    writeFileSync(file, text, "latin1");
    const { manifest } = await buildFrom(task, kernel, file);
    expect(notes).toEqual([]);
    const [f] = manifest.functions;
    expect(f).toMatchObject({ name: "timerfd_poll", owner: "vmlinux", size: f?.sizeBefore });
  });

  test("a livepatch that is built upon another has all of it, once", async () => {
    const old = await buildFrom(task, kernel, join(import.meta.dirname, "../docs/examples/new-field.c"), "old");
    const path = join(folder, old.file);
    writeFileSync(path, old.bytes);
    const more = {
      patches: [],
      sources: await readSources([join(import.meta.dirname, "../docs/examples/repair.c")]),
      replace: false,
      unproven: false,
    };
    const states = [{ id: 5, version: 1 }];
    const { manifest } = await buildLivepatch(task, kernel, { ...more, predecessor: await readPredecessor(path), name: "new", states });
    expect(manifest).toMatchObject({
      replace: true,
      states,
      shadows: old.manifest.shadows,
      functions: old.manifest.functions.map(({ name }) => ({ name })),
    });
    expect(manifest.callbacks?.map(({ kind, name }) => [kind, name])).toEqual([
      ["post_patch", "repair_name"],
      ["post_unpatch", "suture_shadows_post_unpatch"],
      ["pre_unpatch", "suture_shadows_pre_unpatch"],
    ]);
    const again = {
      ...more,
      sources: await readSources([join(import.meta.dirname, "../docs/examples/new-field.c")]),
      predecessor: await readPredecessor(path),
    };
    await expect(buildLivepatch(task, kernel, again)).rejects.toMatchObject({ code: "BUILD_UPON" });
  });

  test("one that is to replace another and is turned back leaves it its shadow variables", async () => {
    const old = await buildFrom(task, kernel, join(import.meta.dirname, "../docs/examples/new-field.c"), "counts");
    const path = join(folder, old.file);
    writeFileSync(path, old.bytes);
    // A task that sleeps in what it replaces keeps it from getting in.
    const { text } = await extractFunctions(task, kernel, ["kernel/time/hrtimer.c:hrtimer_nanosleep"]);
    const file = join(folder, "sleeps.c");
    writeFileSync(file, text, "latin1");
    const sources = await readSources([file]);
    const upon = await buildLivepatch(task, kernel, {
      patches: [],
      sources,
      predecessor: await readPredecessor(path),
      name: "sleeps",
      replace: false,
      unproven: false,
    });
    const guest = await bootWith(task, kernel, [old, upon]);
    try {
      const script = `
        read_it() { tail -n +2 /proc/version; }
        transition=/sys/kernel/livepatch/livepatch_sleeps/transition
        hostname it; load livepatch-counts; read_it; read_it
        sleep 1000 & sleep 0.5
        insmod /m/livepatch-sleeps.ko; sleep 0.5; read_it; cat $transition
        echo 0 >/sys/kernel/livepatch/livepatch_sleeps/enabled; settle; rmmod livepatch_sleeps; read_it
        kill $!; insmod /m/livepatch-sleeps.ko; settle; rmmod livepatch_counts; read_it
        unload livepatch_sleeps; load livepatch-counts; read_it; unload livepatch_counts`;
      expect(await said(guest, script)).toBe(
        "reads of it: 1\nreads of it: 2\nreads of it: 3\n1\nreads of it: 4\nreads of it: 5\nreads of it: 1\n",
      );
    } finally {
      await guest.stop();
    }
  });

  const HEAD = "#include <linux/seq_file.h>\n#include <suture.h>\n";
  const NEW = "static int show(struct seq_file *m, void *v)\n{\n\treturn 0;\n}\n";

  test.each<[string, string, string, RegExp]>([
    [
      "another parameter",
      `${HEAD}static int show(struct seq_file *m, int v)\n{\n\treturn v;\n}\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_SIGNATURE",
      /parameter 2 \(v\) is int, not void \*: int version_proc_show\(struct seq_file \*m, void \*v\)/,
    ],
    [
      "another type that is returned",
      `${HEAD}static long show(struct seq_file *m, void *v)\n{\n\treturn 0;\n}\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_SIGNATURE",
      /it returns long int, not int/,
    ],
    [
      "a variable of another type",
      `${HEAD}extern long pipe_max_size;\nstatic void set(struct klp_object *o)\n{\n\tpipe_max_size = 1;\n}\nSUTURE_POST_PATCH("vmlinux", set);`,
      "AUTHORED_SIGNATURE",
      /pipe_max_size is declared as long int; the kernel's pipe_max_size is unsigned int/,
    ],
    [
      "a function that the kernel does not have",
      `${HEAD}${NEW}SUTURE_REPLACE("vmlinux", no_such_show, show);`,
      "AUTHORED_MISSING",
      /no C file of vmlinux seems to define no_such_show/,
    ],
    [
      "a symbol that the kernel does not have",
      `${HEAD}extern void no_such(void);\nstatic int show(struct seq_file *m, void *v)\n{\n\tno_such();\n\treturn 0;\n}\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_MISSING",
      /no_such is neither defined nor the kernel's/,
    ],
    [
      "a symbol that only the boot has",
      `${HEAD}extern void init_IRQ(void);\nstatic int show(struct seq_file *m, void *v)\n{\n\tinit_IRQ();\n\treturn 0;\n}\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_MISSING",
      /init_IRQ is only there while the kernel boots/,
    ],
    [
      "a function that only the boot has",
      `${HEAD}static void later(void)\n{\n}\nSUTURE_REPLACE("vmlinux", proc_root_init, later);`,
      "AUTHORED_MISSING",
      /proc_root_init is only there while the kernel boots/,
    ],
    [
      "a name that several functions have",
      `${HEAD}${NEW}SUTURE_REPLACE("vmlinux", s_show, show);`,
      "AUTHORED_AMBIGUOUS",
      /s_show may be that of .*kernel\/kallsyms\.c/,
    ],
    [
      "a symbol that several have",
      `${HEAD}extern int s_show(struct seq_file *m, void *p);\nstatic int show(struct seq_file *m, void *v)\n{\n\treturn s_show(m, v);\n}\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_AMBIGUOUS",
      /\d symbols are named s_show/,
    ],
    [
      "a function that is replaced twice",
      `${HEAD}${NEW}SUTURE_REPLACE("vmlinux", version_proc_show, show);\nSUTURE_REPLACE("vmlinux", version_proc_show, show);`,
      "AUTHORED_TWICE",
      /version_proc_show of vmlinux is replaced by show already \(refused\.c:\d+\)/,
    ],
    ["nothing", HEAD, "AUTHORED_SOURCE", /neither declares what it replaces/],
    [
      "a copied structure that lies otherwise",
      `${HEAD}#include <linux/utsname.h>\nstruct timerfd_ctx { int wrong; };\nextern int timerfd_show_fake;\nstatic ssize_t get(struct file *f, char __user *b, size_t n, loff_t *p)\n{\n\treturn ((struct timerfd_ctx *)f->private_data)->wrong;\n}\nSUTURE_REPLACE("vmlinux", timerfd_read, get);`,
      "BUILD_LAYOUT",
      /timerfd_ctx/,
    ],
  ])("%s", async (_, text, code, why) => {
    const file = join(folder, "refused.c");
    writeFileSync(file, `// SPDX-License-Identifier: GPL-2.0\n${text}\n`);
    await expect(buildFrom(task, kernel, file)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(why),
      mend: expect.stringMatching(/\w/),
    });
  });
});
