/**
 * New members of structures whose objects are alive (--shadow, docs/means.md) in a stock kernel: objects that were there before and new ones, freed with
 * them, in, out, in again, a disable that is turned back, and taken over by the next livepatch.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { Guest } from "@suture/lab";
import { type BuildOptions, type Livepatch, readPredecessor } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { OWN } from "@suture/testkit/series";
import { staticProgram } from "@suture/testkit/static-program";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-members-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How often something was written to an eventfd. */
const EVENTFD: readonly Edit[] = [
  ["fs/eventfd.c", /(struct eventfd_ctx \{[^}]*)\};/, "$1\tunsigned int writes;\n};"],
  ["fs/eventfd.c", /(\tif \(likely\(res > 0\)\) \{\n)(?=\t\tctx->count \+= ucnt)/, "$1\t\tctx->writes++;\n"],
  ["fs/eventfd.c", /(\tctx->flags = flags;\n)/, "$1\tctx->writes = 0;\n"],
  ["fs/eventfd.c", /(seq_printf\(m, "eventfd-id:[^;]*;)/, '$1\n\tseq_printf(m, "writes: %u\\n", READ_ONCE(ctx->writes));'],
];

const NEXT: readonly Edit[] = [["fs/proc/cmdline.c", /(seq_puts\(m, saved_command_line\);)/, '$1 seq_puts(m, " next");']];

/** Of one that waits on another's stack. */
const ADDRESS: readonly Edit[] = [...EVENTFD, ["fs/eventfd.c", /ctx->writes\+\+;/, "WRITE_ONCE(*&ctx->writes, 1);"]];
const STACK: readonly Edit[] = [
  ["fs/select.c", /(struct poll_list \{[^}]*?int len;)/, "$1\n\tint more;"],
  ["fs/select.c", /(\twalk->next = NULL;)/, "$1\n\twalk->more = 1;"],
];

const PROGRAM = `#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <elf.h>
/* So many heads of lists in a table of the running kernel lead to something. */
static int heads(unsigned long at, int count)
{
  Elf64_Ehdr head; Elf64_Phdr part; uint64_t words[512]; int used = 0, fd = open("/proc/kcore", O_RDONLY);
  if (pread(fd, &head, sizeof head, 0) != sizeof head) return -1;
  for (int i = 0; i < head.e_phnum; i++) {
    if (pread(fd, &part, sizeof part, head.e_phoff + i * sizeof part) != sizeof part) return -2;
    if (part.p_type != PT_LOAD || at < part.p_vaddr || at + 8L * count > part.p_vaddr + part.p_filesz) continue;
    for (int k = 0; k < count; k++) {
      if (k % 512 == 0 && pread(fd, words, 4096, part.p_offset + (at - part.p_vaddr) + 8L * k) != 4096) return -3;
      used += words[k % 512] != 0;
    }
    return used;
  }
  return -4;
}
static int fd;
static void again(int signal) { uint64_t one = 1; if (write(fd, &one, 8) != 8) _exit(3); }
int main(int argc, char **argv)
{
  if (!strcmp(argv[1], "heads")) return printf("%d\\n", heads(strtoul(argv[2], 0, 16), 4096)) < 0;
  if (!strcmp(argv[1], "many")) {
    /* What each new one says of itself, while others come and go on all processors. */
    int rounds = atoi(argv[2]), wrong = 0;
    for (int i = 0; i < rounds; i++) {
      char name[64], text[512] = ""; uint64_t one = 1; int own = eventfd(0, 0), info;
      snprintf(name, sizeof name, "/proc/self/fdinfo/%d", own);
      info = open(name, O_RDONLY); read(info, text, 511); close(info);
      wrong += strstr(text, "writes: 0\\n") == 0;
      for (int k = 0; k < i % 3; k++) write(own, &one, 8);
      info = open(name, O_RDONLY); memset(text, 0, 512); read(info, text, 511); close(info);
      snprintf(name, sizeof name, "writes: %d\\n", i % 3);
      wrong += strstr(text, name) == 0;
      close(own);
    }
    return printf("%d wrong\\n", wrong) < 0;
  }
  fd = eventfd(0, 0);
  if (!strcmp(argv[1], "full")) { uint64_t most = 0xfffffffffffffffeULL, one = 1; write(fd, &most, 8); write(fd, &one, 8); return 0; }
  signal(SIGUSR1, again);
  for (;;) pause();
}
`;

let kernel: KernelContext;
let guest: Guest;

beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
}, 600_000);
afterAll(() => kernel?.close());

async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
  return buildEdits(task, kernel, { folder, name, edits, ...more });
}

test("what is not certain is refused", async () => {
  await expect(build("word", EVENTFD)).rejects.toMatchObject({ code: "BUILD_LAYOUT" });
  await expect(build("plain", EVENTFD, { shadows: ["all"], plain: true })).rejects.toMatchObject({ code: "BUILD_LAYOUT" });
  await expect(build("other", EVENTFD, { shadows: ["eventfd_ctx.reads"] })).rejects.toMatchObject({ code: "BUILD_SHADOW_MEMBER" });
  await expect(build("address", ADDRESS, { shadows: ["all"] })).rejects.toMatchObject({ code: "BUILD_SHADOW_USE" });
  await expect(build("stack", STACK, { shadows: ["all"] })).rejects.toMatchObject({ code: "BUILD_SHADOW_OBJECT" });
});

/** `writes PID`, `again PID`, and how many shadow variables there are, nearly: `shadows`. */
const WORDS = `
writes() { grep writes /proc/$1/fdinfo/3 || echo none; }
again() { kill -USR1 $1; sleep 1; }
shadows() { sleep 1; /m/efd heads $(sed -n "s/^\\([0-9a-f]*\\) . klp_shadow_hash\\(\\t.*\\)\\?$/\\1/p" /proc/kallsyms); }
off() { echo 0 >/sys/kernel/livepatch/$1/enabled && settle; }
`;

test("a new member lies beside old and new objects, and ends with them", async () => {
  const first = await build("first", EVENTFD, { shadows: ["eventfd_ctx.writes"] });
  expect(first.manifest).toMatchObject({
    members: [{ type: "eventfd_ctx", name: "writes", file: "fs/eventfd.c", declaration: "unsigned int writes" }],
    made: { shadows: ["eventfd_ctx.writes"] },
  });
  const [member] = first.manifest.members ?? [];
  expect(member?.sites.map(({ what }) => what).sort()).toEqual(["begins", "ends", "read", "written", "written"]);
  expect(first.manifest.states).toEqual([{ id: member?.state, version: 1 }]);
  const next = await build("next", NEXT, { predecessor: await readPredecessor(join(folder, first.file)) });
  expect(next.manifest.members?.map(({ state }) => state)).toEqual([member?.state]);
  const ignorant = await build("ignorant", NEXT, { replace: true });
  guest = await bootWith(task, kernel, [first, next, ignorant]);
  try {
    await guest.put("/m/efd", staticProgram(PROGRAM), 0o755);
    await inAndOut();
    await takenOver();
    await turnedBack();
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
});

async function inAndOut(): Promise<void> {
  const before = await said(
    guest,
    `${WORDS} shadows; /m/efd hold & echo $! >/run/old; sleep 1; again $(cat /run/old); writes $(cat /run/old)`,
  );
  expect(before).toBe("0\nnone\n");
  for (let i = 0; i < 2; i++) {
    const old = await said(
      guest,
      `${WORDS} old=$(cat /run/old); load livepatch-first; writes $old; shadows; again $old; again $old; writes $old; shadows`,
    );
    expect(old).toMatch(/^writes:\s0\n0\nwrites:\s2\n1\n$/);
    const young = await said(
      guest,
      `${WORDS} /m/efd hold & new=$!; sleep 1; writes $new; again $new; writes $new; shadows; kill $new; wait $new 2>/dev/null; shadows`,
    );
    expect(young).toMatch(/^writes:\s0\nwrites:\s1\n2\n1\n$/);
    const many = await said(
      guest,
      `${WORDS} (/m/efd many 100 & /m/efd many 100 & wait); shadows; cat /sys/module/livepatch_first/parameters/members_lost`,
    );
    expect(many).toBe("0 wrong\n0 wrong\n1\n0\n");
    expect(await said(guest, `${WORDS} unload livepatch_first; writes $(cat /run/old); shadows`)).toBe("none\n0\n");
  }
  await said(guest, "kill $(cat /run/old)");
}

async function takenOver(): Promise<void> {
  const taken = await said(
    guest,
    `${WORDS} load livepatch-first; /m/efd hold & old=$!; sleep 1; again $old; writes $old
     insmod /m/livepatch-ignorant.ko 2>/dev/null || echo refused
     load livepatch-next; ls /sys/kernel/livepatch; rmmod livepatch_first; writes $old; again $old; writes $old; shadows
     unload livepatch_next; writes $old; shadows; kill $old`,
  );
  expect(taken).toMatch(/^writes:\s1\nrefused\nlivepatch_next\nwrites:\s1\nwrites:\s2\n1\nnone\n0\n$/);
}

/** A task sleeps in a function that is replaced: meanwhile old code may have ended objects, so that all begin again. */
async function turnedBack(): Promise<void> {
  const enabled = "/sys/kernel/livepatch/livepatch_first/enabled";
  const turned = await said(
    guest,
    `${WORDS} load livepatch-first; /m/efd hold & old=$!; /m/efd full & full=$!; sleep 1; again $old; writes $old; shadows
     echo 0 >${enabled}; sleep 1; cat /sys/kernel/livepatch/livepatch_first/transition
     echo 1 >${enabled}; settle; writes $old; shadows; again $old; writes $old
     kill $full; unload livepatch_first; shadows; kill $old`,
  );
  expect(turned).toMatch(/^writes:\s1\n2\n1\nwrites:\s0\n0\nwrites:\s1\n0\n$/);
}
