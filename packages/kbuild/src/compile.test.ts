import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Task } from "@suture/task";
import { folderOnDisk } from "@suture/testkit/folders";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Compiler, compileKept } from "./compile.ts";
import type { ObjectCommand } from "./make/commands.ts";
import { namesIn } from "./make/outside.ts";
import { SourceView } from "./view/view.ts";

/** A compiler in shell: its object is all that it read. It takes a header from the first of two folders. */
const COMPILER = `
echo >> "$PWD.runs"
while [ $# -gt 1 ]; do
  case $1 in -Wp,*) list=\${1#-Wp,-MMD,} ;; -o) out=$2 ;; esac
  shift
done
header=first/x.h
[ -e $header ] || header=second/x.h
cat "$1" $header y.h > "$out"
echo "a.o: $1 \\\\" > "$list"
echo " $header y.h" >> "$list"
[ ! -e "$PWD.while" ] || sh "$PWD.while"
`;

let folder: string;
let tree: string;
let command: ObjectCommand;
let compiler: Compiler;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: Date.now() + 100_000 });
  folder = folderOnDisk({ "tree/cc": COMPILER, "tree/a.c": "a1", "tree/first/z.h": "", "tree/second/x.h": "x1", "tree/y.h": "y1" });
  tree = join(folder, "tree");
  command = {
    object: "a.o",
    source: "a.c",
    owner: "vmlinux",
    compile: "sh ./cc -Wp,-MMD,./.a.o.d -c -o a.o a.c",
    depfile: "./.a.o.d",
    objtool: undefined,
    buildPath: undefined,
    writesBtf: false,
  };
  compiler = { identity: "one", programs: [], since: Date.now(), cache: join(folder, "objects") };
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const view = () => SourceView.of(tree);
/** As a run of its own does. */
async function built(in_: SourceView = view(), by: Partial<Compiler> = {}, of: Partial<ObjectCommand> = {}): Promise<string> {
  const { bytes } = await compileKept(new Task(), { ...command, ...of }, "plain", in_, { ...compiler, ...by });
  return Buffer.from(bytes).toString().trim();
}
const runs = () => readFileSync(`${tree}.runs`).length;
const keptFile = () => {
  const names = readdirSync(compiler.cache, { recursive: true }).map(String);
  return join(compiler.cache, names.find((name) => name.endsWith(".o")) ?? "none");
};
/** Of the contents of a file, and of when they were last changed, nothing that a program may say tells. */
function rewrite(path: string, text: string): void {
  const { atimeMs, mtimeMs } = statSync(path);
  writeFileSync(path, text);
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}
const tick = () => setTimeout(20);

test("what was compiled is kept, and neither compiled nor read again", async () => {
  expect(await built()).toBe("a1x1y1");
  expect(await built()).toBe("a1x1y1");
  expect(runs()).toBe(1);
  const { stamp } = JSON.parse(readFileSync(keptFile(), "utf8").split("\n")[0] ?? "");
  expect(stamp).toMatch(/^[0-9a-f]{64}$/);
});

test.each([
  ["of the same size and time", async () => rewrite(join(tree, "y.h"), "y2"), "a1x1y2"],
  [
    "another file in its place",
    async () => {
      cpSync(join(tree, "y.h"), join(tree, "new"), { preserveTimestamps: true });
      rewrite(join(tree, "new"), "y2");
      renameSync(join(tree, "new"), join(tree, "y.h"));
    },
    "a1x1y2",
  ],
  [
    "a byte that went from the end of one to the start of the next",
    async () => {
      rewrite(join(tree, "second/x.h"), "x");
      rewrite(join(tree, "y.h"), "1y1");
    },
    "a1x1y1",
  ],
])("a changed input is seen: %s", async (_, change, text) => {
  await built();
  await tick();
  await change();
  expect(await built()).toBe(text);
  expect(runs()).toBe(2);
});

test("an input that was touched, or moved there and back, is read, and nothing is compiled", async () => {
  await built();
  await tick();
  rewrite(join(tree, "y.h"), "y1");
  await built();
  await built();
  expect(runs()).toBe(1);
});

test.each([
  ["what is written while the compiler runs is not taken for what it read", true],
  ["what is written after it is", false],
])("%s", async (_, meanwhile) => {
  // All but what is written from now on has rested just so long.
  vi.setSystemTime(Math.ceil(statSync(join(tree, "y.h")).ctimeMs) + 2_020);
  // The compiler has read the file by then.
  if (meanwhile) writeFileSync(`${tree}.while`, `sleep 0.1; printf y2 > "$PWD/y.h"`);
  expect(await built()).toBe("a1x1y1");
  expect(existsSync(compiler.cache)).toBe(!meanwhile);
  rmSync(`${tree}.while`, { force: true });
  vi.setSystemTime(Date.now() + 100_000);
  writeFileSync(join(tree, "y.h"), "y2");
  expect(await built()).toBe("a1x1y2");
});

test("a clock that is put back while the compiler runs leaves nothing to keep", async () => {
  const clock = Date.now();
  const now = vi
    .spyOn(Date, "now")
    .mockReturnValueOnce(clock)
    .mockReturnValue(clock - 3_600_000);
  await built();
  now.mockRestore();
  expect(existsSync(compiler.cache)).toBe(false);
});

test("a compiler that was exchanged during the run has made nothing that is kept", async () => {
  writeFileSync(join(folder, "cc1"), "1");
  await built(view(), { programs: [join(folder, "cc1")], since: statSync(join(folder, "cc1")).ctimeMs - 1_000 });
  expect(existsSync(compiler.cache)).toBe(false);
});

test("each of what an object is made by has another object", async () => {
  const other = join(folder, "other");
  mkdirSync(other);
  cpSync(tree, other, { recursive: true });
  const asks: (() => Promise<string>)[] = [
    () => built(),
    () => built(view(), { identity: "two" }),
    // The same command for two kernels, whose objtool is not the same.
    () => built(SourceView.of(tree, other)),
    () => built(view(), {}, { objtool: "true a.o" }),
    () => built(view(), {}, { compile: command.compile.replace(" -Wp", " -O3 -Wp") }),
    async () => {
      vi.stubEnv("SOURCE_DATE_EPOCH", "1");
      const text = await built();
      vi.unstubAllEnvs();
      return text;
    },
  ];
  for (const ask of asks) await ask();
  const all = () => runs() + (existsSync(`${other}.runs`) ? readFileSync(`${other}.runs`).length : 0);
  expect(all()).toBe(asks.length);
  for (const ask of asks) await ask();
  expect(all()).toBe(asks.length);
});

test("a new header that stands before one that was read is seen where names may be more", async () => {
  const outside = async () => SourceView.of(tree, tree, await namesIn(tree));
  expect(await built(await outside())).toBe("a1x1y1");
  await built(await outside());
  expect(runs()).toBe(1);
  writeFileSync(join(tree, "first/x.h"), "x2");
  expect(await built(await outside())).toBe("a1x2y1");
  // What a build makes is no name.
  for (const name of ["a.o", ".a.o.cmd", "a.ko", "a.mod.c"]) writeFileSync(join(tree, name), "");
  await built(await outside());
  expect(runs()).toBe(2);
});

test("a kept object that is damaged anywhere, cut off, or another's is made anew", async () => {
  await built();
  const path = keptFile();
  const whole = readFileSync(path);
  const put = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(path, bytes);
    expect(await built()).toBe("a1x1y1");
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ bits;
      await put(damaged);
    }),
    { numRuns: 30 },
  );
  for (const size of [0, 1, 40, whole.indexOf(10), whole.indexOf(10) + 1, whole.length - 1]) await put(whole.subarray(0, size));
  // Sound in itself, of the same inputs, under a name that is not its own.
  await built(view(), { identity: "two" }, { compile: `echo other > "$PWD.x"; ${command.compile}` });
  const names = readdirSync(compiler.cache, { recursive: true }).map(String);
  const other = join(compiler.cache, names.find((name) => name.endsWith(".o") && join(compiler.cache, name) !== path) ?? "");
  await put(readFileSync(other));
});

test("several at once, and a cache that cannot be written, give the same", async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => built()));
  expect(new Set(all)).toEqual(new Set(["a1x1y1"]));
  writeFileSync(join(folder, "file"), "");
  expect(await built(view(), { cache: join(folder, "file/objects") })).toBe("a1x1y1");
});
