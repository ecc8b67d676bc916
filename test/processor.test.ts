/** What is known of a processor is in packages/arch. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const packages = join(import.meta.dirname, "..", "packages");

/** Names of the processor, of its relocations, its decoder and its instructions. */
const WORDS =
  /x86|\bi386\b|amd64|EM_X86|R_X86|\biced\b|bzImage|elf_x86|__fentry__|endbr|\bENDBR64|altinstr|\borc_unwind|retpoline|__mcount_loc|modrm|\brip\b|0x0f, 0x1f|0xe[89]\b/i;

/** Packages that name no processor. */
const CLEAN: readonly string[] = ["diff", "elf", "livepatch", "proof"];

/** Numbers in bytes are read and written by a view that was told their order (packages/elf/src/view.ts). */
const ORDERS = /\bDataView\b|\b(read|write)(U?Int|BigU?Int|Float|Double)\d*(LE|BE)\b/;
const VIEW = "elf/src/view.ts";

/** All that is no test, outside of packages/arch and of what only tests use. */
function everywhere(): string[] {
  return readdirSync(packages, { recursive: true, encoding: "utf8" })
    .filter((path) => /^(?!arch\/|testkit\/)\w+\/src\/.*(?<!\.test)\.ts$/.test(path))
    .sort();
}

function sources(): string[] {
  return everywhere().filter((path) => !path.endsWith("/errors.ts") && CLEAN.some((name) => path.startsWith(`${name}/src/`)));
}

function wordsIn(text: string): string[] {
  return text.split("\n").filter((line) => WORDS.test(line));
}

test("the words are found where they are", () => {
  for (const text of [
    "const EM = EM_X86_64;",
    'import("iced-x86")',
    "[0x0f, 0x1f, 0x44, 0x00, 0x00]",
    'name === "__fentry__"',
    "byte === 0xe8",
    '"-m", "elf_x86_64"',
  ])
    expect(wordsIn(text), text).toHaveLength(1);
  expect(wordsIn("const end = start + 4; // a field")).toEqual([]);
});

test("no source of these packages names a processor, but for what users are told", () => {
  const found = sources().filter((path) => wordsIn(readFileSync(join(packages, path), "utf8")).length > 0);
  expect(sources().length).toBeGreaterThan(70);
  expect(found).toEqual([]);
});

test("readers by hand are found where they are", () => {
  for (const text of ["view.getUint32(at, true) + new DataView(bytes.buffer)", "bytes.readUInt32LE(8)", "bytes.writeBigInt64BE(x, 0)"])
    expect(text).toMatch(ORDERS);
  expect("view.u32(at)").not.toMatch(ORDERS);
});

test("no source but the view reads numbers in a byte order of its own", () => {
  const found = everywhere().filter((path) => path !== VIEW && ORDERS.test(readFileSync(join(packages, path), "utf8")));
  expect(everywhere().length).toBeGreaterThan(300);
  expect(found).toEqual([]);
});
