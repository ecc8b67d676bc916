/** Damaged objects: each is refused with a code of ours, or read as something that can be written and read again as the same. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SutureError } from "@suture/errors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { C_SOURCE, S_SOURCE, Workshop } from "../test/gcc.ts";
import { Mutator, randomOf } from "../test/mutate.ts";
import { difference } from "../test/same.ts";
import { unaligned } from "../test/unaligned.ts";
import { type ElfObject, readElf, writeElf } from "./index.ts";

const MUTATIONS = Number(process.env.SUTURE_FUZZ ?? 30_000);
const SEED = Number(process.env.SUTURE_FUZZ_SEED ?? 20_260);
/** What the reader may keep for a file, in sizes of the file. */
const MOST_MEMORY = 4;
/** So much the engine's own book-keeping (compiled code, caches) comes and goes between two measurements. */
const NOISE = 128 * 1024;

const shop = new Workshop();
const objects: Uint8Array[] = [];

beforeAll(() => {
  const add = (bytes: Uint8Array): number => objects.push(Uint8Array.from(bytes));
  add(shop.compile("int x = 1; int f(void) { return x; }", "c", ["-O2"]));
  add(shop.compile(C_SOURCE, "c", ["-O2"]));
  add(shop.compile(C_SOURCE, "c", ["-O2", "-ffunction-sections", "-fdata-sections", "-mfentry", "-pg", "-fno-pic"]));
  add(shop.compile(C_SOURCE, "c", ["-O1", "-g", "-gz"]));
  add(shop.compile(S_SOURCE, "s", []));
  shop.run("cp", "out.o", "a.o");
  shop.compile(C_SOURCE, "c", ["-O2", "-g"]);
  shop.run("ld", "-r", "a.o", "out.o", "-o", "linked.o");
  add(shop.read("linked.o"));
  add(unaligned(shop.read("linked.o"), 1));
  // 32 bits, and the other byte order.
  add(shop.compile(C_SOURCE, "c", ["-O2", "-mx32"]));
  add(writeElf({ ...readElf(shop.read("linked.o"), "linked.o"), format: { bits: 64, order: "big" } }));
});
afterAll(() => shop.close());

function read(bytes: Uint8Array): ElfObject | string {
  try {
    return readElf(bytes, "fuzz.o");
  } catch (error) {
    if (error instanceof SutureError && error.code.startsWith("ELF_") && error.where.file === "fuzz.o") return error.code;
    throw error;
  }
}

/** @returns the code with which it was refused, or "read" */
function outcome(bytes: Uint8Array): string {
  const elf = read(bytes);
  if (typeof elf === "string") return elf;
  let written: Uint8Array;
  try {
    written = writeElf(elf);
  } catch (error) {
    // Images can be read, not written.
    if (error instanceof SutureError && error.code === "ELF_UNSUPPORTED") return "read, not written";
    throw error;
  }
  expect(written.length).toBeLessThanOrEqual(2 * bytes.length + 4096);
  const again = readElf(written, "again.o");
  expect(difference(elf, again)).toBeUndefined();
  expect(Buffer.compare(writeElf(again), written)).toBe(0);
  return "read";
}

test(`${MUTATIONS} damaged objects (seed ${SEED})`, () => {
  const random = randomOf(SEED);
  const mutators = objects.map((bytes) => new Mutator(bytes, random));
  const counts: Record<string, number> = {};
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = mutators[i % mutators.length]?.next() ?? new Uint8Array();
    try {
      const what = outcome(bytes);
      counts[what] = (counts[what] ?? 0) + 1;
    } catch (error) {
      throw new Error(`mutation ${i} of seed ${SEED} (object ${i % mutators.length})`, { cause: error });
    }
  }
  console.log(counts);
  // The damage reaches every check of the reader.
  expect(Object.keys(counts)).toEqual(
    expect.arrayContaining([
      "read",
      "ELF_NOT_ELF",
      "ELF_TRUNCATED",
      "ELF_BAD_HEADER",
      "ELF_BAD_SECTION",
      "ELF_OVERLAP",
      "ELF_BAD_STRING",
      "ELF_BAD_SYMBOL",
      "ELF_BAD_RELOCATION",
      "ELF_UNSUPPORTED",
    ]),
  );
});

/**
 * What stays in memory of a parse, relocations included: the least of some, since what else the process comes to need meanwhile, such as the code of a
 * function that has become hot, is measured with it once.
 */
function kept(bytes: Uint8Array, used: () => number): number {
  return Math.min(...[1, 2, 3].map(() => keptOnce(bytes, used)));
}

/** Every object of the parse is dead when this returns. */
function keptOnce(bytes: Uint8Array, used: () => number): number {
  const before = used();
  const elf = read(bytes);
  if (typeof elf !== "string") for (const section of elf.sections) section.relocations.length;
  const after = used();
  // Keeps the result alive until it is measured.
  expect(elf).toBeDefined();
  return after - before;
}

test("what a damaged object makes the reader keep is bounded by the file", () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const used = (): number => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const random = randomOf(SEED + 1);
  // Large enough for the noise not to matter.
  const large = shop
    .libraryObjects()
    .map(({ bytes }) => Uint8Array.from(bytes))
    .sort((a, b) => b.length - a.length)
    .slice(0, 8);
  let worst = 0;
  for (const original of large) {
    const mutator = new Mutator(original, random);
    for (let i = 0; i < 12; i++) {
      const bytes = i === 0 ? original : mutator.next();
      worst = Math.max(worst, (kept(bytes, used) - NOISE) / original.length);
    }
  }
  expect(worst).toBeLessThan(MOST_MEMORY);
});
