import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ElfSymbol, newObject, newSymbol, Section, SHF, SHT, STB, STT, writeElf } from "@suture/elf";
import { Task } from "@suture/task";
import { X86_64 } from "@suture/testkit/processor";
import { describe, expect, it } from "vitest";
import { codeOf, codeOfAsync } from "../test/errors.ts";
import { testFolder } from "../test/folders.ts";
import { openModule } from "./module.ts";

const folder = testFolder();

interface Planned {
  name: string;
  section: ".text" | ".init.text" | ".debug" | "undef";
  value: number;
}

function moduleBytes(symbols: readonly Planned[], modinfo: string): Uint8Array {
  const elf = newObject("test.ko", X86_64);
  const data = (): Uint8Array => new Uint8Array(64);
  const sections = new Map([
    [".text", new Section({ name: ".text", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, data: data() })],
    [".init.text", new Section({ name: ".init.text", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, data: data() })],
    [".debug", new Section({ name: ".debug", type: SHT.PROGBITS, data: data() })],
    [".modinfo", new Section({ name: ".modinfo", type: SHT.PROGBITS, flags: SHF.ALLOC, data: Buffer.from(modinfo, "latin1") })],
  ]);
  elf.sections.unshift(...sections.values());
  for (const { name, section, value } of symbols)
    elf.symbols.push(
      newSymbol({
        name,
        value,
        place: section === "undef" ? "undef" : (sections.get(section) as Section),
        bind: section === "undef" ? STB.GLOBAL : STB.LOCAL,
        type: section === "undef" ? STT.NOTYPE : STT.FUNC,
      }),
    );
  return writeElf(elf);
}

const INFO = "license=GPL\0\0\0alias=a\0alias=b=c\0name=test_module\0vermagic=9.8.7 SMP \0";

async function opened(symbols: readonly Planned[], name = "test-file.ko", info = INFO) {
  const path = join(folder, name);
  const bytes = moduleBytes(symbols, info);
  writeFileSync(path, name.endsWith(".gz") ? gzipSync(bytes) : bytes);
  return openModule(new Task(), path);
}

const symposOf = (module: Awaited<ReturnType<typeof opened>>, value: number): number =>
  module.sympos(module.symbols.find((symbol) => symbol.value === value) as ElfSymbol);

describe("openModule", () => {
  it("reads a module, packed or not", async () => {
    for (const file of ["plain.ko", "packed.ko.gz"]) {
      const module = await opened([{ name: "run", section: ".text", value: 8 }], file);
      expect(module.name).toBe("test_module");
      expect(module.modinfo.get("alias")).toEqual(["a", "b=c"]);
      expect(module.modinfo.get("vermagic")).toEqual(["9.8.7 SMP "]);
      expect(module.buildId).toBeUndefined();
      expect(module.symbols.map((symbol) => symbol.name)).toEqual(["run"]);
    }
  });

  it("names a module without a name by its file", async () => {
    expect((await opened([], "some-driver.ko.gz", "license=GPL\0")).name).toBe("some_driver");
  });

  it("counts same-named symbols in the order of .symtab", async () => {
    const module = await opened([
      { name: "run", section: ".text", value: 32 },
      { name: "run", section: ".text", value: 8 },
      { name: "once", section: ".text", value: 16 },
      { name: "once", section: "undef", value: 0 },
    ]);
    expect([32, 8, 16].map((value) => symposOf(module, value))).toEqual([1, 2, 0]);
  });

  it("refuses to count where the count changes when init has run", async () => {
    const module = await opened([
      { name: "first", section: ".text", value: 1 },
      { name: "first", section: ".init.text", value: 2 },
      { name: "second", section: ".init.text", value: 3 },
      { name: "second", section: ".text", value: 4 },
      { name: "third", section: ".debug", value: 5 },
    ]);
    expect(symposOf(module, 1)).toBe(1);
    for (const value of [2, 3, 4, 5]) expect(codeOf(() => symposOf(module, value))).toBe("KERNEL_SYMPOS_AMBIGUOUS");
    const other = await opened([{ name: "first", section: ".text", value: 1 }]);
    expect(codeOf(() => module.sympos(other.symbols[0] as ElfSymbol))).toBe("KERNEL_FOREIGN_SYMBOL");
  });

  it("refuses what is no module", async () => {
    for (const info of ["", "license=GPL", "license\0", "=GPL\0"])
      expect(await codeOfAsync(opened([], "bad.ko", info))).toBe(info === "" ? undefined : "KERNEL_BAD_MODULE");
    const path = join(folder, "no.ko");
    writeFileSync(path, writeElf(newObject("no.ko", X86_64)));
    expect(await codeOfAsync(openModule(new Task(), path))).toBe("KERNEL_BAD_MODULE");
    for (const other of [{ machine: 183 }, { format: { bits: 32, order: "little" } }, { format: { bits: 64, order: "big" } }] as const) {
      writeFileSync(path, writeElf(newObject("no.ko", { ...X86_64, ...other })));
      expect(await codeOfAsync(openModule(new Task(), path))).toBe("ARCH_UNKNOWN");
    }
    writeFileSync(path, "no ELF file at all");
    expect(await codeOfAsync(openModule(new Task(), path))).toBe("ELF_NOT_ELF");
    writeFileSync(path, gzipSync(Buffer.alloc(1000)).subarray(0, 15));
    expect(await codeOfAsync(openModule(new Task(), path))).toBe("KERNEL_BAD_PAYLOAD");
    expect(await codeOfAsync(openModule(new Task(), folder))).toBe("KERNEL_UNREADABLE");
    expect(await codeOfAsync(openModule(new Task(), join(folder, "nowhere.ko")))).toBe("KERNEL_UNREADABLE");
  });
});
