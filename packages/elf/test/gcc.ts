/** Objects for tests, made by the compiler, assembler and linker that are here. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A bit of everything that makes gcc write different sections, symbols and relocations. */
export const C_SOURCE = `
#include <stdarg.h>
struct node { struct node *next; const char *name; int (*call)(int, ...); };
extern int outside(const char *, ...);
extern __thread int outside_thread;
int common_variable;
static int bss_variable;
int data_variable = 3;
static const char *const names[] = { "zero", "one", "two", "three" };
static __thread long per_thread = 7;
__attribute__((weak)) int weak_function(int x) { return x + data_variable; }
__attribute__((section(".init.text"), cold)) int at_boot(void) { return outside("boot %d", bss_variable++); }
__attribute__((aligned(64))) struct node chain[2] = { { &chain[1], "first", (int (*)(int, ...))outside }, { 0, "second", 0 } };
int alias_function(int) __attribute__((alias("weak_function")));
__attribute__((visibility("hidden"))) double floating(double x) { return x * 2.5 + 1e-9; }
static int __attribute__((noinline)) counted(int n) { static int calls; return calls += n; }
int choose(int n, ...) {
  va_list list;
  va_start(list, n);
  int sum = per_thread++ + outside_thread;
  switch (n) {
    case 0: sum += va_arg(list, int); break;
    case 1: return outside(names[n & 3]);
    case 2: sum -= 11; break;
    case 3: sum *= counted(n); break;
    case 4: return weak_function(sum);
    case 5: sum ^= 0x1234; break;
    default: if (__builtin_expect(n > 1000, 0)) { outside("%s is large: %d", "n", n); __builtin_trap(); }
  }
  va_end(list);
  return sum;
}
__asm__(".pushsection .table,\\"a\\"\\n .long choose - .\\n .quad data_variable + 4\\n .popsection");
`;

/** Groups, symbols without type or size, odd sections, relocations of a symbol that is nowhere. */
export const S_SOURCE = `
  .section .text.grouped,"axG",@progbits,grouped,comdat
  .weak grouped
  .type grouped,@function
grouped: call elsewhere@PLT
  movq thing@GOTPCREL(%rip), %rax
  jmp 1f
1: ret
  .size grouped, .-grouped
  .section .data.grouped,"awG",@progbits,grouped,comdat
  .quad grouped, . - 8, absolute
  .section .note.test,"a",@note
  .long 4, 4, 1
  .asciz "abc"
  .long 7
  .section .strings,"aMS",@progbits,1
  .asciz "merged"
  .section .order,"ao",@progbits,.text
  .quad .text
  .bss
  .skip 1234567
  .globl absolute
  .set absolute, 0x1234
  .globl negative
  .set negative, -4096
  .comm shared, 48, 32
  .local inside
  .comm inside, 3
  .hidden unseen
  .section .note.GNU-stack,"",@progbits
  .text
  .quad unseen - .
  .reloc ., R_X86_64_NONE, 0
`;

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), "suture-elf-"));

  run(program: string, ...args: string[]): void {
    execFileSync(program, args, { cwd: this.folder, stdio: ["ignore", "ignore", "inherit"] });
  }

  output(program: string, ...args: string[]): string {
    return execFileSync(program, args, { cwd: this.folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  write(name: string, text: string | Uint8Array): void {
    writeFileSync(join(this.folder, name), text);
  }

  read(name: string): Uint8Array {
    return readFileSync(join(this.folder, name));
  }

  /** @returns the object's bytes; it stays in the folder as `out.o` */
  compile(source: string, kind: "c" | "s", options: readonly string[]): Uint8Array {
    this.write(`in.${kind}`, source);
    this.run("gcc", "-c", ...options, `in.${kind}`, "-o", "out.o");
    return this.read("out.o");
  }

  /** Members of the C library's archive: objects of every shape that gcc made for others. */
  libraryObjects(): { name: string; bytes: Uint8Array }[] {
    const library = execFileSync("gcc", ["-print-file-name=libc.a"], { encoding: "utf8" }).trim();
    const folder = join(this.folder, "library");
    mkdirSync(folder);
    execFileSync("ar", ["x", library], { cwd: folder });
    return readdirSync(folder).map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
