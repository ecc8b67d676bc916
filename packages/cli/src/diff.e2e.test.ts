/** `suture diff`, on objects that gcc makes here. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { documentIn } from "@suture/testkit/document";
import { afterAll, expect, test } from "vitest";
import { runCli } from "./cli.ts";

const folder = mkdtempSync(join(tmpdir(), "suture-diff-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OPTIONS = "-O2 -fno-pic -mcmodel=kernel -fcf-protection=none -fno-asynchronous-unwind-tables -pg -mfentry -mrecord-mcount";

function compile(name: string, source: string, ...more: string[]): string {
  const object = join(folder, `${name}.o`);
  writeFileSync(join(folder, `${name}.c`), source);
  const argv = [...OPTIONS.split(" "), "-ffunction-sections", "-fdata-sections", ...more, "-c", "-o", object, join(folder, `${name}.c`)];
  execFileSync("gcc", argv);
  return object;
}

async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const code = await runCli(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    signal: new AbortController().signal,
    env: {},
  });
  return { code, stdout, stderr };
}

const SOURCE = (factor: number): string => `
  int total; static int count;
  static __attribute__((noinline)) int scale(int x) { count++; return x * ${factor}; }
  int f(int x) { total += x; return scale(x) + 1; }
  int g(int x) { return x + count; }`;

/** With a table of the kernel's; with -gbtf the object holds the type of its entries. */
const BUG = (line: number): string => `
  struct bug_entry { int addr, file; unsigned short line, flags; } *known;
  void f(int x) { if (x) asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n.long 1b - ., 0\\n.word ${line}, 0\\n.popsection"); }`;

test("what changed, as text, as a document, and as an object", async () => {
  const objects = [compile("a", SOURCE(3)), compile("b", SOURCE(5))];
  const out = join(folder, "out.o");
  const text = await cli("diff", ...objects, "-o", out);
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toMatch(/1 function to be replaced\n.*\n {2}scale /);
  const { code, stdout } = await cli("diff", ...objects, "--json");
  expect(code).toBe(0);
  expect(documentIn(stdout)).toMatchObject({
    outcome: "patch",
    functions: [{ name: "scale" }],
    needs: expect.arrayContaining([{ name: "count", ownObject: true }]),
  });
  expect(
    readElf(readFileSync(out), out)
      .symbols.map(({ name }) => name)
      .filter((name) => ["scale", "f", "g"].includes(name)),
  ).toEqual(["scale"]);
});

test("nothing changed is exit code 3, and no object is written", async () => {
  const object = compile("a", SOURCE(3));
  const out = join(folder, "none.o");
  expect(await cli("diff", object, object, "-o", out)).toMatchObject({ code: 3 });
  expect(() => readFileSync(out)).toThrow(/ENOENT/);
});

test("how entries of tables lie comes from the types of the object, or of a kernel", async () => {
  const typed = compile("typed", BUG(1), "-gbtf");
  expect((await cli("diff", typed, typed, "--json")).stdout).not.toMatch(/are taken to have/);

  const bare = compile("bare", BUG(1));
  const btf = join(folder, "types.btf");
  execFileSync("objcopy", ["-O", "binary", "--only-section=.BTF", "--set-section-flags", ".BTF=alloc", typed, btf]);
  const { code, stdout } = await cli("diff", bare, bare, "--btf", btf, "--json");
  expect(code).toBe(3);
  expect(documentIn(stdout)).toMatchObject({ notes: [] });
});

test("without types how entries lie is inferred where only one size fits, and said; else an option says it", async () => {
  const bare = compile("bare", BUG(1));
  const inferred = await cli("diff", bare, bare);
  expect(inferred).toMatchObject({ code: 3, stderr: "" });
  expect(inferred.stdout).toMatch(/entries of __bug_table are taken to have 12 bytes/);

  const either = compile("either", 'int f(void) { return 1; } asm(".pushsection .altinstructions,\\"a\\"\\n.skip 84\\n.popsection");');
  const refused = await cli("diff", either, either);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^error DIFF_ENTRY_SIZE: .*12, 14 bytes would fit.*--entry-size SECTION=BYTES/s);
  const said = await cli("diff", "--entry-size", ".altinstructions=14", either, either, "--entry-size", "__bug_table=12");
  expect(said).toMatchObject({ code: 3, stderr: "" });
  expect(said.stdout).not.toMatch(/are taken to have/);

  for (const wrong of ["__bug_table", "__bug_table=0", "=12"])
    expect((await cli("diff", bare, bare, "--entry-size", wrong)).stderr).toMatch(/^error CLI_USAGE: --entry-size /);
});

test("objects that have not been through objtool yet", async () => {
  const objects = [3, 5].map((factor) => compile(`early${factor}`, SOURCE(factor), "-mno-record-mcount"));
  const { code, stdout } = await cli("diff", ...objects, "--json");
  expect(code).toBe(0);
  expect(documentIn(stdout)).toMatchObject({ functions: [{ name: "scale" }], notes: [expect.stringMatching(/__fentry__/)] });
});

test("a file that is no object is refused", async () => {
  const text = join(folder, "a.c");
  compile("a", SOURCE(3));
  expect(await cli("diff", text, text)).toMatchObject({ code: 1, stdout: "" });
});
