import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { run, Task } from "@suture/task";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Facts, factsOf, variableSymbol } from "../qualification/edits/facts.ts";

const SOURCE = `
static int count, spare;
int level = 5;
static const int table[4] = { 1, 2, 3, 4 };
extern int elsewhere;
__attribute__((noinline)) static int inner(int a) { static int seen; seen += a; return seen + count; }
int outer(int a) { spare ^= a; return spare + inner(a) + table[a & 3] + elsewhere; }
__attribute__((section(".init.text"))) void setup(void) { count = 3; level = 2; }
__attribute__((section(".sched.text"))) int sleeps(int a) { return a + spare; }
__attribute__((section(".sched.text"), no_instrument_function)) int wakes(int a) { return a + level; }
`;

const OPTIONS = [
  "-O2",
  "-ffunction-sections",
  "-fdata-sections",
  "-pg",
  "-mfentry",
  "-mrecord-mcount",
  "-fno-pic",
  "-mcmodel=kernel",
  "-c",
];

describe("what a compiled object says", () => {
  let folder: string;
  const facts = async (text: string): Promise<Facts> => {
    writeFileSync(join(folder, "one.c"), text);
    await run(new Task(), ["gcc", ...OPTIONS, "-o", join(folder, "one.o"), join(folder, "one.c")]);
    return factsOf(readElf(readFileSync(join(folder, "one.o")), "one.o"));
  };
  let of: Facts;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "suture-facts-"));
    of = await facts(SOURCE);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("of functions: which can be replaced, which run at boot, what they refer to", () => {
    const outer = of.functions.get("outer");
    expect([outer?.hasEntry, outer?.init, outer?.isGlobal]).toEqual([true, false, true]);
    expect([...(outer?.refers ?? [])]).toEqual(expect.arrayContaining(["spare", "table", "elsewhere", "inner"]));
    const [sleeps, wakes] = [of.functions.get("sleeps"), of.functions.get("wakes")];
    expect([sleeps?.hasEntry, wakes?.hasEntry, sleeps?.refers.has("level"), wakes?.refers.has("level")]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([of.functions.get("inner")?.isGlobal, of.functions.get("setup")?.init]).toEqual([false, true]);
  });

  it("of variables: which live, and who uses them after the boot", () => {
    expect([of.variables.get("count")?.users, of.variables.get("level")?.users]).toEqual([["inner"], ["wakes"]]);
    expect([of.variables.get("level")?.isGlobal, of.variables.get("level")?.writable]).toEqual([true, true]);
    expect(of.variables.get("table")?.writable).toBe(false);
    const seen = variableSymbol(of, "seen", true) ?? "";
    expect([seen.startsWith("seen."), of.variables.get(seen)?.users]).toEqual([true, ["inner"]]);
  });

  it("is another text where code, values or what is referred to differ, and the same where only words do", async () => {
    expect((await facts(SOURCE.replaceAll("(int a)", "(int  b)").replace(/\ba\b/g, "b"))).everything).toBe(of.everything);
    const other = await facts(SOURCE.replace("level = 5", "level = 6"));
    expect(other.everything).not.toBe(of.everything);
    expect(other.functions.get("outer")?.code).toBe(of.functions.get("outer")?.code);
    const retargeted = await facts(SOURCE.replace("spare ^= a", "level ^= a"));
    expect(retargeted.functions.get("outer")?.code).not.toBe(of.functions.get("outer")?.code);
    expect((await facts(SOURCE.replace("+ elsewhere", "- elsewhere"))).functions.get("outer")?.bytes).not.toBe(
      of.functions.get("outer")?.bytes,
    );
  });
});
