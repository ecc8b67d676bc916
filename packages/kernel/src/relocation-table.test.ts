import { archOf } from "@suture/arch";
import { Bytes } from "@suture/testkit/bytes";
import { X86_64 } from "@suture/testkit/processor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { at, SPACE } from "../test/space.ts";
import { ImageLayout } from "./layout.ts";
import { firstNotBelow, holds, readRelocationTable } from "./relocation-table.ts";

const ARCH = archOf(X86_64);
const TEXT = -0x7f000000;
const common = { nobits: false, executable: false, offset: 0 };
const layout = new ImageLayout(
  SPACE,
  [
    { ...common, name: ".data..percpu", address: at(0), size: 0x1000 },
    { ...common, name: ".text", address: at(TEXT), size: 0x10000 },
    { ...common, name: ".bss", address: at(TEXT + 0x20000), size: 0x1000, nobits: true },
  ],
  { load: at(TEXT + 0x10000), size: 0x1000 },
);

function tail(...groups: readonly (readonly number[])[]): Uint8Array {
  const out = new Bytes();
  for (const group of groups) {
    out.u32(0);
    for (const address of group) out.u32(address);
  }
  return out.done();
}

const read = (bytes: Uint8Array) => readRelocationTable(bytes, ARCH, layout, "test", 0);
const fields = fc.uniqueArray(fc.integer({ min: TEXT, max: TEXT + 0xfff8 }), { maxLength: 200 });

describe("readRelocationTable", () => {
  it("reads the groups backwards and sorts them", () => {
    fc.assert(
      fc.property(fields, fields, fields, (abs64, inverse32, abs32) => {
        const table = read(tail(abs64, inverse32, abs32));
        const sorted = (group: number[]): number[] => group.map(at).sort((a, b) => a - b);
        expect([...(table?.abs32 ?? [])]).toEqual(sorted(abs32));
        expect([...(table?.inverse32 ?? [])]).toEqual(sorted(inverse32));
        expect([...(table?.abs64 ?? [])]).toEqual(sorted(abs64));
      }),
    );
  });

  it("reads two groups as abs32 and abs64", () => {
    expect(read(tail([TEXT + 8], [TEXT]))).toEqual({
      abs32: Uint32Array.of(at(TEXT)),
      inverse32: new Uint32Array(0),
      abs64: Uint32Array.of(at(TEXT + 8)),
    });
  });

  it("takes fields of per-cpu data where they boot", () => {
    expect(read(tail([TEXT + 0x10ff8], [], []))?.abs64).toEqual(Uint32Array.of(at(TEXT + 0x10ff8)));
  });

  it("knows kernels that cannot be moved", () => {
    expect(read(new Uint8Array(0))).toBeUndefined();
  });

  it("refuses what is no table", () => {
    const bad: Uint8Array[] = [
      Uint8Array.of(0, 0, 0),
      tail([TEXT]),
      tail([], [], [], []),
      tail([TEXT], [], []).subarray(4),
      tail([TEXT, TEXT], [], []),
      tail([TEXT + 0xfffc], [], []),
      tail([TEXT + 0x10ffc], [], []),
      tail([], [], [TEXT + 0x20000]),
      tail([], [], [TEXT - 4]),
      tail([], [0x7fffffff], []),
    ];
    for (const bytes of bad) expect(codeOf(() => read(bytes))).toBe("KERNEL_BAD_RELOCATIONS");
  });

  it("finds fields by address", () => {
    fc.assert(
      fc.property(fields, fc.integer({ min: TEXT, max: TEXT + 0xfff8 }), (list, address) => {
        const group = Uint32Array.from(list, at).sort();
        expect(holds(group, at(address))).toBe(list.includes(address));
        expect(firstNotBelow(group, at(address))).toBe(list.filter((entry) => entry < address).length);
      }),
    );
  });
});
