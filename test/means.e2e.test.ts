/**
 * What a livepatch does to a stock kernel besides replacing functions (docs/means.md), in, seen, out, with memory as it was before: pointers in tables that
 * are writable, read-only, or a module's; a number by somebody's word; and values that the machine has changed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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
const folder = mkdtempSync(join(tmpdir(), "suture-means-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A writable table that procfs holds: who reads ostype gets another word. */
const OSTYPE: readonly Edit[] = [
  [
    "kernel/utsname_sysctl.c",
    /#else\n#define proc_do_uts_string NULL\n#endif\n/,
    `static int proc_do_ostype(TABLE_TYPE *table, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	struct ctl_table own = *table;

	own.data = "Mended";
	own.maxlen = 7;
	return proc_dostring(&own, 0, buffer, lenp, ppos);
}
#endif
`,
  ],
  [
    "kernel/utsname_sysctl.c",
    /(sizeof\(init_uts_ns\.name\.sysname\),\s+\.mode\s+= 0444,\s+\.proc_handler\s+= )proc_do_uts_string/,
    "$1proc_do_ostype",
  ],
];

/** A table of constants that procfs holds. */
const CONSOLES: readonly Edit[] = [
  [
    "fs/proc/consoles.c",
    /static const struct seq_operations consoles_op/,
    `static int show_mended(struct seq_file *m, void *v)
{
	seq_puts(m, "mended ");
	return show_console_dev(m, v);
}

static const struct seq_operations consoles_op`,
  ],
  ["fs/proc/consoles.c", /(\.show\s+= )show_console_dev/, "$1show_mended"],
];

/** One of a module, which each of its devices holds. */
const DUMMY: readonly Edit[] = [
  [
    "drivers/net/dummy.c",
    /static const struct net_device_ops dummy_netdev_ops/,
    `static void dummy_get_mended(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	stats->rx_packets = 777;
}

static const struct net_device_ops dummy_netdev_ops`,
  ],
  ["drivers/net/dummy.c", /(\.ndo_get_stats64\s+= )dummy_get_stats64/, "$1dummy_get_mended"],
];

/** A number, and a function in which a task can sleep. */
const PIPE: readonly Edit[] = [
  ["fs/pipe.c", /(pipe_max_size = )1048576/, "$1524288"],
  ["fs/pipe.c", /unlikely\(total_len == 0\)/, "unlikely(total_len == 0 || !to)"],
];

/** One that the kernel's callers of the table would give too little. */
const OTHER: readonly Edit[] = [
  [
    "drivers/net/dummy.c",
    /dummy_get_stats64\(struct net_device \*dev,\s+struct rtnl_link_stats64 \*stats\)\s+\{/,
    "dummy_get_more(struct net_device *dev, struct rtnl_link_stats64 *stats, int more)\n{\n\tstats->rx_errors = more;",
  ],
  ["drivers/net/dummy.c", /(\.ndo_get_stats64\s+= )dummy_get_stats64/, "$1(void *)dummy_get_more"],
];

/** What BPF programs that were loaded before have in their code. */
const HELPER: readonly Edit[] = [
  ["kernel/bpf/task_iter.c", /(bpf_find_vma_proto = \{\s+\.func\s+= bpf_find_vma,\s+\.ret_type\s+= )RET_INTEGER/, "$1RET_VOID"],
];

const PEEK = `#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* So many bytes of the running kernel's memory. */
int main(int argc, char **argv)
{
  unsigned long at = strtoul(argv[1], 0, 16), size = atoi(argv[2]); unsigned char bytes[4096]; Elf64_Ehdr head; Elf64_Phdr part;
  int fd = open("/proc/kcore", O_RDONLY);
  if (pread(fd, &head, sizeof head, 0) != sizeof head || size > sizeof bytes) return 1;
  for (int i = 0; i < head.e_phnum; i++) {
    if (pread(fd, &part, sizeof part, head.e_phoff + i * sizeof part) != sizeof part) return 2;
    if (part.p_type != PT_LOAD || at < part.p_vaddr || at + size > part.p_vaddr + part.p_filesz) continue;
    if (pread(fd, bytes, size, part.p_offset + (at - part.p_vaddr)) != size) return 3;
    for (unsigned long k = 0; k < size; k++) printf("%02x", bytes[k]);
    return printf("\\n") < 0;
  }
  return 4;
}
`;

async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
  return buildEdits(task, kernel, {
    folder,
    name,
    edits: edits.map(([file, from, to]) => [file, from, to.replace("TABLE_TYPE", tableType(file))] as const),
    ...more,
  });
}

/** Handlers of sysctl get it as the kernel has it. */
function tableType(file: string): string {
  const text = readFileSync(join(kernel.target.tree, file), "latin1");
  return /int write/.test(text) && /const struct ctl_table \*table/.test(text) ? "const struct ctl_table" : "struct ctl_table";
}

/** Shell functions: `memory`, of what the livepatches change; `off NAME`, out of effect. */
const WORDS = `
memory() { for v in "$@"; do /m/peek $(sed -n "s/^\\([0-9a-f]*\\) . $v\\(\\t.*\\)\\?$/\\1/p" /proc/kallsyms) 256; done; }
off() { echo 0 >/sys/kernel/livepatch/$1/enabled && settle; }
words() { cat /sys/module/$1/parameters/live_data; }
`;

/** Whoever replaces it must know what it has changed. */
const NEXT: readonly Edit[] = [["fs/proc/cmdline.c", /(seq_puts\(m, saved_command_line\);)/, '$1 seq_puts(m, " next");']];

const TABLES = [
  { variable: "consoles_op", owner: "vmlinux", was: "show_console_dev", becomes: "show_mended", holds: true, readOnly: true },
  { variable: "uts_kern_table", owner: "vmlinux", was: "proc_do_uts_string", becomes: "proc_do_ostype", holds: true, readOnly: false },
];

let kernel: KernelContext;
let guest: Guest;

beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
  guest = await bootWith(task, kernel, []);
  await guest.put("/m/peek", staticProgram(PEEK), 0o755);
}, 600_000);
afterAll(async () => {
  expect(guest.events()).toEqual([]);
  await guest.stop();
  kernel?.close();
});

async function put(livepatches: readonly Livepatch[]): Promise<void> {
  for (const { file, bytes } of livepatches) await guest.put(`/m/${file}`, Buffer.from(bytes));
}

test("functions take the place of those that only tables lead to", async () => {
  const places = await build("places", [...CONSOLES, ...DUMMY]);
  expect(places.manifest).toMatchObject({
    functions: [
      { owner: "dummy", name: "dummy_get_stats64" },
      { owner: "vmlinux", name: "show_console_dev" },
    ],
    successors: [
      { owner: "dummy", function: "dummy_get_stats64", becomes: "dummy_get_mended", variable: "dummy_netdev_ops" },
      { owner: "vmlinux", function: "show_console_dev", becomes: "show_mended", variable: "consoles_op", at: 24 },
    ],
  });
  expect(places.manifest).not.toHaveProperty("live");
  expect(places.manifest).not.toHaveProperty("handed");
  await expect(build("plain", CONSOLES, { plain: true })).rejects.toMatchObject({ code: "DIFF_RODATA_CHANGED" });
  await expect(build("other", OTHER)).rejects.toMatchObject({
    code: "BUILD_SUCCESSOR",
    message: expect.stringContaining("it takes 3 parameters, not 2"),
  });
  await put([places]);
  await inPlaces(guest);
});

test("tables of the kernel and of a module, and a number, by somebody's word", async () => {
  const first = await build("tables", [...OSTYPE, ...CONSOLES], {
    acceptData: ["kernel/utsname_sysctl.o:uts_kern_table", "consoles_op"],
  });
  expect(first.manifest.live).toMatchObject(TABLES);
  expect(first.manifest.made?.acceptData).toEqual(["fs/proc/consoles.o:consoles_op", "kernel/utsname_sysctl.o:uts_kern_table"]);
  expect(first.manifest.states).toHaveLength(2);
  expect(first.manifest.handed).toEqual(
    expect.arrayContaining([expect.objectContaining({ function: "consoles_op", name: "show_mended" })]),
  );
  const next = await build("next", NEXT, { predecessor: await readPredecessor(join(folder, first.file)) });
  const ignorant = await build("ignorant", NEXT, { replace: true });
  const module = await build("module", DUMMY, { acceptData: ["dummy_netdev_ops"] });
  expect(module.manifest).toMatchObject({
    modules: [{ name: "dummy" }],
    live: [{ variable: "dummy_netdev_ops", owner: "dummy", readOnly: true }],
  });
  const pipe = await build("pipe", PIPE, { acceptData: ["pipe_max_size"] });
  expect(pipe.manifest.live).toMatchObject([{ was: "0x100000", becomes: "0x80000", holds: false }]);
  await expect(build("helper", HELPER, { acceptData: ["bpf_find_vma_proto"] })).rejects.toMatchObject({
    code: "BUILD_LIVE_DATA",
    message: expect.stringContaining("bpf_find_vma_proto is a struct bpf_func_proto, of which the kernel has made code"),
  });
  await put([first, next, ignorant, module, pipe]);
  await inTables(guest);
  await replaced(guest);
  await out(guest, "livepatch_next");
  await inModule(guest);
  await turnedBack(guest);
  await byWord(guest);
});

/** In, out and in again, beside the module, before it comes and when it has gone: the tables stay as they are. */
async function inPlaces(guest: Guest): Promise<void> {
  const look = "cut -d' ' -f1 /proc/consoles; cat /sys/class/net/dummy0/statistics/rx_packets";
  const [old, mended] = ["ttyS0\n0\n", "mended\n777\n"];
  const remember = "memory consoles_op dummy_netdev_ops";
  expect(await said(guest, `${WORDS} insmod /m/dummy.ko; ${remember} >/run/memory; ${look}`)).toBe(old);
  const same = `${remember} | cmp - /run/memory`;
  for (let i = 0; i < 2; i++) {
    expect(await said(guest, `${WORDS} load livepatch-places; ${look}; ${same}`)).toBe(mended);
    expect(await said(guest, `${WORDS} unload livepatch_places; ${look}; ${same}`)).toBe(old);
  }
  expect(await said(guest, `${WORDS} rmmod dummy; load livepatch-places; insmod /m/dummy.ko; ${look}; rmmod dummy`)).toBe(mended);
  expect(await said(guest, `${WORDS} unload livepatch_places; insmod /m/dummy.ko; ${look}; rmmod dummy; loaded`)).toMatch(/^ttyS0\n0\n0\n/);
}

const LOOK = "cat /proc/sys/kernel/ostype; cut -d' ' -f1 /proc/consoles";
const REMEMBER = "memory uts_kern_table consoles_op";

async function inTables(guest: Guest): Promise<void> {
  expect(await said(guest, `${WORDS} ${REMEMBER} >/run/memory; wc -l </run/memory; ${LOOK}`)).toBe("2\nLinux\nttyS0\n");
  const loaded = await said(
    guest,
    `${WORDS} load livepatch-tables; words livepatch_tables; ${LOOK}; cat /sys/module/livepatch_tables/refcnt`,
  );
  expect(loaded).toBe(`in vmlinux consoles_op+0x18\nin vmlinux uts_kern_table+${await row(guest)}\nMended\nmended\n2\n`);
  expect(await said(guest, `${WORDS} ${REMEMBER} | cmp -s - /run/memory || echo changed`)).toBe("changed\n");
}

async function replaced(guest: Guest): Promise<void> {
  const tried = await said(guest, `${WORDS} insmod /m/livepatch-ignorant.ko 2>&1 | head -n 1; ls /sys/kernel/livepatch`);
  expect(tried).toMatch(/Invalid argument\nlivepatch_tables\n$/);
  const taken = await said(
    guest,
    `${WORDS} load livepatch-next; ls /sys/kernel/livepatch; ${LOOK}; tail -c 6 /proc/cmdline; cat /sys/module/livepatch_tables/refcnt`,
  );
  expect(taken).toMatch(/^livepatch_next\nMended\nmended\n\s*next\s*1\n$/);
}

/** Out of effect all is as it was; the module stays, since somebody may be in its functions. */
async function out(guest: Guest, name: string): Promise<void> {
  const left = await said(guest, `${WORDS} off ${name}; ${REMEMBER} | cmp - /run/memory && ${LOOK}; words ${name}; rmmod ${name} 2>&1`);
  expect(left).toMatch(/^Linux\nttyS0\nout vmlinux consoles_op\+0x18\nout vmlinux uts_kern_table\+0x\w+\nrmmod: .*unavailable\n/);
}

/** Where the kernel's table has the handler of ostype. */
async function row(guest: Guest): Promise<string> {
  return (await said(guest, "sed -n 's/.*uts_kern_table+//p' /sys/module/livepatch_tables/parameters/live_data")).trim();
}

/** The module comes later, and goes earlier. */
async function inModule(guest: Guest): Promise<void> {
  const look = "cat /sys/class/net/dummy0/statistics/rx_packets";
  expect(
    await said(guest, `${WORDS} load livepatch-module; words livepatch_module; insmod /m/dummy.ko; words livepatch_module; ${look}`),
  ).toMatch(/^out dummy dummy_netdev_ops\+0x\w+\nin dummy dummy_netdev_ops\+0x\w+\n777\n$/);
  expect(
    await said(guest, `${WORDS} rmmod dummy; words livepatch_module; off livepatch_module; insmod /m/dummy.ko; ${look}; rmmod dummy`),
  ).toMatch(/^out dummy dummy_netdev_ops\+0x\w+\n0\n$/);
}

/** A task sleeps in a function that is replaced: the disable does not end, and is turned back. */
async function turnedBack(guest: Guest): Promise<void> {
  const enabled = "/sys/kernel/livepatch/livepatch_pipe/enabled";
  const limit = "cat /proc/sys/fs/pipe-max-size";
  const held = await said(
    guest,
    `${WORDS} load livepatch-pipe; mkfifo /run/fifo; exec 3<>/run/fifo; dd bs=4 count=1 of=/dev/null <&3 2>/dev/null & until grep -q pipe_read /proc/$!/stack; do sleep 0.1; done
     echo 0 >${enabled}; sleep 1; cat /sys/kernel/livepatch/livepatch_pipe/transition; words livepatch_pipe; ${limit}
     echo 1 >${enabled}; settle; words livepatch_pipe; ${limit}; echo end >&3; wait; unload livepatch_pipe; ${limit}`,
  );
  expect(held).toBe("1\nout vmlinux pipe_max_size+0x0\n1048576\nin vmlinux pipe_max_size+0x0\n524288\n1048576\n");
}

async function byWord(guest: Guest): Promise<void> {
  const limit = "/proc/sys/fs/pipe-max-size";
  expect(
    await said(
      guest,
      `${WORDS} memory pipe_max_size >/run/pipe; load livepatch-pipe; cat ${limit}; unload livepatch_pipe; memory pipe_max_size | cmp - /run/pipe; cat ${limit}`,
    ),
  ).toBe("524288\n1048576\n");
  // It can come again; what somebody sets meanwhile is theirs, and is told.
  expect(
    await said(guest, `${WORDS} load livepatch-pipe; echo 65536 >${limit}; words livepatch_pipe; unload livepatch_pipe; cat ${limit}`),
  ).toBe("out vmlinux pipe_max_size+0x0\n65536\n");
  // So is what somebody has set before.
  expect(
    await said(
      guest,
      `${WORDS} insmod /m/livepatch-pipe.ko 2>/dev/null || echo no; cat ${limit}; dmesg | grep -c 'holds neither'; ls /sys/kernel/livepatch`,
    ),
  ).toMatch(/^no\n65536\n[1-9]\n$/);
}
