import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { needsFixHeaders, withFixHeaders } from "./fix-headers.ts";

const LINE = "gcc-12 -Wp,-MMD,fs/.a.o.d -nostdinc -I./arch/x86/include -I./include -D__KERNEL__ -c -o fs/a.o fs/a.c";

describe("the headers that the source of a fix may include", () => {
  it.each([
    '#include "kpatch-macros.h"',
    "#include <linux/livepatch_helpers.h>",
    'int x;\n  #  include\t"livepatch_helpers.h"\n',
    '#include "kpatch-syscall.h"\r\n',
  ])("are offered where it does: %j", (text) => {
    expect(needsFixHeaders(["int a;", text])).toBe(true);
  });

  it.each(["", "#include <linux/livepatch.h>", '// #include "kpatch-macros.h"', '#include "my-kpatch-macros.h"', "kpatch-macros.h"])(
    "are not where it does not: %j",
    (text) => {
      expect(needsFixHeaders([text])).toBe(false);
    },
  );

  it("stand before the kernel's folders, which may have one of such a name", () => {
    const [, folder = ""] = /-nostdinc -I'(.*)' -I\.\/arch/.exec(withFixHeaders(LINE)) ?? [];
    for (const header of ["kpatch-macros.h", "kpatch-syscall.h", "livepatch_helpers.h", "linux/livepatch_helpers.h"])
      expect(existsSync(join(folder, header)), header).toBe(true);
    expect(withFixHeaders(LINE).replace(` -I'${folder}'`, "")).toBe(LINE);
  });
});
