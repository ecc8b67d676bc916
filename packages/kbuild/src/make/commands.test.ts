import { codeOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { Commands, rowsOf } from "./commands.ts";

/** What make -n prints for an object, as scripts/Kbuild.include writes it. */
const printed = (object: string, source: string, flags: string, after = ""): string =>
  `set -e;  gcc -c; scripts/basic/fixdep D ${object} 'gcc-12 -Wp,-MMD,D ${flags} -c -o ${object} ${source}  ${after}' > F; rm -f D`;

const MODULE = (name: string): string => `-DMODULE -DKBUILD_MODNAME='\\''"${name}"'\\''`;

describe("the kernel's own command lines", () => {
  it("are read out of what make prints", () => {
    const commands = new Commands(
      rowsOf(
        [
          "make -f x",
          printed("fs/pipe.o", "fs/pipe.c", `-DX='\\''"$$(pound)y"'\\''`, "; ./tools/objtool/objtool --orc fs/pipe.o"),
          printed("fs/x/a.o", "fs/x/a.c", MODULE("x_mod")),
          printed("arch/x86/kvm/../../../virt/kvm/k.o", "arch/x86/kvm/../../../virt/kvm/k.c", MODULE("kvm")),
          printed("entry.o", "entry.S", ""),
        ].join("\n"),
      ),
    );
    expect(commands.objects).toEqual(["arch/x86/kvm/../../../virt/kvm/k.o", "fs/pipe.o", "fs/x/a.o"]);
    expect(commands.ofSource("virt/kvm/k.c")).toEqual(["arch/x86/kvm/../../../virt/kvm/k.o"]);
    expect(commands.of("fs/pipe.o")).toMatchObject({
      owner: "vmlinux",
      depfile: "fs/.pipe.o.d",
      objtool: "./tools/objtool/objtool --orc fs/pipe.o",
    });
    expect(commands.of("fs/x/a.o")).toMatchObject({ owner: "x_mod", objtool: undefined });
  });

  it("unwrap what was written for the shell and for make", () => {
    const [row] = rowsOf(printed("a.o", "a.c", `-DX='\\''"$(pound)y$$"'\\''`));
    expect(row?.compile).toContain(`-DX='"#y$"'`);
  });

  it("pass through objtool what the build does when it links", () => {
    const objtool = "./tools/objtool/objtool --hacks=jump_label --ibt --link  --module";
    const delayed = [
      printed("fs/pipe.o", "fs/pipe.c", ""),
      printed("fs/x/single.o", "fs/x/single.c", MODULE("single"), `; ${objtool} fs/x/single.o`),
      printed("fs/x/a.o", "fs/x/a.c", MODULE("x_mod")),
      `set -e; echo '# LD [M]  fs/x/x_mod.o'; echo '  ld -r -o fs/x/x_mod.o @fs/x/x_mod.mod  ; ${objtool} fs/x/x_mod.o';   trap x`,
    ].join("\n");
    const commands = new Commands(rowsOf(delayed));
    expect(new Commands(rowsOf(delayed), { steps: [], programs: [["p.ro", ["fs/pipe.o"]]] }).of("fs/pipe.o").objtool).toBeUndefined();
    expect(commands.of("fs/pipe.o").objtool).toBe("./tools/objtool/objtool --hacks=jump_label --ibt --link fs/pipe.o");
    for (const object of ["fs/x/single.o", "fs/x/a.o"]) expect(commands.of(object).objtool).toBe(`${objtool} ${object}`);
  });

  it("pass through objtool what older builds do in a line of its own", () => {
    const line = (object: string): string =>
      `set -e;  echo '  ./tools/objtool/objtool orc generate ${object}';  ./tools/objtool/objtool orc generate ${object}`;
    const lines = [printed("fs/pipe.o", "fs/pipe.c", ""), line("fs/pipe.o"), printed("fs/a.o", "fs/a.c", ""), line("fs/entry.o")];
    const commands = new Commands(rowsOf(lines.join("\n")));
    expect(commands.of("fs/pipe.o").objtool).toBe("./tools/objtool/objtool orc generate fs/pipe.o");
    expect(commands.of("fs/a.o").objtool).toBeUndefined();
  });

  it("refuse an object of several modules", async () => {
    const commands = new Commands(rowsOf(printed("fs/x/a.o", "fs/x/a.c", MODULE("one:two"))));
    expect(await codeOf(() => commands.of("fs/x/a.o"))).toBe("BUILD_SEVERAL_OWNERS");
    expect(await codeOf(() => commands.of("fs/none.o"))).toBe("BUILD_KBUILD");
  });
});
