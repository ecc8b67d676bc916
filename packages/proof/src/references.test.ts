import { archs } from "@suture/arch";
import { Section, SHF, SHT } from "@suture/elf";
import { describe, expect, test } from "vitest";
import { findMerged } from "./references.ts";
import type { RunningCode } from "./running-code.ts";

const BYTES = [1, 3, 2, 9];
/** What runs has the bytes at the address 101 and at 104. */
const running = {
  name: "the kernel",
  constant: (address: number, length: number) =>
    address === 101 || address === 104 ? Uint8Array.from(BYTES).subarray(0, length) : undefined,
} as Partial<RunningCode> as RunningCode;

describe.each([...archs])("$name", (arch) => {
  const found = (align: number, value: number): unknown => {
    const section = new Section({ name: ".rodata.cst4", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.MERGE, align, entsize: 4 });
    section.data = Uint8Array.from(BYTES);
    const user = new Section({ name: ".text", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR });
    const result = findMerged(
      { kind: "merged", arch, section, offset: 0, exact: true },
      { addend: 0, type: 11, offset: 0, symbol: undefined },
      value,
      user,
      running,
    );
    return typeof result === "string" ? result : result.address;
  };

  test("a constant that is aligned by less than its size (a table of bytes, of gcc 16) lies where its alignment lets it", () => {
    expect([found(1, 101), found(4, 104), found(1, 104)]).toEqual([101, 104, 104]);
    expect(found(4, 101)).toContain("the kernel to nothing");
    expect(found(1, 102)).toContain("the kernel to nothing");
  });
});
