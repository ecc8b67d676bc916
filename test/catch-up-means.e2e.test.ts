/**
 * What a catch-up does besides replacing functions, by somebody's word (docs/means.md): a value of the kernel's data, a function without an ftrace entry and
 * a member in padding, in one livepatch, which a stock kernel loads and lets go again.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { catchUp, commitUnits } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { Repository } from "@suture/testkit/repository";
import { OWN } from "@suture/testkit/series";
import { afterAll, beforeAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "suture-catch-up-means-"));
const repository = new Repository(join(folder, "repository"));
const task = new Task();
const PIPE = "fs/pipe.c";
const TIMER = "fs/timerfd.c";
const SHOWN = "fs/proc/cmdline.c";
let kernel: KernelContext;
let lib: string;
let words: { acceptData: string[]; redirects: string[]; holes: string[] };

beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
  lib = ["lib/bitmap-str.c", "lib/bitmap.c"].find((file) => existsSync(join(kernel.sourceRoot, file))) ?? expect.fail();
  words = {
    acceptData: ["fs/pipe.o:pipe_max_size"],
    redirects: [`${lib.replace(/c$/, "o")}:bitmap_print_to_pagebuf`],
    holes: ["timerfd_ctx.marked"],
  };
  repository.copy(kernel.sourceRoot, [PIPE, TIMER, SHOWN, lib]);
  repository.commit("the release that runs");
  repository.git("tag", "from");
  repository.edit(PIPE, /(pipe_max_size = )1048576;/, "$1524288;");
  repository.commit("pipe: less at most");
  repository.edit(lib, /(int bitmap_print_to_pagebuf\([^}]*?"%\*pbl)\\n/, "$1 caught up\\n");
  repository.commit("lib: say more");
  repository.edit(TIMER, /(struct timerfd_ctx \{[\s\S]*?bool might_cancel;)/, "$1\n\tbool marked;");
  repository.edit(TIMER, /(\ttimerfd_setup_cancel\(ctx, flags\);\n)/, "$1\tctx->marked = true;\n");
  repository.edit(TIMER, /("clockid: %d\\n")/, '"marked: %d\\n"\n\t\t   $1');
  repository.edit(TIMER, /(\n\t\t {3}ctx->clockid,)/, "\n\t\t   READ_ONCE(ctx->marked),$1");
  repository.commit("timerfd: a mark");
  repository.edit(SHOWN, /\tseq_putc\(m, '\\n'\);\n/, "\tseq_putc(m, '!');\n\tseq_putc(m, '\\n');\n");
  repository.commit("cmdline: say more");
}, 600_000);
afterAll(() => {
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

const OPTIONS = { only: "all", leaveOut: [], take: [], acceptDoubt: [TIMER], acceptLayouts: [], acceptInits: [], unproven: false } as const;

async function caughtUp(options: Partial<Parameters<typeof catchUp>[3]>) {
  const plan = await commitUnits(task, kernel, [{ folder: repository.folder, range: "from..main" }]);
  return catchUp(task, kernel, plan, { ...OPTIONS, ...options });
}

test("without a word, or with --plain, each is left out for what it would need", async () => {
  for (const options of [{}, { ...words, plain: true }]) {
    const { report, livepatch } = await caughtUp(options);
    expect(report.units.map(({ title, state, reasons }) => [title, state, ...reasons.map(({ code }) => code)])).toEqual([
      ["pipe: less at most", "left out", "DIFF_DATA_CHANGED"],
      ["lib: say more", "left out", "DIFF_NOT_PATCHABLE"],
      ["timerfd: a mark", "left out", "BUILD_LAYOUT"],
      ["cmdline: say more", "carried"],
    ]);
    expect(livepatch?.manifest.callbacks).toBeUndefined();
  }
});

test.each([
  { acceptData: ["pipe_max_size"] },
  { acceptData: ["fs/nothing.o:pipe_max_size"] },
  { redirects: ["bitmap_print_to_pagebuf"] },
  { holes: ["all"] },
  { holes: ["timerfd_ctx.nothing"] },
])("a word that is for no one thing is refused: %j", async (options) => {
  await expect(caughtUp(options)).rejects.toMatchObject({ code: "CATCHUP_WORD" });
});

test("a member in padding that is not what it has to be leaves out who brings it", async () => {
  const two = new Repository(join(folder, "hole"));
  two.copy(kernel.sourceRoot, ["fs/eventfd.c", SHOWN]);
  two.commit("the release that runs");
  two.git("tag", "from");
  two.edit("fs/eventfd.c", /(struct eventfd_ctx \{\n\tstruct kref kref;)/, "$1\n\tunsigned int writes;");
  two.edit("fs/eventfd.c", /(\tctx->flags = flags;\n)/, "$1\tctx->writes = 0;\n");
  two.commit("eventfd: of memory that is not cleared");
  two.edit(SHOWN, /\tseq_putc\(m, '\\n'\);\n/, "\tseq_putc(m, '!');\n\tseq_putc(m, '\\n');\n");
  two.commit("cmdline: say more");
  const plan = await commitUnits(task, kernel, [{ folder: two.folder, range: "from..main" }]);
  const { report } = await catchUp(task, kernel, plan, { ...OPTIONS, acceptDoubt: ["fs/eventfd.c"], holes: ["eventfd_ctx.writes"] });
  expect(report.units.map(({ state, reasons }) => [state, ...reasons.map(({ code }) => code)])).toEqual([
    ["left out", "BUILD_HOLE"],
    ["carried"],
  ]);
});

test("by a word each goes in, all in one livepatch, and out again", async () => {
  const { report, livepatch } = await caughtUp(words);
  expect(report.units.map(({ state }) => state)).toEqual(["carried", "carried", "carried", "carried"]);
  const { manifest, bytes, file } = livepatch ?? expect.fail();
  expect(manifest).toMatchObject({
    live: [{ object: "fs/pipe.o", variable: "pipe_max_size" }],
    redirects: [{ function: "bitmap_print_to_pagebuf" }],
    holes: [{ type: "timerfd_ctx", name: "marked" }],
    made: words,
  });
  expect(manifest.states).toHaveLength(3);
  expect(manifest.notes.map(({ text }) => text).join("\n")).toMatch(/pipe_max_size is 0x80000 in place of 0x100000 .*has no ftrace entry/s);
  const name = `livepatch_${manifest.name.replaceAll("-", "_")}`;
  const guest = await bootWith(task, kernel, [{ file, bytes }]);
  try {
    const look = "cat /proc/sys/fs/pipe-max-size /sys/devices/system/cpu/online; grep -c '!$' /proc/cmdline";
    const [before, within] = ["1048576\n0-1\n0\n", "524288\n0-1 caught up\n1\n"];
    const parameters = `cat /sys/module/${name}/parameters/live_data /sys/module/${name}/parameters/redirects`;
    const all = (word: string): string => `${word} vmlinux pipe_max_size+0x0\n${word} vmlinux bitmap_print_to_pagebuf 0\n`;
    expect(
      await said(
        guest,
        `${look}; load ${file.replace(/\.ko$/, "")}; ${look}; ${parameters}
         echo 0 >/sys/kernel/livepatch/${name}/enabled; settle; ${look}; ${parameters}; true`,
      ),
    ).toBe(`${before}${within}${all("in")}${before}${all("out")}`);
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
});
