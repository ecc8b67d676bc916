import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Task } from "@suture/task";
import { folderOnDisk } from "@suture/testkit/folders";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { compilerFacts } from "./compiler.ts";

/** A compiler's driver in shell. It finds its assembler on the PATH. */
const driver = (home: string, version = "1.0"): string => `#!/bin/sh
case $1 in
  --version) echo >> ${home}/asked; echo "gcc-x ${version}"; echo "more" ;;
  -gbtf) exit 0 ;;
  -print-prog-name=cc1) cat ${home}/cc1-is ;;
  -print-prog-name=as) echo as ;;
esac
`;

let folder: string;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 100_000 });
  folder = folderOnDisk({ cc1: "compiles", "bin/as": "assembles", "earlier/none": "" });
  writeFileSync(join(folder, "cc1-is"), join(folder, "cc1"));
  program("bin/gcc-x", driver(folder));
  chmodSync(join(folder, "bin/as"), 0o755);
  vi.stubEnv("PATH", `${folder}/earlier:${folder}/bin:${process.env.PATH}`);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function program(path: string, text: string): void {
  writeFileSync(join(folder, path), text);
  chmodSync(join(folder, path), 0o755);
}
const cache = () => join(folder, "kept");
const facts = (name = "gcc-x") => compilerFacts(new Task(), name, cache());
const asked = () => readFileSync(join(folder, "asked")).length;
const tick = () => setTimeout(20);

test("a compiler is asked once", async () => {
  const first = await facts();
  const { version, writesBtf, programs } = first;
  expect({ version, writesBtf, programs }).toEqual({
    version: "gcc-x 1.0",
    writesBtf: true,
    programs: ["bin/gcc-x", "bin/gcc-x", "cc1", "bin/as"].map((name) => join(folder, name)),
  });
  expect(await facts()).toMatchObject({ version, writesBtf, programs, identity: first.identity });
  expect(asked()).toBe(1);
});

test.each([
  ["the driver, another version", () => program("bin/gcc-x", driver(folder, "1.1")), true],
  ["the driver, of the same version", () => program("bin/gcc-x", `${driver(folder)}#`), true],
  ["the compiler proper", () => writeFileSync(join(folder, "cc1"), "compiled"), true],
  [
    "the compiler proper, by another in its place",
    () => {
      writeFileSync(join(folder, "new"), "compiled");
      renameSync(join(folder, "new"), join(folder, "cc1"));
    },
    true,
  ],
  ["the assembler", () => program("bin/as", "assembled"), true],
  ["the assembler, by one that comes before it on the PATH", () => program("earlier/as", "assembled"), true],
  ["none, they were touched only", () => writeFileSync(join(folder, "cc1"), "compiles"), false],
])("exchanged under the same path: %s", async (_, change, isOther) => {
  const before = await facts();
  await tick();
  change();
  const after = await facts();
  expect(asked()).toBe(2);
  expect(after.identity !== before.identity).toBe(isOther);
});

test("one that is exchanged while it is asked is not kept", async () => {
  vi.useRealTimers();
  await facts();
  expect(existsSync(cache())).toBe(false);
});

test("one that does not say which program compiles is asked each time, and told by what is known of it", async () => {
  writeFileSync(join(folder, "cc1-is"), "cc1-of-nowhere");
  const before = await facts();
  program("bin/gcc-x", `${driver(folder)}#`);
  expect((await facts()).identity).not.toBe(before.identity);
  expect(asked()).toBe(2);
});

test("a program that is called by another name is another", async () => {
  await facts();
  cpSync(join(folder, "bin/gcc-x"), join(folder, "bin/gcc-y"));
  await facts("gcc-y");
  await facts(join(folder, "bin/gcc-x"));
  expect(asked()).toBe(2);
});

test("kept facts that are damaged, cut off or made up are not believed", async () => {
  const { version, identity } = await facts();
  const path = join(cache(), readdirSync(cache())[0] ?? "");
  const whole = readFileSync(path, "utf8");
  const put = async (text: string | Uint8Array): Promise<void> => {
    writeFileSync(path, text);
    expect(await facts()).toMatchObject({ version, identity, writesBtf: true });
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 127 }), async (at, bits) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ bits;
      await put(damaged);
    }),
    { numRuns: 20 },
  );
  for (const size of [0, 10, whole.length - 1]) await put(whole.slice(0, size));
  const known = JSON.parse(whole);
  for (const lie of [{ version: "2.0" }, { identity: "two" }, { writesBtf: false }, { cc1: join(folder, "bin/as") }, { as: "sh" }])
    await put(JSON.stringify({ ...known, ...lie }));
});

test("where nothing can be kept it is asked each time", async () => {
  mkdirSync(join(folder, "x"));
  writeFileSync(cache(), "a file");
  await facts();
  await facts();
  expect(asked()).toBe(2);
});
