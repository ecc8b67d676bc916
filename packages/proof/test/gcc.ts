/** Objects and a module, made by the compiler and linker that are here. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TypeLayouts } from "@suture/arch";
import { type ElfObject, readElf } from "@suture/elf";
import { type KernelModule, openModule } from "@suture/kernel";
import { Task } from "@suture/task";

const KERNEL_LIKE = [
  "-O2",
  "-mcmodel=kernel",
  "-fno-pic",
  "-fno-asynchronous-unwind-tables",
  "-fcf-protection=none",
  "-ffreestanding",
  "-g0",
];

/** One of the two objects of the module: it has a variable, strings, calls, a warning, and a function that the other one has too. */
export const FIRST = `
extern int outside(const char *, int);
static int count = 3;
static int zeros[4];
static const int steps[] = { 1, 10, 100, 1000 };
__attribute__((weak)) int replaced(void) { return 1; }
static __attribute__((noinline)) int helper(int n) { return outside("first", n) + count; }
int start(int n) { if (n > 4) asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n.long 0\\n.word 7, 1\\n.popsection"); return helper(n) + steps[n & 3]; }
int middle(int n) { zeros[n & 3]++; return n == 7 ? outside("seven", count++) : start(n + 1); }
int last(int n) { return middle(n) + helper(n); }
__attribute__((section(".init.text"))) int at_start(void) { return outside("start", replaced()); }
asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.asciz \\"vermagic=9.8.7 SMP \\"\\n.popsection");
`;

export const SECOND = `
extern int outside(const char *, int);
int replaced(void) { return 2; }
static __attribute__((noinline)) int helper(int n) { return outside("second", n * 2); }
int other(int n) { return helper(n) + helper(n + 1); }
`;

export class Workshop {
  readonly #folder = mkdtempSync(join(tmpdir(), "suture-proof-"));

  compile(name: string, source: string, ...options: string[]): ElfObject {
    const path = this.#path(name, source, options);
    return readElf(new Uint8Array(readFileSync(path)), name);
  }

  /** The sources, compiled and linked in that order. */
  module(...sources: string[]): Promise<KernelModule> {
    return this.moduleOf(sources);
  }

  async moduleOf(sources: readonly string[], ...options: string[]): Promise<KernelModule> {
    const objects = sources.map((source, i) => this.#path(`part${i}.o`, source, options));
    const path = join(this.#folder, "small.ko");
    execFileSync("ld", ["-r", "-o", path, ...objects]);
    return openModule(new Task(), path);
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string, source: string, options: string[]): string {
    const path = join(this.#folder, name);
    writeFileSync(`${path}.c`, source);
    execFileSync("gcc", [...KERNEL_LIKE, ...options, "-c", "-o", path, `${path}.c`]);
    return path;
  }
}

/** The structures that these objects have tables of. */
export const layouts: TypeLayouts = {
  size: (struct) => ({ bug_entry: 12, jump_entry: 16, alt_instr: 14, static_call_site: 8, paravirt_patch_site: 16 })[struct],
  member: (struct, name) => (struct === "alt_instr" && name === "instrlen" ? { offset: 12, size: 1 } : undefined),
};
