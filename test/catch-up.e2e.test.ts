/**
 * A catch-up by commits: a repository is made of a few files of the kernel's own source, with commits that stand on each other, one that cannot be
 * carried and some that need it, a revert, one that the kernel has already and one that does not go on it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
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
  repository.copy(kernel.sourceRoot, Object.values(FILES));
  repository.write("Documentation/catch-up.rst", "Words\n");
  // What the kernel has otherwise than the commits began with.
  repository.edit(FILES.uptime, /timens_add_boottime\(&uptime\);/, "timens_add_boottime((&uptime));");
  repository.edit(FILES.loadavg, /nr_running\(\), nr_threads/, "nr_running(), 1 + nr_threads");
  repository.commit("the release that runs");
  repository.git("tag", "from");
  makeCommits();
}, 600_000);
afterAll(() => {
  kernel.close();
  rmSync(folder, { recursive: true, force: true });
});

const FILES = {
  version: "fs/proc/version.c",
  cmdline: "fs/proc/cmdline.c",
  uptime: "fs/proc/uptime.c",
  loadavg: "fs/proc/loadavg.c",
  softirqs: "fs/proc/softirqs.c",
  header: "fs/proc/internal.h",
} as const;

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
}

const OPTIONS = { only: "all", leaveOut: [], take: [], acceptLayouts: [], acceptInits: [], unproven: false } as const;

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
  });
  expect(of.get("proc: entries count who opens them")?.reasons[0]).toMatchObject({ symbol: "proc_dir_entry" });
  expect(of.get("uptime: more of them")?.leftWith).toContain(idOf("proc: entries count who opens them"));
  expect(of.get("cmdline: the helper says more")?.dependsOn).toContain(idOf("cmdline: a helper"));
  expect(of.get("version: say which")?.leftWith).toEqual([idOf("version: and counted")]);
  expect(of.get("cmdline: a helper")?.functions.map(({ name }) => name)).toContain("cmdline_proc_show");
  expect(livepatch?.manifest.functions.map(({ name }) => name).sort()).toEqual(["cmdline_proc_show", "version_proc_show"]);

  const { manifest, faults } = inspect(livepatch?.bytes ?? new Uint8Array(), "livepatch.ko");
  expect(faults).toEqual([]);
  expect(manifest?.catchUp?.units.filter(({ state }) => state === "carried").map(({ title }) => title)).toEqual([
    "version: say more",
    "cmdline: a helper",
    "cmdline: the helper says more",
  ]);
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
  // The only one needs its own mend, which needs what cannot be carried.
  const cve = await caughtUp(task, { only: "cve" });
  expect(cve.report.units.filter(({ state }) => state === "carried").map(({ title }) => title)).toEqual(["version: say more"]);
  expect(cve.report.units.find(({ title }) => title === "version: say which")?.leftWith).not.toEqual([]);
  expect(cve.report.units.find(({ title }) => title === "cmdline: a helper")?.reasons).toMatchObject([{ code: "CATCHUP_ASKED" }]);
  await expect(caughtUp(task, { take: ["fs/no-such-file.c"] })).rejects.toMatchObject({ code: "CATCHUP_UNIT" });
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
