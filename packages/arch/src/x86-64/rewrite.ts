/**
 * A branch on a static key that is read each time instead of being patched: its five bytes become a jump behind the function's end, where the
 * key is compared and control goes where the patched branch would have gone. The asm statement that the branch is made of may change the flags
 * like any other, so nothing is saved. Source: arch/x86/include/asm/jump_label.h, kernel/jump_label.c (jump_label_type).
 * A constant that the kernel writes into its code at boot: `mov $constant, %reg` becomes `mov variable(%rip), %reg`, as the kernel's own modules
 * do it. Source: arch/x86/include/asm/runtime-const.h.
 */
import { type ByteView, viewOf } from "@suture/elf";
import type { KeyRead, Rewrite } from "../rewrite.ts";
import { isNop5, JMP_REL32 } from "./code.ts";
import { R_X86_64 } from "./relocations.ts";
import { CONSTANT_POINTERS } from "./tables.ts";

/** Bytes of a site that holds a jump, and of what follows the function for each. */
const SITE = 5;
const STUB = 19;

/** In the key's field of an entry: whether the branch is taken while the key is off; whether it is code of the boot phase. */
const BRANCH = 1;
const FLAGS = 3;

/** What stands in the code until boot. */
const PLACEHOLDER = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];
/** Bytes before the field: REX with W, and B8 to BF for the register. */
const BEFORE = 2;
const NOP3 = [0x0f, 0x1f, 0x00];

/** Parameters and body of a macro of several lines. */
const MACRO = "\\(val, sym\\)[^\\n]*\\\\\\n(?:[^\\n]*\\\\\\n)*[^\\n]*\\n";

export const rewrite: Rewrite = {
  room: {
    // How the assembler is told the size of a branch.
    key: {
      header: "arch/x86/include/asm/jump_label.h",
      // Since 6.19 in a macro, whose parameter the label is.
      from: /\bjmp (?=%l\[l_yes\]|" label ")/g,
      to: "jmp.d32 ",
      note: "its branches on static keys have five bytes, so that those on a module's keys can read the key",
    },
    // Like include/asm-generic/runtime-const.h, but for the shift: a checker of undefined behaviour would look at one of C.
    constant: {
      header: "arch/x86/include/asm/runtime-const.h",
      from: new RegExp(`#define runtime_const_shift_right_32${MACRO}(?:\n#define runtime_const_mask_32${MACRO})?`),
      to: `#define runtime_const_shift_right_32(val, sym) ({ u32 __ret = (u32)(val); asm("shrl %b1, %k0" : "+r" (__ret) : "c" (sym)); __ret; })
#define runtime_const_mask_32(val, sym) ((u32)(val) & (sym))
`,
      note: "it reads variables where the kernel's code has constants that are filled in at boot",
    },
  },

  /** A branch of two bytes, as objtool makes them of short jumps, has no room for a jump. */
  canReadKey: (code, at) => at + SITE <= code.length && (isNop5(code, at) || code[at] === JMP_REL32),

  readKeys(code, branches) {
    const bytes = new Uint8Array(code.length + branches.length * STUB);
    bytes.set(code);
    const view = viewOf(bytes, "little");
    const reads: KeyRead[] = [];
    let at = code.length;
    for (const { at: site, key, target } of branches) {
      jump(view, site, at);
      // cmpl $0, key(%rip)
      bytes.set([0x83, 0x3d, 0, 0, 0, 0, 0], at);
      // jne or je: a count that is not zero is on.
      bytes.set([0x0f, (key.addend & BRANCH) === 0 ? 0x85 : 0x84], at + 7);
      if (target.inside) view.setU32(at + 9, target.target - (at + 13));
      jump(view, at + 13, site + SITE);
      bytes[at + 18] = 0xcc;
      reads.push({
        site,
        at,
        key: { at: at + 2, type: R_X86_64.PC32, addend: (key.addend & ~FLAGS) - 5, target: key.target & ~FLAGS },
        target: target.inside ? undefined : { at: at + 9, type: R_X86_64.PC32, addend: target.target - 4, target: target.target },
      });
      at += STUB;
    }
    return { bytes, reads, gone: new Set(branches.map((branch) => branch.at + 1)) };
  },

  /** Whether the place is a `mov` of eight bytes to a register. A shift by a constant has no room for another instruction. */
  canReadConstant(code, at, section) {
    const [rex = 0, opcode = 0] = [code[at - BEFORE], code[at - 1]];
    return (
      section.startsWith(CONSTANT_POINTERS) &&
      (rex & 0xfe) === 0x48 &&
      (opcode & 0xf8) === 0xb8 &&
      PLACEHOLDER.every((byte, i) => code[at + i] === byte)
    );
  },

  constantVariable: (section) => section.slice(CONSTANT_POINTERS.length),

  constantField: (at) => ({ at: at - BEFORE + 3, type: R_X86_64.PC32, addend: -4, target: 0 }),

  readConstants(code, places) {
    const bytes = Uint8Array.from(code);
    for (const at of places) {
      const start = at - BEFORE;
      const [rex = 0, opcode = 0] = [bytes[start], bytes[start + 1]];
      // The register moves from the opcode to the middle of the ModRM byte, and its fourth bit from REX.B to REX.R.
      bytes.set([0x48 | ((rex & 1) << 2), 0x8b, ((opcode & 7) << 3) | 5, 0, 0, 0, 0, ...NOP3], start);
    }
    return bytes;
  },
};

function jump(view: ByteView, from: number, to: number): void {
  view.setU8(from, JMP_REL32);
  view.setU32(from + 1, to - (from + SITE));
}
