/**
 * What the kernel does with code when it loads or switches it, seen at work in functions that a fix replaced: a tracepoint and its static call,
 * WARN_ON_ONCE, a message that is printed once, the exception table under a bad user pointer, alternatives, per-CPU variables, constants that are
 * filled in at boot. The fix changes what most of them say, so that it is the new code that was seen. Static keys of modules: module-keys.e2e.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelContext } from "@suture/kbuild";
import { boot, type Guest } from "@suture/lab";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { CHOSEN } from "@suture/testkit/series";
import { staticProgram } from "@suture/testkit/static-program";
import { createTwoFilesPatch } from "diff";
import { afterAll, describe, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-mechanisms-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Edit {
  file: string;
  /** Replaced in the first place, or in the first one behind `after`. */
  from: string;
  after?: string;
  to: string;
}

const EDITS: readonly Edit[] = [
  // Two events for a signal where there was one.
  {
    file: "kernel/signal.c",
    from: "\ttrace_signal_generate(sig, info, t, type != PIDTYPE_PID, result);",
    to: "\ttrace_signal_generate(sig, info, t, type != PIDTYPE_PID, result);\n\ttrace_signal_generate(sig, info, t, type != PIDTYPE_PID, result);",
  },
  // On the line where something else stood.
  {
    file: "fs/readdir.c",
    after: "static bool filldir64(",
    from: "\tbuf->error = verify_dirent_name(name, namlen);",
    to: '\tWARN_ON_ONCE(namlen == 11 && !memcmp(name, "warn-please", 11)); buf->error = verify_dirent_name(name, namlen);',
  },
  {
    file: "fs/proc/meminfo.c",
    from: "\thugetlb_report_meminfo(m);",
    to: `\tseq_printf(m, "Here: cpu %d faults %lu smap %d\\n", raw_smp_processor_id(), this_cpu_read(vm_event_states.event[PGFAULT]),
\t\t   cpu_feature_enabled(X86_FEATURE_SMAP));
\tpr_info_once("Here for the first time\\n");
\thugetlb_report_meminfo(m);`,
  },
];

const PROBE = `#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int kcore(unsigned long at, int size) {
  unsigned char bytes[4096]; Elf64_Ehdr head; Elf64_Phdr part; int fd = open("/proc/kcore", O_RDONLY);
  if (pread(fd, &head, sizeof head, 0) != sizeof head) return 1;
  for (int i = 0; i < head.e_phnum; i++) {
    pread(fd, &part, sizeof part, head.e_phoff + i * sizeof part);
    if (part.p_type != PT_LOAD || at < part.p_vaddr || at + size > part.p_vaddr + part.p_filesz) continue;
    if (pread(fd, bytes, size, part.p_offset + (at - part.p_vaddr)) != size) return 2;
    for (int k = 0; k < size; k++) printf("%02x", bytes[k]);
    return 0;
  }
  return 3;
}
int main(int argc, char **argv) {
  if (!strcmp(argv[1], "kcore")) return kcore(strtoul(argv[2], 0, 16), atoi(argv[3]));
  /* An address that a program could have, and that nothing is at. */
  int got = syscall(SYS_getdents64, open("/proc", O_RDONLY), (void *)0x10000, 4096);
  printf("%d %s", got, strerror(errno));
  return 0;
}
`;

/** The program, which every guest gets. */
function edited(tree: string): { patch: string; warnLine: number } {
  let warnLine = 0;
  const texts = EDITS.map(({ file, from, after, to }) => {
    const before = readFileSync(join(tree, file), "latin1");
    const at = before.indexOf(from, after === undefined ? 0 : before.indexOf(after));
    if (at < 0) throw new Error(`${file} has no ${from}`);
    if (to.includes("WARN_ON_ONCE")) warnLine = before.slice(0, at).split("\n").length;
    return createTwoFilesPatch(`a/${file}`, `b/${file}`, before, before.slice(0, at) + to + before.slice(at + from.length));
  });
  return { patch: texts.join(""), warnLine };
}

const LOAD = `insmod /run/livepatch.ko; while grep -q 1 /sys/kernel/livepatch/*/transition; do usleep 50000; done`;
const UNLOAD = `p=$(echo /sys/kernel/livepatch/*); echo 0 >$p/enabled; i=0
  while ! rmmod \${p##*/} 2>/dev/null; do i=$((i+1)); [ $i -lt 200 ] || exit 1; usleep 100000; done`;

/** How many events one signal makes in the buffer of `events`, where the tracepoint is switched on or off, or left as it is. */
function signals(events: string, on?: 0 | 1): string {
  const turn = on === undefined ? "" : `echo ${on} >${events}/events/signal/signal_generate/enable;`;
  return `${turn} echo >${events}/trace; sh -c 'trap : USR1; kill -USR1 $$'; grep -c 'signal_generate: sig=10 ' ${events}/trace || true`;
}

const TRACING = "/sys/kernel/debug/tracing";

describe.each(CHOSEN)("in patched functions of %s", (name, pattern) => {
  test("tracepoint, static call, WARN_ON_ONCE, exception table, alternatives and per-CPU variables work", async () => {
    const cache = cacheRoot(process.env);
    const kernel = await KernelContext.open(task, await prepareTarget(task, await newestKernel(task, pattern), { cache }), cache);
    const { image, tree } = kernel.target;
    let bytes: Uint8Array;
    const { patch, warnLine } = edited(tree);
    try {
      const path = join(folder, `${name.slice(0, 4).trim()}.patch`);
      writeFileSync(path, patch, "latin1");
      // Every path that is looked up goes through it; where the kernel fills constants in at boot, it has two.
      const rebuild = ["fs/dcache.o:__d_lookup"];
      const built = await buildLivepatch(task, kernel, { patches: [await readPatch(path)], rebuild, replace: false, unproven: false });
      bytes = built.bytes;
      const filled = readFileSync(join(tree, "fs/dcache.c"), "latin1").includes("runtime_const_ptr(");
      expect(built.manifest.notes.some(({ text }) => text.includes("filled in at boot"))).toBe(filled);
    } finally {
      kernel.close();
    }
    for (const smap of [true, false]) {
      // The kernel chooses alternatives by what the processor has, as far as it was not told otherwise.
      const guest = await boot(task, { image, cpus: 2, cache, append: smap ? [] : ["clearcpuid=smap"] });
      try {
        await guest.put("/run/probe", staticProgram(PROBE));
        await guest.put("/run/livepatch.ko", bytes);
        await seen(guest, { smap, warnLine });
      } finally {
        await guest.stop();
      }
    }
  });
});

async function seen(guest: Guest, { smap, warnLine }: { smap: boolean; warnLine: number }): Promise<void> {
  const sh = async (command: string): Promise<string> => {
    const { code, output, events } = await guest.run(command);
    expect({ code, events }, `${command}: ${output}`).toEqual({ code: 0, events: [] });
    return output.trim();
  };
  await sh("chmod +x /run/probe; mkdir -p /run/dir; touch /run/dir/warn-please");
  expect(await sh("grep -c ' smap ' /proc/cpuinfo || true")).toBe(smap ? "2" : "0");
  if (!smap) {
    await sh(LOAD);
    await code(sh, smap);
    return;
  }
  await sh(`mkdir ${TRACING}/instances/second`);
  // A tracepoint that is on when the livepatch comes, and one call for its one user.
  expect(await sh(signals(TRACING, 1))).toBe("1");
  await sh(LOAD);
  expect(await sh(signals(TRACING))).toBe("2");
  // A second user: the static call's target changes.
  expect(await sh(signals(`${TRACING}/instances/second`, 1))).toBe("2");
  expect(await sh(signals(TRACING))).toBe("2");
  expect(await sh(signals(TRACING, 0))).toBe("0");
  expect(await sh(signals(`${TRACING}/instances/second`))).toBe("2");
  // The static key goes off, and on again.
  expect(await sh(signals(`${TRACING}/instances/second`, 0))).toBe("0");
  expect(await sh(signals(TRACING, 1))).toBe("2");
  expect(await sh(signals(TRACING, 0))).toBe("0");

  await code(sh, smap);

  const twice = [await guest.run("ls /run/dir"), await guest.run("ls /run/dir")];
  expect(twice.map(({ events }) => events.length)).toEqual([1, 0]);
  expect(twice[0]?.events[0]?.headline).toMatch(new RegExp(`fs/readdir\\.c:${warnLine} .*filldir64\\+0x[0-9a-f/x]+ \\[livepatch_`));

  await sh(UNLOAD);
  expect(await sh(signals(TRACING, 1))).toBe("1");
  expect(await sh("grep -c Here: /proc/meminfo || true")).toBe("0");
}

/** What depends on the processor. */
async function code(sh: (command: string) => Promise<string>, smap: boolean): Promise<void> {
  for (const cpu of [0, 1]) {
    const [, on, faults, has] = /^Here: cpu (\d) faults (\d+) smap (\d)$/m.exec(await sh(`taskset ${cpu + 1} cat /proc/meminfo`)) ?? [];
    expect({ on, has }).toEqual({ on: String(cpu), has: smap ? "1" : "0" });
    expect(Number(faults)).toBeGreaterThan(10);
  }
  expect(await sh("dmesg | grep -c 'Here for the first time'")).toBe("1");
  // Names of a directory are written to memory of the caller, between stac and clac where the processor has them.
  expect(await sh("ls /proc/self/attr | head -n 1")).not.toBe("");
  expect(await sh("/run/probe efault")).toBe("-1 Bad address");
  const bytes = await sh(`/run/probe kcore $(awk '$3 == "filldir64" && $4 ~ /livepatch/ { print $1 }' /proc/kallsyms) 420`);
  for (const instruction of ["0f01cb", "0f01ca"]) expect(bytes.includes(instruction), bytes).toBe(smap);
}
