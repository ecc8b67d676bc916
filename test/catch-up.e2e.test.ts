/**
 * A catch-up by commits: a repository is made of a few files of the kernel's own source, with commits that stand on each other, one that cannot be
 * carried and some that need it, a revert, one that the kernel has already and one that does not go on it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Commands, type KernelContext, type ObjectCommand } from "@suture/kbuild";
import { inspect } from "@suture/livepatch";
import { type CaughtUp, catchUp, commitUnits } from "@suture/pipeline";
import { silentReporter, Task } from "@suture/task";
import { kernelOf } from "@suture/testkit/authoring";
import { Repository } from "@suture/testkit/repository";
import { OWN } from "@suture/testkit/series";
import { afterAll, beforeAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "suture-catch-up-"));
const repository = new Repository(join(folder, "repository"));
const task = new Task();
let kernel: KernelContext;

beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
  repository.copy(kernel.sourceRoot, [...Object.values(FILES), ...CHAINS.map(({ path }) => path), NOT_BUILT]);
  repository.write("Documentation/catch-up.rst", "Words\n");
  // What the kernel has otherwise than the commits began with.
  repository.edit(FILES.uptime, /timens_add_boottime\(&uptime\);/, "timens_add_boottime((&uptime));");
  repository.edit(FILES.loadavg, /nr_running\(\), nr_threads/, "nr_running(), 1 + nr_threads");
  repository.commit("the release that runs");
  repository.git("tag", "from");
  makeCommits();
  for (const chain of CHAINS) makeChain(chain);
  makeShared();
}, 600_000);
afterAll(() => {
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

const FILES = {
  version: "fs/proc/version.c",
  cmdline: "fs/proc/cmdline.c",
  uptime: "fs/proc/uptime.c",
  loadavg: "fs/proc/loadavg.c",
  softirqs: "fs/proc/softirqs.c",
  header: "fs/proc/internal.h",
  net: "fs/proc/proc_net.c",
  reaper: "mm/oom_kill.c",
} as const;

/** A kernel thread of every machine is in it. */
const REAPER = "oom: the reaper says more";
/** Nothing is made of it. */
const NO_OBJECT = "kernel/dma.c";
/** Five commits each: a helper, which then says another thing; a text that is taken back; a comment between. */
const CHAINS = [
  { path: "fs/proc/meminfo.c", shows: "meminfo_proc_show", file: "m" },
  { path: "fs/proc/stat.c", shows: "show_stat", file: "p" },
  { path: "fs/proc/devices.c", shows: "devinfo_show", file: "f" },
  { path: "fs/proc/consoles.c", shows: "show_console_dev", file: "m" },
  { path: "fs/filesystems.c", shows: "filesystems_proc_show", file: "m" },
  { path: NO_OBJECT, shows: "proc_dma_show", file: "m" },
] as const;
const SHARING = ["fs/proc/meminfo.c", "fs/proc/devices.c"];
/** None of these configurations has it. */
const NOT_BUILT = "fs/proc/nommu.c";

/** Before the `return 0;` of a file's first function, or above that function. */
const END = /\treturn 0;\n\}/;
const above = (name: string): RegExp => new RegExp(`(static int ${name}\\()`);

function makeCommits(): void {
  repository.edit(FILES.version, END, '\tseq_puts(m, "caught up\\n");\n\treturn 0;\n}');
  repository.commit("version: say more");
  repository.edit(
    FILES.cmdline,
    above("cmdline_proc_show"),
    "static noinline int cmdline_extra(struct seq_file *m)\n{\n\tseq_putc(m, '!');\n\treturn 0;\n}\n\n$1",
  );
  repository.edit(FILES.cmdline, /\tseq_putc\(m, '\\n'\);\n/, "\tif (cmdline_extra(m))\n\t\treturn 0;\n\tseq_putc(m, '\\n');\n");
  repository.commit("cmdline: a helper");
  repository.edit(FILES.cmdline, /seq_putc\(m, '!'\);/, 'seq_puts(m, "!?");');
  repository.commit("cmdline: the helper says more");
  repository.edit(FILES.header, /\tchar inline_name\[\];/, "\tunsigned long opened;\n\tchar inline_name[];");
  repository.edit(
    FILES.uptime,
    above("uptime_proc_show"),
    "static noinline unsigned long opened_of(struct proc_dir_entry *pde)\n{\n\treturn pde->opened;\n}\n\n$1",
  );
  repository.edit(FILES.uptime, /(\tidle_nsec = 0;\n)/, "$1\tif (m->private && opened_of(m->private) > 100)\n\t\tseq_putc(m, '+');\n");
  repository.commit("proc: entries count who opens them");
  repository.edit(FILES.uptime, /> 100\)/, "> 200)");
  repository.commit("uptime: more of them");
  repository.edit(
    FILES.loadavg,
    above("loadavg_proc_show"),
    "static noinline bool busy(struct proc_dir_entry *pde)\n{\n\treturn pde->opened > 3;\n}\n\n$1",
  );
  repository.edit(FILES.loadavg, /(\tunsigned long avnrun\[3\];\n)/, "$1\n\tif (m->private && busy(m->private))\n\t\tseq_putc(m, '+');\n");
  repository.commit("loadavg: who is busy");
  repository.edit(FILES.softirqs, END, '\tseq_puts(p, "mark\\n");\n\treturn 0;\n}');
  const mark = repository.commit("softirqs: a mark");
  repository.edit(FILES.softirqs, /\tseq_puts\(p, "mark\\n"\);\n/, "");
  repository.commit('Revert "softirqs: a mark"', `This reverts commit ${mark}.`);
  repository.edit(FILES.softirqs, /(^static int show_softirqs\()/m, "/* All of them. */\n$1");
  repository.commit("softirqs: a comment");
  repository.edit(FILES.version, /(\tpde_make_permanent\(pde\);\n)/, '$1\tpr_info("version: there\\n");\n');
  repository.commit("version: told at boot");
  repository.write("Documentation/catch-up.rst", "Other words\n");
  repository.commit("docs: other words");
  repository.edit(FILES.uptime, /\(\(&uptime\)\)/, "(&uptime)");
  repository.commit("uptime: from nought");
  repository.edit(FILES.loadavg, /1 \+ nr_threads/, "2 + nr_threads");
  repository.edit(FILES.loadavg, /(^static int loadavg_proc_show\()/m, "static noinline int apart(void)\n{\n\treturn 2;\n}\n\n$1");
  repository.commit("loadavg: another part");
  repository.edit(FILES.softirqs, END, "\tif (IS_ENABLED(CONFIG_NUMA_OF_NO_KERNEL))\n\t\treturn apart();\n\treturn 0;\n}");
  repository.commit("softirqs: apart");
  repository.edit(FILES.version, /"caught up\\n"/, '"caught up: CVE-2026-12345\\n"');
  const wanting = repository.commit("version: say which", "CVE-2026-12345");
  repository.edit(
    FILES.version,
    above("version_proc_show"),
    "static noinline bool counted(struct proc_dir_entry *pde)\n{\n\treturn pde->opened > 7;\n}\n\n$1",
  );
  repository.edit(
    FILES.version,
    /(\treturn 0;\n\}\n\nstatic int __init)/,
    '\tif (m->private && counted(m->private))\n\t\tseq_puts(m, "counted\\n");\n$1',
  );
  repository.commit("version: and counted", `Fixes: ${wanting.slice(0, 12)} ("version: say which")`);
  repository.edit(FILES.reaper, /(^static int oom_reaper\(void \*unused\)\n\{\n)/m, '$1\tif (unused)\n\t\tpr_info("for nobody\\n");\n');
  repository.commit(REAPER);
}

function makeChain({ path, shows, file }: (typeof CHAINS)[number]): void {
  const own = path.replace(/\W/g, "_");
  const helper = `static noinline int extra_${own}(void)\n{\n\treturn 1;\n}\n\n`;
  const inside = new RegExp(`(static int ${shows}\\([\\s\\S]*?)\treturn 0;\n\\}`);
  repository.edit(path, above(shows), `${helper}$1`);
  repository.edit(path, inside, `$1\tseq_putc(${file}, '0' + extra_${own}());\n\treturn 0;\n}`);
  repository.commit(`${path}: a helper`);
  repository.edit(path, /\treturn 1;\n\}\n\nstatic/, "\treturn 2;\n}\n\nstatic");
  repository.commit(`${path}: the helper says two`);
  repository.edit(path, inside, `$1\tseq_puts(${file}, "mark\\n");\n\treturn 0;\n}`);
  const mark = repository.commit(`${path}: a mark`);
  repository.edit(path, above(shows), "/* For people. */\n$1");
  repository.commit(`${path}: a comment`);
  repository.edit(path, new RegExp(`\tseq_puts\\(${file}, "mark\\\\n"\\);\n`), "");
  repository.commit(`Revert "${path}: a mark"`, `This reverts commit ${mark}.`);
}

/** What two files have of one header, and what nobody has. */
function makeShared(): void {
  const added = "\nstatic inline int said_by_all(int own)\n{\n\treturn own + 3;\n}\n";
  repository.edit(FILES.header, /(\nstruct proc_dir_entry \{)/, `${added}$1`);
  for (const path of SHARING) repository.edit(path, /(extra_\w+\(\))\);/, "said_by_all($1));");
  repository.commit("proc: said by all");
  repository.edit(FILES.header, /own \+ 3/, "own + 4");
  repository.commit("proc: all say more");
  repository.edit(FILES.header, /(\nstruct proc_dir_entry \{)/, "\n#define SAID_BY_NONE 7\n$1");
  repository.commit("proc: said by none");
  repository.edit(NOT_BUILT, /(^#include <linux\/init.h>\n)/m, "$1#include <linux/bug.h>\n");
  repository.commit("proc: of another configuration");
}

const OPTIONS = { only: "all", leaveOut: [], take: [], acceptDoubt: [], acceptLayouts: [], acceptInits: [], unproven: false } as const;

async function caughtUp(of = task, options: Partial<Parameters<typeof catchUp>[3]> = {}): Promise<CaughtUp> {
  const plan = await commitUnits(of, kernel, [{ folder: repository.folder, range: "from..main" }]);
  return catchUp(of, kernel, plan, { ...OPTIONS, ...options });
}

test("commits go in whole, or are left out with what needs them and for what is found; a run that is ended goes on", async () => {
  // Ended in its first round.
  const controller = new AbortController();
  const ended = new Task(
    {
      ...silentReporter,
      begin: (name, depth) => ({
        ...silentReporter.begin(name, depth),
        progress: (done) => {
          if (name === "round 1" && done > 1) controller.abort();
        },
      }),
    },
    controller.signal,
  );
  await expect(caughtUp(ended)).rejects.toMatchObject({ code: "CANCELLED" });

  const { report, livepatch } = await caughtUp();
  const of = new Map(report.units.map((unit) => [unit.title, unit]));
  const idOf = (title: string): string => of.get(title)?.id ?? title;
  expect(
    Object.fromEntries(
      report.units.map(({ title, state, reasons }) => [title, [state, ...new Set(reasons.map(({ code }) => code))].join(" ")]),
    ),
  ).toEqual({
    "version: say more": "carried",
    "cmdline: a helper": "carried",
    "cmdline: the helper says more": "carried",
    "proc: entries count who opens them": "left out BUILD_LAYOUT",
    "uptime: more of them": "left out CATCHUP_NEEDS",
    "loadavg: who is busy": "left out CATCHUP_NEEDS",
    "softirqs: a mark": "no need BUILD_NOTHING_CHANGED",
    'Revert "softirqs: a mark"': "no need BUILD_NOTHING_CHANGED",
    "softirqs: a comment": "no need BUILD_NOTHING_CHANGED",
    "version: told at boot": "no need BUILD_NOT_AT_RUN_TIME",
    "docs: other words": "not built",
    "uptime: from nought": "in the kernel",
    "loadavg: another part": "left out PATCH_DOES_NOT_APPLY",
    // It is in another file, and would go in without.
    "softirqs: apart": "left out CATCHUP_NEEDS",
    // What mends it needs what is left out.
    "version: say which": "left out CATCHUP_NEEDS",
    "version: and counted": "left out CATCHUP_NEEDS",
    [REAPER]: "left out CATCHUP_THREAD",
    ...Object.fromEntries(
      CHAINS.flatMap(({ path }) => [
        [`${path}: a helper`, "carried"],
        [`${path}: the helper says two`, "carried"],
        // Both are in, in a function that is replaced for others.
        [`${path}: a mark`, "carried"],
        [`${path}: a comment`, "no need BUILD_NOTHING_CHANGED"],
        [`Revert "${path}: a mark"`, "carried"],
      ]).map(([title, verdict]) => [title, title?.includes(NO_OBJECT) === true ? "not built" : verdict]),
    ),
    "proc: said by all": "carried",
    "proc: all say more": "carried",
    "proc: said by none": "no need BUILD_NOTHING_CHANGED",
    "proc: of another configuration": "not built",
  });
  expect(of.get("proc: entries count who opens them")?.reasons[0]).toMatchObject({ symbol: "proc_dir_entry" });
  expect(of.get(REAPER)?.reasons[0]).toMatchObject({ symbol: "oom_reaper", file: "mm/oom_kill.o" });
  expect(of.get("uptime: more of them")?.leftWith).toContain(idOf("proc: entries count who opens them"));
  expect(of.get("cmdline: the helper says more")?.dependsOn).toContain(idOf("cmdline: a helper"));
  expect(of.get("version: say which")?.leftWith).toEqual([idOf("version: and counted")]);
  expect(of.get("cmdline: a helper")?.functions.map(({ name }) => name)).toContain("cmdline_proc_show");
  const shown = CHAINS.filter(({ path }) => path !== NO_OBJECT).map(({ shows }) => shows);
  expect(livepatch?.manifest.functions.map(({ name }) => name).sort()).toEqual(["cmdline_proc_show", "version_proc_show", ...shown].sort());
  expect(of.get("proc: all say more")?.dependsOn).toContain(idOf("proc: said by all"));

  const { manifest, faults } = inspect(livepatch?.bytes ?? new Uint8Array(), "livepatch.ko");
  expect(faults).toEqual([]);
  expect(manifest?.catchUp?.units.filter(({ state }) => state === "carried").map(({ title }) => title)).toEqual(
    report.units.filter(({ state }) => state === "carried").map(({ title }) => title),
  );
  const [patch] = manifest?.made?.patches ?? [];
  expect(patch?.text).toContain('+\tseq_puts(m, "caught up\\n");');
  expect(patch?.text).not.toContain("opened");

  const again = await caughtUp();
  expect(again.report).toEqual(report);
  expect(Buffer.compare(again.livepatch?.bytes ?? Buffer.alloc(0), livepatch?.bytes ?? Buffer.alloc(1))).toBe(0);
});

test("units are chosen by name, with what they need or without what needs them", async () => {
  const taken = await caughtUp(task, { take: ["fs/proc/cmdline.c"], leaveOut: [idOfSubject("cmdline: the helper says more")] });
  expect(taken.livepatch?.manifest.functions.map(({ name }) => name)).toEqual(["cmdline_proc_show"]);
  expect(taken.report.units.filter(({ state }) => state === "carried").map(({ title }) => title)).toEqual(["cmdline: a helper"]);
  const read = await caughtUp(task, { take: [FILES.reaper], acceptDoubt: [FILES.reaper] });
  expect(read.livepatch?.manifest.functions.map(({ name }) => name)).toEqual(["oom_reaper"]);
  // The only one needs its own mend, which needs what cannot be carried.
  const cve = await caughtUp(task, { only: "cve" });
  expect(cve.report.units.filter(({ state }) => state === "carried").map(({ title }) => title)).toEqual(["version: say more"]);
  expect(cve.report.units.find(({ title }) => title === "version: say which")?.leftWith).not.toEqual([]);
  expect(cve.report.units.find(({ title }) => title === "cmdline: a helper")?.reasons).toMatchObject([{ code: "CATCHUP_ASKED" }]);
  await expect(caughtUp(task, { take: ["fs/no-such-file.c"] })).rejects.toMatchObject({ code: "CATCHUP_UNIT" });
});

test("what the joined module is refused for is left out, and the others are joined anew", async () => {
  const two = new Repository(join(folder, "callbacks"));
  two.copy(kernel.sourceRoot, [FILES.version, FILES.cmdline]);
  two.commit("the release that runs");
  two.git("tag", "from");
  const callback = '#include "kpatch-macros.h"\nstatic void is_in(patch_object *object)\n{\n}\nKPATCH_POST_PATCH_CALLBACK(is_in);\n\n$1';
  two.edit(FILES.version, above("version_proc_show"), callback);
  two.edit(FILES.version, END, '\tseq_puts(m, "in\\n");\n\treturn 0;\n}');
  two.commit("version: known to be in");
  two.edit(FILES.cmdline, above("cmdline_proc_show"), callback);
  two.edit(FILES.cmdline, /\tseq_putc\(m, '\\n'\);\n/, "\tseq_putc(m, '!');\n\tseq_putc(m, '\\n');\n");
  two.commit("cmdline: known to be in");
  const plan = await commitUnits(task, kernel, [{ folder: two.folder, range: "from..main" }]);
  const { report, livepatch } = await catchUp(task, kernel, plan, OPTIONS);
  // The kernel knows one of a kind. Objects are joined in their order.
  expect(report.units.map(({ title, state, reasons }) => [title, state, ...reasons.map(({ code }) => code)])).toEqual([
    ["version: known to be in", "left out", "KLP_DUPLICATE_CALLBACK"],
    ["cmdline: known to be in", "carried"],
  ]);
  const { manifest, faults } = inspect(livepatch?.bytes ?? new Uint8Array(), "livepatch.ko");
  expect(faults).toEqual([]);
  expect(manifest?.functions.map(({ name }) => name)).toEqual(["cmdline_proc_show"]);
});

/** What nothing can be said of, whatever goes in. */
const UNKNOWN = [
  // As one that includes what only a whole build makes.
  [
    "does not compile as it is",
    "-include made/by-the-build.h",
    "CATCHUP_UNCOMPILED",
    /^fs\/proc\/proc_net.c does not compile as it is: .*made\/by-the-build\.h/s,
  ],
  ["is not what the kernel runs", "-fno-optimize-sibling-calls", "BUILD_UNPROVEN", /functions differ from what the kernel runs/],
] as const;
test.each(UNKNOWN)("a file that %s keeps out what changes what it names, and nothing else", async (what, option, code, why) => {
  const two = new Repository(join(folder, what.replaceAll(" ", "-")));
  two.copy(kernel.sourceRoot, [FILES.header]);
  two.commit("the release that runs");
  two.git("tag", "from");
  two.edit(FILES.header, /(static inline struct task_struct \*get_proc_task\([^)]*\)\n\{\n)/, "$1\tbarrier();\n");
  two.commit("a task is found otherwise");
  two.edit(FILES.header, /(static inline void pde_force_lookup\([^)]*\)\n\{\n)/, "$1\tbarrier();\n");
  two.commit("entries are looked up otherwise");
  const plan = await commitUnits(task, kernel, [{ folder: two.folder, range: "from..main" }]);
  const { commands } = kernel;
  const { of, rowOf } = Commands.prototype;
  const other = (command: ObjectCommand): ObjectCommand =>
    command.source === FILES.net ? { ...command, compile: command.compile.replace(" -c -o ", ` ${option} -c -o `) } : command;
  Object.assign(commands, {
    of: (object: string) => other(of.call(commands, object)),
    rowOf: (object: string) => other(rowOf.call(commands, object)),
  });
  try {
    const { report, livepatch } = await catchUp(task, kernel, plan, OPTIONS);
    expect(report.units.map(({ title, state, reasons }) => [title, state, ...reasons.map((reason) => reason.code)])).toEqual([
      ["a task is found otherwise", "carried"],
      ["entries are looked up otherwise", "left out", code],
    ]);
    expect(report.units[1]?.reasons[0]?.why).toMatch(why);
    expect(livepatch?.manifest.functions).not.toEqual([]);
  } finally {
    Object.assign(commands, { of, rowOf });
  }
});

function idOfSubject(subject: string): string {
  return repository.git("log", "--format=%H", "--fixed-strings", `--grep=${subject}`).trim().slice(0, 12);
}

test.each([
  ["from..nowhere", /no commit nowhere/],
  ["main..from", /does not come after/],
  ["--output=x..main", /no range/],
  ["main", /no range/],
])("a range %s is refused", async (range, why) => {
  await expect(commitUnits(task, kernel, [{ folder: repository.folder, range }])).rejects.toMatchObject({
    code: "CATCHUP_RANGE",
    message: expect.stringMatching(why),
  });
  await expect(commitUnits(task, kernel, [{ folder: join(folder, "absent"), range }])).rejects.toMatchObject({ code: "CATCHUP_RANGE" });
});
