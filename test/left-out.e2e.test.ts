/** Fixes of the stock kernel's own source that change what runs at boot, beside what runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { testContext } from "@suture/testkit/context";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-left-out-"));
let kernel: KernelContext;

beforeAll(async () => {
  kernel = await testContext();
});
afterAll(() => {
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

type Edit = readonly [from: string, to: string];

/** What runs changes with each of them. */
const SHOWS: Edit = [
  "\tread_lock(&file_systems_lock);\n\ttmp = file_systems;\n\twhile (tmp) {\n\t\tseq_printf",
  '\tseq_puts(m, "#\\n");\n\tread_lock(&file_systems_lock);\n\ttmp = file_systems;\n\twhile (tmp) {\n\t\tseq_printf',
];
const ALLOCATES: Edit = ["return kmem_cache_alloc(fasync_cache, GFP_KERNEL);", "return kmem_cache_zalloc(fasync_cache, GFP_KERNEL);"];

async function build(file: string, edits: readonly Edit[], acceptInits: readonly string[] = []) {
  const before = readFileSync(join(kernel.sourceRoot, file), "latin1");
  let after = before;
  for (const [from, to] of edits) {
    if (!after.includes(from)) throw new Error(`${file} has no ${from}`);
    after = after.replace(from, to);
  }
  const path = join(folder, "fix.patch");
  writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after), "latin1");
  return buildLivepatch(task, kernel, { patches: [await readPatch(path)], replace: false, unproven: false, acceptInits });
}

const REFUSED: readonly [what: string, file: string, init: string, names: RegExp, edits: readonly Edit[]][] = [
  [
    "a new variable that only it sets",
    "fs/filesystems.c",
    "proc_filesystems_init",
    /proc_filesystems_init sets the new banner, which filesystems_proc_show reads/,
    [
      ["static int filesystems_proc_show(", "static char *banner;\nstatic int filesystems_proc_show("],
      [SHOWS[0], SHOWS[1].replace('"#\\n"', "banner")],
      ["\tproc_create_single(", '\tbanner = kstrdup("#\\n", GFP_KERNEL);\n\tproc_create_single('],
    ],
  ],
  [
    "another file that it makes, of a new function",
    "fs/filesystems.c",
    "proc_filesystems_init",
    /proc_filesystems_init.*gives the new show_twice away/,
    [
      SHOWS,
      [
        "static int __init proc_filesystems_init",
        "static int show_twice(struct seq_file *m, void *v)\n{\n\tfilesystems_proc_show(m, v);\n\treturn filesystems_proc_show(m, v);\n}\nstatic int __init proc_filesystems_init",
      ],
      ["\tproc_create_single(", '\tproc_create_single("filesystems2", 0, NULL, show_twice);\n\tproc_create_single('],
    ],
  ],
  [
    "a new initcall",
    "fs/filesystems.c",
    "banner_init",
    /new in \.initcall/,
    [
      SHOWS,
      [
        "static int __init proc_filesystems_init",
        'static int __init banner_init(void)\n{\n\tpr_info("banner");\n\treturn 0;\n}\nlate_initcall(banner_init);\nstatic int __init proc_filesystems_init',
      ],
    ],
  ],
  [
    "a cache of another size",
    "fs/fcntl.c",
    "fcntl_init",
    /fcntl_init sets fasync_cache up otherwise than before, and fasync_/,
    [ALLOCATES, ["sizeof(struct fasync_struct), 0", "sizeof(struct fasync_struct) + 64, 0"]],
  ],
];

test.each(REFUSED)("%s is refused, unless somebody knows better", async (_, file, init, names, edits) => {
  await expect(build(file, edits)).rejects.toMatchObject({ code: "DIFF_LEFT_OUT", message: expect.stringMatching(names) });
  const { manifest } = await build(file, edits, [init]);
  expect(manifest.made?.acceptInits).toEqual([init]);
  expect(manifest.functions.length).toBeGreaterThan(0);
});

const LEFT_OUT: readonly [what: string, file: string, edits: readonly Edit[]][] = [
  ["a message", "fs/filesystems.c", [SHOWS, ["\tproc_create_single(", '\tpr_info("file systems");\n\tproc_create_single(']]],
  [
    "a message beside a cache that carried code uses",
    "fs/fcntl.c",
    [ALLOCATES, ["\tfasync_cache = kmem_cache_create(", '\tpr_info("fcntl");\n\tfasync_cache = kmem_cache_create(']],
  ],
];

test.each(LEFT_OUT)("%s is left out", async (_, file, edits) => {
  const { manifest } = await build(file, edits);
  expect(manifest.functions.length).toBeGreaterThan(0);
});
