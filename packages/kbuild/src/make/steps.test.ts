import { expect, it } from "vitest";
import { stepsOf } from "./steps.ts";

/** As scripts/Kbuild.include prints a command (6.1), and with a comment before it (6.12). */
const printed = (output: string, command: string, comment = ""): string =>
  `set -e; ${comment === "" ? "" : `echo '# ${comment}';`} echo '  ${command.replaceAll("'", "'\\''")}';   trap 'rm -f ${output}; trap - HUP; kill -s HUP $$' HUP; x`;

it("finds who besides C reads a file", () => {
  const { steps } = stepsOf(
    [
      printed(
        "a/b.o",
        "gcc-12 -Wp,-MMD,a/.b.o.d -I./include -D__ASSEMBLY__ -c -o a/b.o a/b.S  ; ./tools/objtool/objtool a/b.o",
        "AS      a/b.o",
      ),
      printed("a/vmlinux.lds", "gcc-12 -E -Wp,-MMD,a/.vmlinux.lds.d -P -o a/vmlinux.lds a/vmlinux.lds.S"),
      printed("a/offsets.s", "gcc-12 -Wp,-MMD,d -fverbose-asm -S -o a/offsets.s a/offsets.c"),
      printed("lib/gen_table", "gcc-12 -Wp,-MMD,d -O2       -o lib/gen_table lib/gen_table.c   "),
      printed("lib/table.h", "lib/gen_table > lib/table.h"),
      printed("a/cpu/flags.c", "sh ./a/cpu/flags.sh a/cpu/flags.c a/cpu/../../include/features.h FORCE", "MKCAP   a/cpu/flags.c"),
      printed("s/tbl.c", "sed -n 's/x/y/p' include/scsi/info.h > s/tbl.c"),
      printed("fs/pipe.o", "gcc-12 -c -o fs/pipe.o fs/pipe.c"),
      printed("fs/built-in.a", "rm -f fs/built-in.a;  printf x | xargs ar cDPrST fs/built-in.a"),
    ].join("\n"),
  );
  expect(steps.map(({ kind, output, source, inputs }) => [kind, output, source, inputs.join(" ")])).toEqual([
    ["assembly", "a/b.o", "a/b.S", ""],
    ["linker script", "a/vmlinux.lds", "a/vmlinux.lds.S", ""],
    ["constants for assembly", "a/offsets.s", "a/offsets.c", ""],
    ["program of the build", "lib/gen_table", "lib/gen_table.c", ""],
    ["generated file", "lib/table.h", "", "lib/gen_table"],
    ["generated file", "a/cpu/flags.c", "", "a/cpu/flags.sh include/features.h"],
    ["generated file", "s/tbl.c", "", expect.stringContaining("include/scsi/info.h")],
  ]);
  expect(steps.find(({ output }) => output === "a/cpu/flags.c")?.command).toBe(
    "sh ./a/cpu/flags.sh a/cpu/flags.c include/features.h FORCE",
  );
});

it("finds programs that the kernel carries", () => {
  const { programs } = stepsOf(
    [
      printed("v/vdso64.so.dbg", "ld -o v/vdso64.so.dbg -shared -T v/vdso.lds v/note.o v/getcpu.o && sh v/check.sh 'nm' v/x.o"),
      printed("p/purgatory.ro", "ld -r -e start p/purgatory.o p/sha256.o -o p/purgatory.ro"),
      printed("e/lib.stub.o", "strip --strip-debug -o e/lib.stub.o e/lib.o; if objdump -r e/lib.stub.o; then x; fi"),
      printed("fs/fuse/fuse.o", "ld -r -o fs/fuse/fuse.o @fs/fuse/fuse.mod"),
    ].join("\n"),
  );
  expect(programs).toEqual([
    ["v/vdso64.so.dbg", ["v/note.o", "v/getcpu.o"]],
    ["p/purgatory.ro", ["p/purgatory.o", "p/sha256.o"]],
    ["e", ["e/lib.o"]],
  ]);
});
