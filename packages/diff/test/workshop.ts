/** Compiles the C and assembler of the tests like a kernel's, and diffs it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TypeLayouts } from "@suture/arch";
import { type ElfObject, isSection, readElf, relocationSections, type Section, STB, STT, writeElf } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { type Delta, type DiffOptions, diff } from "../src/diff.ts";

const GCC = "gcc";
const LINKER = "ld";

const KERNEL =
  "-O2 -w -std=gnu11 -fno-pic -mcmodel=kernel -mno-red-zone -mno-sse -mno-80387 -ffreestanding -fcf-protection=none -fno-jump-tables " +
  "-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-stack-protector -fno-common -pg -mfentry -mrecord-mcount -ffunction-sections -fdata-sections";

/** What the tests' sources begin with: the kernel's words for what they need. */
export const PRELUDE = `
#define noinline __attribute__((noinline))
#define notrace __attribute__((no_instrument_function))
#define __init __attribute__((section(".init.text"), cold)) notrace
#define __exit __attribute__((section(".exit.text"), cold)) notrace
#define __initdata __attribute__((section(".init.data")))
#define __percpu_data __attribute__((section(".data..percpu")))
#define __read_mostly __attribute__((section(".data..read_mostly")))
#define __weak __attribute__((weak))
#define barrier() asm volatile("" ::: "memory")
extern int printk(const char *, ...);
struct static_key { int enabled; void *entries; };
static inline __attribute__((always_inline)) int static_branch(struct static_key *key) {
  asm goto("1: .byte 0x0f,0x1f,0x44,0,0\\n.pushsection __jump_table,\\"aw\\"\\n.balign 8\\n.long 1b - ., %l[yes] - .\\n.quad %c0 - .\\n.popsection" :: "i"(key) :: yes);
  return 0;
yes:
  return 1;
}
/* Taken while the key is off, and a jump to begin with. */
static inline __attribute__((always_inline)) int static_branch_jump(struct static_key *key) {
  asm goto("1: .byte 0xe9\\n.long %l[yes] - (. + 4)\\n.pushsection __jump_table,\\"aw\\"\\n.balign 8\\n.long 1b - ., %l[yes] - .\\n.quad %c0 + 1 - .\\n.popsection" :: "i"(key) :: yes);
  return 0;
yes:
  return 1;
}
#define BUG() asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ., %c0 - .\\n.word %c1, 0\\n.org 2b + 12\\n.popsection" :: "i"("file.c"), "i"(__LINE__))
`;

const sizes: Readonly<Record<string, number>> = {
  bug_entry: 12,
  exception_table_entry: 12,
  jump_entry: 16,
  alt_instr: 12,
  paravirt_patch_site: 16,
  static_call_site: 8,
  orc_entry: 6,
};
const members: Readonly<Record<string, { offset: number; size: number }>> = {
  "bug_entry.line": { offset: 8, size: 2 },
  "alt_instr.repl_offset": { offset: 4, size: 4 },
  "alt_instr.replacementlen": { offset: 11, size: 1 },
  "jump_entry.key": { offset: 8, size: 8 },
  "static_call_site.key": { offset: 4, size: 4 },
};

/** Of the structures that the tests' own tables are made of. */
export const layouts: TypeLayouts = { size: (name) => sizes[name], member: (struct, name) => members[`${struct}.${name}`] };

export class Workshop {
  readonly #folder = mkdtempSync(join(tmpdir(), "suture-diff-"));
  #count = 0;

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  compile(source: string, options: readonly string[] = []): ElfObject {
    return this.#run("c", `${PRELUDE}#line 1 "file.c"\n${source}`, [...KERNEL.split(" "), ...options]);
  }

  assemble(source: string): ElfObject {
    return this.#run("S", source, []);
  }

  #run(ending: string, source: string, options: readonly string[]): ElfObject {
    const base = join(this.#folder, String(++this.#count));
    writeFileSync(`${base}.${ending}`, source);
    execFileSync(GCC, [...options, "-c", "-o", `${base}.o`, `${base}.${ending}`], { stdio: ["ignore", "ignore", "pipe"] });
    return readElf(readFileSync(`${base}.o`), "file.o");
  }

  diff(original: string, patched: string, options: Partial<DiffOptions> = {}): Delta {
    return this.compare(this.compile(original), this.compile(patched), options);
  }

  compare(original: ElfObject, patched: ElfObject, options: Partial<DiffOptions> = {}): Delta {
    const delta = diff(original, patched, { layouts, build: { module: false, memoryHotplug: true }, ...options });
    if (delta.object !== undefined) this.#link(delta.object);
    return delta;
  }

  /** What the differ made must be an object that ld takes. */
  #link(object: ElfObject): void {
    const base = join(this.#folder, `out${++this.#count}`);
    writeFileSync(`${base}.o`, writeElf(object));
    execFileSync(LINKER, ["-r", "-o", `${base}.ld.o`, `${base}.o`], { stdio: ["ignore", "ignore", "pipe"] });
  }

  /** Runs a program of the object, whose functions are made visible, and of C; what it prints. */
  run(object: ElfObject, program: string): string {
    const base = join(this.#folder, `run${++this.#count}`);
    for (const symbol of object.symbols) if (symbol.type === STT.FUNC) symbol.bind = STB.GLOBAL;
    object.symbols.sort((a, b) => Math.min(a.bind, 1) - Math.min(b.bind, 1));
    writeFileSync(`${base}.o`, writeElf(object));
    writeFileSync(`${base}.c`, program);
    const options = ["-O0", "-w", "-no-pie", "-fno-pic", "-z", "noexecstack"];
    execFileSync(GCC, [...options, "-o", base, `${base}.c`, `${base}.o`], { stdio: ["ignore", "ignore", "pipe"] });
    return execFileSync(base, { encoding: "utf8" });
  }

  /** The refusal that the difference must lead to. */
  refusal(original: string, patched: string, options: Partial<DiffOptions> = {}): SutureError {
    try {
      this.diff(original, patched, options);
    } catch (error) {
      return error as SutureError;
    }
    throw new Error("it was not refused");
  }
}

export function names(list: readonly { name: string }[]): string[] {
  return list.map(({ name }) => name).sort();
}

export function externalNames(delta: Delta): string[] {
  return delta.externals.map(({ symbol }) => symbol.name).sort();
}

export function sectionOf(delta: Delta, name: string): Section | undefined {
  return delta.object?.sections.find((section) => section.name === name);
}

/** What relocations of a section say, as `offset symbol+addend`; section symbols by their section's name. */
export function relocationsOf(delta: Delta, name: string): string[] {
  const section = sectionOf(delta, name);
  if (delta.object === undefined || section === undefined) return [];
  const tables = relocationSections(delta.object).get(section) ?? [];
  return tables.flatMap((table) =>
    table.relocations.map(({ offset, symbol, addend }) => {
      const place = symbol?.place;
      const target = symbol?.name !== "" ? symbol?.name : place !== undefined && isSection(place) ? place.name : "?";
      return `${offset} ${target}${addend < 0 ? "-" : "+"}${Math.abs(addend)}`;
    }),
  );
}
