/**
 * New members in padding of structures whose objects are alive (--hole, docs/means.md) in a stock kernel: objects that were there before and new ones, in,
 * out, in again, replaced by the next; and what must be refused.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { type BuildOptions, type Livepatch, readPredecessor } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { OWN } from "@suture/testkit/series";
import { staticProgram } from "@suture/testkit/static-program";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-holes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIMER = "fs/timerfd.c";
const MEMBER: Edit = [TIMER, /(struct timerfd_ctx \{[\s\S]*?bool might_cancel;)/, "$1\n\tunsigned char sets;"];
/** How often a timer was set. */
const SETS: readonly Edit[] = [
  MEMBER,
  [TIMER, /(\ttimerfd_setup_cancel\(ctx, flags\);\n)/, "$1\tctx->sets++;\n"],
  [TIMER, /("clockid: %d\\n")/, '"sets: %u\\n"\n\t\t   $1'],
  [TIMER, /(\n\t\t {3}ctx->clockid,)/, "\n\t\t   READ_ONCE(ctx->sets),$1"],
];
const NEXT: readonly Edit[] = [["fs/proc/cmdline.c", /(seq_puts\(m, saved_command_line\);)/, '$1 seq_puts(m, " next");']];
const EVENT = "fs/eventfd.c";

/** Of each what stands in the way. */
const REFUSED: readonly (readonly [why: string, edits: readonly Edit[], code: string, ground: string])[] = [
  [
    "memory that is not cleared",
    [
      [EVENT, /(struct eventfd_ctx \{\n\tstruct kref kref;)/, "$1\n\tunsigned int writes;"],
      [EVENT, /(\tctx->flags = flags;\n)/, "$1\tctx->writes = 0;\n"],
    ],
    "BUILD_HOLE",
    "kmalloc() does not clear its memory",
  ],
  [
    "objects on the stack",
    [
      ["fs/namei.c", /(struct nameidata \{[^;]*;[\s\S]*?umode_t\s+dir_mode;)/, "$1\n\tbool marked;"],
      ["fs/namei.c", /(\tp->depth = 0;\n)/, "$1\tp->marked = false;\n"],
    ],
    "BUILD_HOLE",
    "on the stack",
  ],
  [
    "a list",
    [[TIMER, /(struct timerfd_ctx \{[\s\S]*?bool might_cancel;)/, "$1\n\tstruct list_head more;"]],
    "BUILD_HOLE",
    "a structure or union of its own",
  ],
  [
    "a structure by another name",
    [
      [TIMER, /(struct timerfd_ctx \{)/, "typedef struct { unsigned char is; } mark_t;\n$1"],
      [TIMER, /(struct timerfd_ctx \{[\s\S]*?bool might_cancel;)/, "$1\n\tmark_t mark;"],
      [TIMER, /(\ttimerfd_setup_cancel\(ctx, flags\);\n)/, "$1\tctx->mark.is = 1;\n"],
    ],
    "BUILD_LAYOUT",
    "of which 0 may be no value",
  ],
  [
    "what the constructor makes another value than 0",
    [...SETS, [TIMER, /(\tctx->clockid = clockid;\n)/, "$1\tctx->sets = 1;\n"]],
    "BUILD_HOLE",
    "is given 1 where an object is made",
  ],
  [
    "more than padding",
    [...SETS, [TIMER, /(struct timerfd_ctx \{[\s\S]*?unsigned char sets;)/, "$1\n\tlong more;"]],
    "BUILD_LAYOUT",
    "has a new member",
  ],
];

const PROGRAM = `#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
static int fd;
static void again(int number) { struct itimerspec when = { .it_value.tv_sec = 1000 }; (void)number; timerfd_settime(fd, 0, &when, 0); }
int main(void) { fd = timerfd_create(CLOCK_MONOTONIC, 0); if (fd != 3) return 1; signal(SIGUSR1, again); for (;;) pause(); }
`;

let kernel: KernelContext;
beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
}, 600_000);
afterAll(() => kernel?.close());

async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
  return buildEdits(task, kernel, { folder, name, edits, ...more });
}

test("without somebody's word, or with --plain, it is refused", async () => {
  const told = { code: "BUILD_LAYOUT", message: expect.stringContaining("in what was padding (sets)") };
  await expect(build("word", SETS)).rejects.toMatchObject({ ...told, mend: expect.stringContaining("--hole timerfd_ctx.sets") });
  await expect(build("plain", SETS, { holes: ["all"], plain: true })).rejects.toMatchObject(told);
  await expect(build("other", SETS, { holes: ["timerfd_ctx.gets"] })).rejects.toMatchObject({ code: "BUILD_HOLE" });
});

test.each(REFUSED)("refused: %s", async (_, edits, code, ground) => {
  const holes = code === "BUILD_LAYOUT" && ground.startsWith("has") ? ["timerfd_ctx.sets"] : ["all"];
  await expect(build("refused", edits, { holes })).rejects.toMatchObject({ code, message: expect.stringContaining(ground) });
});

/** `sets PID`, `again PID`. */
const WORDS = `
sets() { grep sets /proc/$1/fdinfo/3 || echo none; }
again() { kill -USR1 $1; sleep 1; }
`;

test("a new member lies in padding of old and new objects", async () => {
  const first = await build("first", SETS, { holes: ["timerfd_ctx.sets"] });
  expect(first.manifest).toMatchObject({
    holes: [{ type: "timerfd_ctx", name: "sets", file: TIMER, declaration: "unsigned char sets", begins: [{ file: TIMER }] }],
    made: { holes: ["timerfd_ctx.sets"] },
  });
  const [hole] = first.manifest.holes ?? [];
  expect(first.manifest.states).toEqual([{ id: hole?.state, version: 1 }]);
  expect(first.manifest.notes).toContainEqual(expect.objectContaining({ text: expect.stringContaining("what was padding") }));
  const next = await build("next", NEXT, { predecessor: await readPredecessor(join(folder, first.file)) });
  expect(next.manifest.holes).toEqual(first.manifest.holes);
  const ignorant = await build("ignorant", NEXT, { replace: true });
  const guest = await bootWith(task, kernel, [first, next, ignorant]);
  try {
    await guest.put("/m/timer", staticProgram(PROGRAM), 0o755);
    const old = await said(
      guest,
      `${WORDS} /m/timer & old=$!; echo $old >/run/old; sleep 1; again $old; sets $old; load livepatch-first; sets $old; again $old; again $old; sets $old`,
    );
    expect(old).toBe("none\nsets: 0\nsets: 2\n");
    const young = await said(
      guest,
      `${WORDS} /m/timer & new=$!; sleep 1; sets $new; again $new; sets $new; kill $new; wait $new 2>/dev/null; :`,
    );
    expect(young).toBe("sets: 0\nsets: 1\n");
    // What new code wrote stays while it is out.
    const again = await said(
      guest,
      `${WORDS} old=$(cat /run/old); unload livepatch_first; sets $old; again $old; load livepatch-first; sets $old`,
    );
    expect(again).toBe("none\nsets: 2\n");
    const taken = await said(
      guest,
      `${WORDS} old=$(cat /run/old); insmod /m/livepatch-ignorant.ko 2>/dev/null || echo refused
       load livepatch-next; ls /sys/kernel/livepatch; rmmod livepatch_first; sets $old; again $old; sets $old
       unload livepatch_next; sets $old; kill $old`,
    );
    expect(taken).toBe("refused\nlivepatch_next\nsets: 2\nsets: 3\nnone\n");
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
});
