/** What is known of a processor is in packages/arch. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const packages = join(import.meta.dirname, "..", "packages");

/** Names of the processor, of its relocations, registers and instructions, of its tables, and of what builds, boots and carries its kernels. */
const WORDS = [
  /x86|\bx64|\bi[3-6]86\b|\bia-?32|amd64|\bintel\b|GOTPCREL/i,
  /\bR_[A-Z0-9]+_\w|\bPLT32\b|\bPC32\b|\bEM_[A-Z]|\bHdrS\b|UNWINDER_ORC|\b[RE]IP\b|\bR[A-D]X\b|\b[RE]SP\b/,
  /\biced\b|modrm|\b[re]ip\b|\b[re][a-d]x\b|\b[re]sp\b|0x0f, 0x1f|0xe[89]\b|\b0xcc\b|\bint3\b|\bnopl?\b/,
  /__fentry__|endbr|altinstr|parainstr|\borc\b|\borc_|retpoline|return_sites|\.call_sites|smp_locks|ibt_|__mcount_loc|runtime_(?:ptr|shift)_/i,
  /bzImage|vdso2c|\belf_[a-z]+\d|linux-gnu\b|qemu-system-|ttyS\d|nr_uarts|noreplace-smp|unknown_nmi|__x64_|ld-linux-\w|-machine", "pc|purgatory\//,
];

/** Files that name it all the same, what of it, and why. */
const MAY: readonly { files: RegExp; words: RegExp; why: string }[] = [
  { files: /\/src\/errors\.ts$/, words: /./, why: "users are told which kernels and packages there are" },
  {
    files: /^cli\/src\/(words\/examples|commands\/kernels)\.ts$/,
    words: /\bcloud-amd64|--entry-size \.altinstructions/,
    why: "the examples of --help are of a kernel, and of flavours, that there are",
  },
  { files: /^account\/src\//, words: /`?\[?x86[\]/`]/, why: "examples of the tags that a changelog begins subjects with" },
];

/** Numbers in bytes are read and written by a view that was told their order (packages/elf/src/view.ts). */
const ORDERS = /\bDataView\b|\b(read|write)(U?Int|BigU?Int|Float|Double)\d*(LE|BE)\b/;
const VIEW = "elf/src/view.ts";

/** An address is no number of 32 bits: its order, and what holds it, the kernel's AddressSpace knows. */
const CUT = />>> 0\b|[^|]\| 0\b/;
/** Where a number of 32 bits is meant: random numbers of a seed. */
const RANDOM = /\b(seed|state|t)\b.*>>> /;

/** All that is no test, outside of packages/arch and of what only tests use. */
function everywhere(): string[] {
  return readdirSync(packages, { recursive: true, encoding: "utf8" })
    .filter((path) => /^(?!arch\/|testkit\/)\w+\/(?:src|c)\/.*(?<!\.test)\.(?:ts|[chS])$/.test(path))
    .sort();
}

const namesOne = (line: string): boolean => WORDS.some((words) => words.test(line));

test("the words are found where they are", () => {
  for (const text of [
    "const EM = EM_X86_64;",
    'import("iced-x86")',
    "[0x0f, 0x1f, 0x44, 0x00, 0x00]",
    'name === "__fentry__"',
    "byte === 0xe8",
    '"-m", "elf_x86_64"',
    '"-m", "elf_i386"',
    "R_X86_64_PLT32",
    "R_AARCH64_CALL26",
    "the address is relative to rip",
    "#ifdef CONFIG_X86_64",
    "apt-get install linux-image-amd64",
    '"qemu-system-x86_64"',
    "arch/x86/boot/bzImage",
    'enabled("CONFIG_UNWINDER_ORC")',
    "made by SYSCALL_DEFINE: __x64_sys_read",
    "x86_64-linux-gnu-ld",
    "console=ttyS0",
  ])
    expect(namesOne(text), text).toBe(true);
  for (const text of [
    "const end = start + 4; // a field",
    "ip link set lo up",
    "shdrSize",
    "No space left [IP: 1.2.3.4]",
    "they trip over a description",
    "force, source, orchestrate",
  ])
    expect(namesOne(text), text).toBe(false);
});

test("no source outside of packages/arch names a processor, but where the reason is given", () => {
  const found: string[] = [];
  const used = new Set<unknown>();
  for (const path of everywhere())
    for (const line of readFileSync(join(packages, path), "utf8").split("\n")) {
      if (!namesOne(line)) continue;
      const reason = MAY.find(({ files, words }) => files.test(path) && words.test(line));
      if (reason === undefined) found.push(`${path}: ${line.trim()}`);
      used.add(reason);
    }
  expect(found).toEqual([]);
  // A reason that is no longer needed goes.
  expect(MAY.filter((reason) => !used.has(reason))).toEqual([]);
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

test("addresses that are cut to 32 bits are found where they are", () => {
  for (const text of ["const key = address >>> 0;", "return found | 0;", "(address | 0) === address"]) expect(text).toMatch(CUT);
  for (const text of ["const middle = (low + high) >>> 1;", "const offset = start >>> 3;", "a || 0"]) expect(text).not.toMatch(CUT);
});

test("no source cuts an address to 32 bits", () => {
  const found = everywhere().flatMap((path) =>
    readFileSync(join(packages, path), "utf8")
      .split("\n")
      .filter((line) => CUT.test(line) && !RANDOM.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
