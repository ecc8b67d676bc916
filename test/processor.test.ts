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

function sources(): string[] {
  return readdirSync(packages, { recursive: true, encoding: "utf8" })
    .filter(
      (path) => !path.endsWith("/errors.ts") && CLEAN.some((name) => path.startsWith(`${name}/src/`)) && /(?<!\.test)\.ts$/.test(path),
    )
    .sort();
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
