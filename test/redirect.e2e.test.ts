/**
 * Functions without an ftrace entry that a probe of the kernel redirects (--redirect, docs/means.md) in a stock kernel: while calls go on all the time, in,
 * out, in again, beside another's probe, and taken over by the next livepatch.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { Guest } from "@suture/lab";
import { type BuildOptions, type Livepatch, readPredecessor } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, buildFrom, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { CHOSEN } from "@suture/testkit/series";
import { staticProgram } from "@suture/testkit/static-program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-redirect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROBED = "bitmap_print_to_pagebuf";
/** What lib/ prints of /sys/devices/system/cpu/online. */
const printed = (tree: string): Edit => [
  ["lib/bitmap-str.c", "lib/bitmap.c"].find((file) => existsSync(join(tree, file))) ?? expect.fail(),
  /(int bitmap_print_to_pagebuf\([^}]*?"%\*pbl)\\n/,
  "$1 probed\\n",
];
/** Somebody sleeps in it. */
const PIPE: Edit = ["fs/pipe.c", /(Null read succeeds[^(]*\(unlikely\(total_len == 0)/, "$1 || total_len == SIZE_MAX"];
const NEXT: Edit = ["fs/proc/cmdline.c", /(seq_puts\(m, saved_command_line\);)/, '$1 seq_puts(m, " next");'];
/** That handles probes itself. */
const FORBIDDEN: Edit = [
  "kernel/trace/trace_kprobe.c",
  /(static int kprobe_dispatcher\([^{]*\{[^}]*?int ret = 0;\n)/,
  "$1\n\tif (!regs)\n\t\treturn 0;\n",
];

/** Another's probe. */
const OTHER = `#include <linux/kprobes.h>
#include <suture.h>
static int before(struct kprobe *probe, struct pt_regs *regs)
{
	return 0;
}
static struct kprobe other = { .symbol_name = "${PROBED}", .pre_handler = before };
static int in(struct klp_object *obj)
{
	return register_kprobe(&other);
}
static void out(struct klp_object *obj)
{
	unregister_kprobe(&other);
}
SUTURE_PRE_PATCH("vmlinux", in);
SUTURE_POST_UNPATCH("vmlinux", out);
`;

const READER = `#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
/* Reads so many times: how many are one, the other or neither, and what one takes. */
int main(int argc, char **argv)
{
  int old = 0, new = 0, neither = 0, rounds = atoi(argv[1]), fd = open("/sys/devices/system/cpu/online", O_RDONLY);
  double begin = now();
  for (int i = 0; i < rounds; i++) {
    char text[64] = "";
    pread(fd, text, 63, 0);
    if (!strcmp(text, "0-1\\n")) old++; else if (!strcmp(text, "0-1 probed\\n")) new++; else neither++;
  }
  printf("%d old %d new %d neither\\n", old, new, neither);
  fprintf(stderr, "%.0f\\n", (now() - begin) / rounds);
  return 0;
}
`;

const WORDS = `
online=/sys/devices/system/cpu/online
says() { cat /sys/module/$1/parameters/redirects; }
off() { echo 0 >/sys/kernel/livepatch/$1/enabled && settle; }
probes() { grep -c ${PROBED} /sys/kernel/debug/kprobes/list; true; }
read_on() { (while [ ! -e /run/stop ]; do /m/reader 20000 2>/dev/null; done >/run/read) & }
read_end() { touch /run/stop; wait; rm /run/stop; ! grep -v " 0 neither" /run/read; }
`;

// With landing pads, behind which a probe is, there is more to go wrong.
describe.each(CHOSEN)("%s", (_, releases) => {
  let kernel: KernelContext;
  let edit: Edit;
  beforeAll(async () => {
    kernel = await kernelOf(task, releases);
    edit = printed(kernel.target.tree);
  }, 600_000);
  afterAll(() => kernel?.close());

  async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
    return buildEdits(task, kernel, { folder, name, edits, ...more });
  }

  test("by somebody's word only, and where the kernel allows it", async () => {
    const [redirects, other] = [[PROBED], ["kprobe_dispatcher"]];
    await expect(build("word", [edit])).rejects.toMatchObject({ code: "DIFF_NOT_PATCHABLE" });
    await expect(build("plain", [edit], { redirects, plain: true })).rejects.toMatchObject({ code: "DIFF_NOT_PATCHABLE" });
    await expect(build("needless", [NEXT], { redirects: ["cmdline_proc_show"] })).rejects.toMatchObject({ code: "BUILD_REDIRECT" });
    await expect(build("forbidden", [FORBIDDEN], { redirects: other })).rejects.toMatchObject({
      code: "DIFF_REDIRECT",
      message: expect.stringContaining("NOKPROBE_SYMBOL"),
    });
  });

  test("a function of lib/ is redirected while it is called all the time", async () => {
    const redirects = [`${edit[0].replace(/c$/, "o")}:${PROBED}`];
    const first = await build("first", [edit], { redirects: [PROBED] });
    expect(first.manifest).toMatchObject({ functions: [], redirects: [{ owner: "vmlinux", function: PROBED }], made: { redirects } });
    const again = await build("again", [edit], { redirects });
    const piped = await build("piped", [edit, PIPE], { redirects });
    expect(piped.manifest.functions.map(({ name }) => name)).toEqual(["pipe_read"]);
    const stacked = await build("stacked", [edit], { redirects });
    const next = await build("next", [NEXT], { predecessor: await readPredecessor(join(folder, again.file)) });
    expect(next.manifest.made?.redirects).toEqual(redirects);
    expect(next.manifest.states).toEqual(again.manifest.states);
    const ignorant = await build("ignorant", [NEXT], { replace: true });
    const source = join(folder, "other.c");
    writeFileSync(source, OTHER);
    const other = await buildFrom(task, kernel, source);
    const guest = await bootWith(task, kernel, [piped, first, again, stacked, next, ignorant, other]);
    try {
      await guest.put("/m/reader", staticProgram(READER), 0o755);
      await said(guest, "mount -t debugfs debugfs /sys/kernel/debug; true");
      await turnedBack(guest);
      await inAndOut(guest);
      await besideAnother(guest);
      await takenOver(guest);
      expect(guest.events()).toEqual([]);
    } finally {
      await guest.stop();
    }
  });
});

/** On its way in nothing is armed, and nothing stays; on its way out the probe is not armed, and is again when that is turned back. */
async function turnedBack(guest: Guest): Promise<void> {
  const enabled = "/sys/kernel/livepatch/livepatch_piped/enabled";
  const [out, armed] = ["out", "in"].map((word) => `${word} vmlinux ${PROBED} 0\n`);
  const turned = await said(
    guest,
    `${WORDS} sleeper() { (sleep 600 | cat) 2>/dev/null & sleep 1; }; awake() { killall sleep; }
     sleeper; insmod /m/livepatch-piped.ko; cat $online; says livepatch_piped; probes; echo 0 >${enabled}; settle; sleep 0.5; probes
     rmmod livepatch_piped && awake; load livepatch-piped; cat $online; says livepatch_piped
     sleeper; echo 0 >${enabled}; cat /sys/kernel/livepatch/livepatch_piped/transition; cat $online; says livepatch_piped; probes
     echo 1 >${enabled}; settle; cat $online; says livepatch_piped
     awake; off livepatch_piped; cat $online; probes`,
  );
  expect(turned).toBe(`0-1\n${out}1\n0\n0-1 probed\n${armed}1\n0-1\n${out}1\n0-1 probed\n${armed}0-1\n0\n`);
}

async function inAndOut(guest: Guest): Promise<void> {
  const out = `out vmlinux ${PROBED} 0\n`;
  expect(await said(guest, `${WORDS} cat $online; probes`)).toBe("0-1\n0\n");
  expect(await said(guest, `${WORDS} read_on; load livepatch-first; sleep 2; cat $online; says livepatch_first; probes; read_end`)).toBe(
    `0-1 probed\nin vmlinux ${PROBED} 0\n1\n`,
  );
  const all = "/sys/kernel/debug/kprobes/enabled";
  const reads = await said(guest, `for on in 0 1 0 1 0 1 0 1; do echo $on >${all}; /m/reader 20000 2>&1 >/dev/null; done`);
  const [without, within] = [0, 1].map((on) =>
    Math.min(
      ...reads
        .trim()
        .split("\n")
        .map(Number)
        .filter((_, i) => i % 2 === on),
    ),
  );
  console.info(`a read of the file: ${without} ns without, ${within} ns with a probe on its way`);
  // Whoever disarms all probes takes it out of effect, which is told.
  expect(
    await said(guest, `${WORDS} echo 0 >${all}; cat $online; says livepatch_first; echo 1 >${all}; cat $online; says livepatch_first`),
  ).toBe(`0-1\n${out}0-1 probed\nin vmlinux ${PROBED} 0\n`);
  expect(await said(guest, `${WORDS} read_on; off livepatch_first; sleep 1; cat $online; says livepatch_first; probes; read_end`)).toBe(
    `0-1\n${out}0\n`,
  );
  // Somebody may be in its code for as long as he likes.
  expect(await said(guest, `rmmod livepatch_first 2>/dev/null || echo stays; insmod /m/livepatch-first.ko 2>/dev/null || echo stays`)).toBe(
    "stays\nstays\n",
  );
}

/** That one the kernel makes a jump, and may not while ours is there. Both are called. */
async function besideAnother(guest: Guest): Promise<void> {
  const list = "/sys/kernel/debug/kprobes/list";
  const both = await said(
    guest,
    `${WORDS} load livepatch-other; i=0; while ! grep -q OPTIMIZED ${list} && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
     grep -o OPTIMIZED ${list}; load livepatch-again; cat $online; says livepatch_again; grep -c OPTIMIZED ${list}; probes
     unload livepatch_other; cat $online; probes`,
  );
  expect(both).toBe(`OPTIMIZED\n0-1 probed\nin vmlinux ${PROBED} 0\n0\n2\n0-1 probed\n1\n`);
}

async function takenOver(guest: Guest): Promise<void> {
  const taken = await said(
    guest,
    `${WORDS} insmod /m/livepatch-ignorant.ko 2>/dev/null || echo refused; insmod /m/livepatch-stacked.ko 2>/dev/null || echo refused; probes
     read_on; load livepatch-next; sleep 1; ls /sys/kernel/livepatch; cat $online; says livepatch_again; says livepatch_next; probes; read_end
     grep -c " next" /proc/cmdline; grep -vc "^0 old 20000 new 0 neither" /run/read
     off livepatch_next; cat $online; probes; grep -c next /proc/cmdline`,
  );
  expect(taken).toBe(
    `refused\nrefused\n1\nlivepatch_next\n0-1 probed\nout vmlinux ${PROBED} 0\nin vmlinux ${PROBED} 0\n1\n1\n0\n0-1\n0\n0\n(1)\n`,
  );
}
