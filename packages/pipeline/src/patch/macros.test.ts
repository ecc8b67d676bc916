import { SutureError } from "@suture/errors";
import { describe, expect, it } from "vitest";
import { checkMacros } from "./macros.ts";

function check(before: string, after: string, ...accepted: string[]): string[] {
  return checkMacros([{ path: "x.h", before, after }], new Set(accepted));
}

const define = (macros: Readonly<Record<string, string>>): string =>
  Object.entries(macros)
    .map(([name, text]) => `#define ${name} ${text}\n`)
    .join("");

describe("macros", () => {
  it.each([
    ["change places", { ST_A: "1", ST_B: "2" }, { ST_A: "2", ST_B: "1" }, "the macro ST_A is 2, it was 1; that is ST_B now (1)"],
    [
      "make room",
      { ST_A: "0x1", ST_B: "0x2 /* b */" },
      { ST_A: "0x1", ST_NEW: "0x2", ST_B: "0x4" },
      "the macro ST_B is 0x4, it was 0x2; that is ST_NEW now (0x2)",
    ],
    ["take a place", { ST_A: "1", ST_B: "2" }, { ST_A: "2" }, "the macro ST_A is 2, it was 1; that was ST_B, which is gone"],
    [
      "are bits",
      { F_A: "BIT(0)", F_B: "(1U << 1)" },
      { F_A: "BIT(1)", F_B: "(1U << 0)" },
      "the macro F_A is BIT(1), it was BIT(0); that is F_B now ((1U << 0))",
    ],
    [
      "are made of others",
      { F_0: "8", F_A: "(F_0 + 1)", F_B: "(F_0|2)" },
      { F_0: "8", F_A: "(F_0|2)", F_B: "(F_0 + 1)" },
      "the macro F_A is (F_0|2), it was (F_0 + 1); that is F_B now ((F_0 + 1))",
    ],
    [
      "change places behind a cast",
      { __POISON: "((flags_t __force)0x80U)", __FAST: "((flags_t __force)0x40U)" },
      { __POISON: "((flags_t __force)0x40U)", __FAST: "((flags_t __force)0x80U)" },
      "the macro __POISON is ((flags_t __force)0x40U), it was ((flags_t __force)0x80U); that is __FAST now (((flags_t __force)0x80U))",
    ],
    [
      "are a flag among others",
      { F_A: "(1 << 0)", F_B: "(1 << 1)", F_C: "(1 << 2)" },
      { F_A: "(1 << 0)", F_B: "(1 << 1)", F_C: "(1 << 9)" },
      "the macro F_C is (1 << 9), it was (1 << 2); it is a flag like F_A, and what is set is not seen any more",
    ],
  ])("are refused that %s", (_, before, after, why) => {
    try {
      check(define(before), define(after));
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof SutureError)) throw error;
      expect(error).toMatchObject({ code: "BUILD_RENUMBERED", message: why });
      expect(error.mend).toContain(`--accept-layout ${error.where.symbol}.`);
    }
    expect(check(define(before), define(after), ...Object.keys(before)).length).toBeGreaterThan(0);
  });

  it.each([
    ["a limit", { MAX_TRIES: "3", MAX_BYTES: "10" }, { MAX_TRIES: "5", MAX_BYTES: "10" }, ["MAX_TRIES is 5, it was 3"]],
    [
      "one that is made of others",
      { N_A: "3", N_B: "(2 * N_A)" },
      { N_A: "4", N_B: "(2 * N_A - 1)" },
      ["N_A is 4, it was 3", "N_B is (2 * N_A - 1), it was (2 * N_A)"],
    ],
    [
      "sizes that are powers of two",
      { Q_SIZE: "(1 << 8)", Q_HASH_SIZE: "(1 << 5)", Q_MAX: "(1 << 6)" },
      { Q_SIZE: "(1 << 9)", Q_HASH_SIZE: "(1 << 5)", Q_MAX: "(1 << 6)" },
      ["Q_SIZE is (1 << 9), it was (1 << 8)"],
    ],
    [
      "other families",
      { TIMEOUT_MS: "10", RETRIES_MAX: "3" },
      { TIMEOUT_MS: "3", RETRIES_MAX: "10" },
      ["TIMEOUT_MS is 3, it was 10", "RETRIES_MAX is 10, it was 3"],
    ],
  ])("are told of %s", (_, before, after, told) => {
    expect(check(define(before), define(after))).toEqual(
      told.map((why) => `the macro ${why}: what was made with the old value is met by the new code`),
    );
  });

  it.each([
    ["of code", "#define LOCK mutex_lock(&a)\n", "#define LOCK mutex_lock(&b)\n"],
    ["with parameters", "#define F(x) 1\n", "#define F(x) 2\n"],
    ["that say the same", "#define N 16\n", "#define N 0x10 /* bytes */\n"],
    ["that are defined twice", "#if X\n#define N 1\n#else\n#define N 2\n#endif\n", "#if X\n#define N 2\n#else\n#define N 1\n#endif\n"],
    ["that are new", "#define ST_A 1\n", "#define ST_A 1\n#define ST_B 2\n"],
    ["that are no expressions", "#define N (1 +\n", "#define N ) 2\n"],
    ["that lead to themselves", "#define N N\n", "#define N (N + 1)\n"],
  ])("are not told of those %s", (_, before, after) => {
    expect(check(before, after)).toEqual([]);
  });
});
