/** What a fix does to what the running kernel's data mean: of real files, of both series, each edit once. What is refused there is a wrong livepatch if it is not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { type Reporter, silentReporter, Task } from "@suture/task";
import { CHOSEN } from "@suture/testkit/series";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "suture-live-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Replace = readonly [from: string, to: string];

const FASYNC: readonly Replace[] = [
  ["kill_fasync(&fasync,", "kill_fasync((struct fasync_struct **)&fasync,"],
  ["on, &fasync)", "!!on, (struct fasync_struct **)&fasync)"],
];

const REFUSED: readonly (readonly [what: string, file: string, replaces: readonly Replace[], code: string, why: string, accept: string])[] =
  [
    [
      "a variable leads to another structure",
      "drivers/char/random.c",
      [
        [
          "static struct fasync_struct *fasync;",
          "struct random_async { struct fasync_struct *first; };\nstatic struct random_async *fasync;",
        ],
        ...FASYNC,
      ],
      "BUILD_LAYOUT",
      "the variable fasync is struct random_async*, it was struct fasync_struct*",
      "fasync",
    ],
    [
      "a pointer becomes a number",
      "drivers/char/random.c",
      [["static struct fasync_struct *fasync;", "static u64 fasync;"], ...FASYNC],
      "BUILD_LAYOUT",
      "the variable fasync is u64, it was struct fasync_struct*",
      "fasync",
    ],
    [
      "a nameless structure is turned round",
      "drivers/char/random.c",
      [["\tunsigned long generation;\n\tspinlock_t lock;\n} base_crng", "\tspinlock_t lock;\n\tunsigned long generation;\n} base_crng"]],
      "BUILD_LAYOUT",
      "the variable base_crng has lock at byte",
      "base_crng",
    ],
    [
      "a nameless enumeration is renumbered",
      "drivers/char/random.c",
      [
        ["\tCRNG_EARLY = 1,", "\tCRNG_WARM, CRNG_EARLY,"],
        ["\tCRNG_READY = 2 ", "\tCRNG_READY "],
      ],
      "BUILD_RENUMBERED",
      "CRNG_EARLY is 2, it was 1; CRNG_READY is 3, it was 2",
      "CRNG_EARLY",
    ],
    [
      "flags that are macros change places",
      "kernel/seccomp.c",
      [
        ["#define SECCOMP_LOG_TRAP\t\t(1 << 2)", "#define SECCOMP_LOG_TRAP\t\t(1 << 3)"],
        ["#define SECCOMP_LOG_ERRNO\t\t(1 << 3)", "#define SECCOMP_LOG_ERRNO\t\t(1 << 2)"],
      ],
      "BUILD_RENUMBERED",
      "the macro SECCOMP_LOG_TRAP is (1 << 3), it was (1 << 2); that is SECCOMP_LOG_ERRNO now ((1 << 2))",
      "SECCOMP_LOG_TRAP",
    ],
    [
      "a static local is not written any more, by a change of statements alone",
      "fs/drop_caches.c",
      [["\t\tstfu |= sysctl_drop_caches & 4;\n", ""]],
      "BUILD_FOLDED",
      "the variable stfu is not in the patched object",
      "stfu",
    ],
  ];

const BUILT: readonly (readonly [what: string, file: string, replaces: readonly Replace[], told: string | undefined])[] = [
  [
    "an enumerator at the end",
    "drivers/char/random.c",
    [
      ["\tCRNG_READY = 2 ", "\tCRNG_MORE = 3, CRNG_READY = 2 "],
      ["on, &fasync)", "on && crng_init != CRNG_MORE, &fasync)"],
    ],
    undefined,
  ],
  ["a limit", "fs/eventpoll.c", [["#define EP_MAX_NESTS 4", "#define EP_MAX_NESTS 3"]], "the macro EP_MAX_NESTS is 3, it was 4"],
];

describe.each(CHOSEN)("on %s", (_, release) => {
  let kernel: KernelContext;
  const warnings: string[] = [];
  const reporter: Reporter = { ...silentReporter, warn: (text) => warnings.push(text) };
  const task = new Task(reporter);

  beforeAll(async () => {
    const cache = cacheRoot(process.env);
    kernel = await KernelContext.open(task, await prepareTarget(task, await newestKernel(task, release), { cache }), cache);
  });
  afterAll(() => kernel?.close());

  async function build(file: string, replaces: readonly Replace[], acceptLayouts: string[] = []) {
    const text = readFileSync(join(kernel.target.tree, file), "latin1");
    let edited = text;
    for (const [from, to] of replaces) {
      expect(edited, from).toContain(from);
      edited = edited.replace(from, () => to);
    }
    const path = join(folder, "live-types.patch");
    writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, text, edited, undefined, undefined, { context: 3 }), "latin1");
    warnings.length = 0;
    return buildLivepatch(task, kernel, { patches: [await readPatch(path)], replace: false, unproven: false, acceptLayouts });
  }

  it.each(REFUSED)("is refused where %s", async (_what, file, replaces, code, why, accept) => {
    const error: unknown = await build(file, replaces).catch((caught: unknown) => caught);
    if (!(error instanceof SutureError)) throw error;
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(why);
    expect(error.mend).toContain(`--accept-layout ${accept}.`);
  });

  it.each(BUILT)("goes on with %s", async (_what, file, replaces, told) => {
    expect((await build(file, replaces)).bytes.length).toBeGreaterThan(0);
    expect(warnings.filter((text) => text.startsWith("the macro ")).map((text) => text.replace(/:.*/, ""))).toEqual(
      told === undefined ? [] : [told],
    );
  });

  it("takes somebody's word for it", async () => {
    const [, file, replaces, , why, accept] = REFUSED[2] ?? [];
    if (file === undefined || replaces === undefined || accept === undefined) throw new Error("there is no such edit");
    await build(file, replaces, [accept]);
    expect(warnings.join("\n")).toContain(String(why));
  });
});
