/** Objects of both classes and both byte orders: what is written is read again as the same, and written again as the same bytes. */
import { SutureError } from "@suture/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { difference } from "../test/same.ts";
import {
  type ByteOrder,
  type ElfFormat,
  type ElfObject,
  newObject,
  newRelocations,
  newSymbol,
  type Place,
  readElf,
  Section,
  SHF,
  SHT,
  STB,
  viewOf,
  writeElf,
} from "./index.ts";

const FORMATS: readonly ElfFormat[] = ([32, 64] as const).flatMap((bits) =>
  (["little", "big"] as const).map((order): ElfFormat => ({ bits, order })),
);

const TABLES: ReadonlySet<number> = new Set([SHT.SYMTAB, SHT.STRTAB, SHT.RELA, SHT.GROUP]);

const name = fc.stringMatching(/^[a-zA-Z_.][\w.$]{0,20}$/);
/** Offsets and sizes: any that a section of the test has. */
const within = fc.nat(64);

const planned = fc.record({
  machine: fc.integer({ min: 1, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0xffffffff }),
  sections: fc.array(
    fc.record({ name, bytes: fc.uint8Array({ minLength: 64, maxLength: 80 }), nobits: fc.boolean(), align: fc.constantFrom(1, 4, 16) }),
    { minLength: 1, maxLength: 6 },
  ),
  symbols: fc.array(
    fc.record({
      name,
      at: fc.option(fc.nat(5)),
      value: within,
      bind: fc.constantFrom(STB.LOCAL, STB.GLOBAL, STB.WEAK),
      type: fc.nat(3),
      other: fc.nat(3),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  absolute: fc.record({ small: fc.integer({ min: 0, max: 0xffffffff }), large: fc.maxSafeInteger() }),
  relocations: fc.array(
    fc.record({
      target: fc.nat(5),
      symbol: fc.nat(12),
      offset: within,
      type: fc.nat(255),
      addend: fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1)),
    }),
    { maxLength: 20 },
  ),
  grouped: fc.boolean(),
});

type Plan = typeof planned extends fc.Arbitrary<infer P> ? P : never;

function objectOf(plan: Plan, format: ElfFormat): ElfObject {
  const elf = newObject("made.o", { format, machine: plan.machine });
  elf.flags = plan.flags;
  const sections = plan.sections.map(
    ({ name, bytes, nobits, align }) =>
      new Section({
        name,
        type: nobits ? SHT.NOBITS : SHT.PROGBITS,
        flags: SHF.ALLOC | SHF.WRITE,
        align,
        ...(nobits ? { nobitsSize: bytes.length } : { data: bytes }),
      }),
  );
  const placeAt = (at: number | null): Place => (at === null ? "undef" : (sections[at % sections.length] as Section));
  // Written and read with the local ones first.
  const symbols = plan.symbols.map(({ name, at, value, bind, type, other }) =>
    newSymbol({ name, place: placeAt(at), value: at === null ? 0 : value, bind, type, other }),
  );
  const { small, large } = plan.absolute;
  symbols.push(newSymbol({ name: "absolute", place: "abs", value: format.bits === 32 ? small : large, bind: STB.GLOBAL }));
  elf.symbols = [...symbols.filter(({ bind }) => bind === STB.LOCAL), ...symbols.filter(({ bind }) => bind !== STB.LOCAL)];
  const tables = sections.flatMap((target, i) => {
    const own = plan.relocations.filter((relocation) => relocation.target % sections.length === i);
    const relocations = own.map(({ symbol, ...rest }) => ({
      ...rest,
      symbol: symbol === 12 ? undefined : symbols[symbol % symbols.length],
    }));
    return own.length === 0
      ? []
      : [
          newRelocations(
            elf,
            target,
            relocations.map(({ target: _, ...rest }) => rest),
          ),
        ];
  });
  elf.sections.unshift(...sections, ...tables);
  if (plan.grouped) {
    const group = new Section({ name: ".group", type: SHT.GROUP, align: 4, entsize: 4, link: elf.symtab });
    group.group = { flags: 1, signature: symbols[0] as (typeof symbols)[0], members: sections };
    elf.sections.unshift(group);
  }
  return elf;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SutureError) return error.code;
    throw error;
  }
  return "none";
}

describe.each(FORMATS)("an object of $bits bits, $order-endian", (format) => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(planned, (plan) => {
        const elf = objectOf(plan, format);
        const bytes = writeElf(elf);
        const again = readElf(bytes, "made.o");
        expect(again.format).toEqual(format);
        // Tables are made from the model when it is written.
        for (const [i, section] of elf.sections.entries())
          if (TABLES.has(section.type)) section.data = again.sections[i]?.data ?? section.data;
        expect(difference(elf, again)).toBeUndefined();
        expect(Buffer.compare(writeElf(again), bytes)).toBe(0);
      }),
    );
  });

  it("says its class and order where every ELF file does, and its machine in that order", () => {
    const bytes = writeElf(newObject("made.o", { format, machine: 0x1234 }));
    expect([...bytes.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, format.bits === 64 ? 2 : 1, format.order === "little" ? 1 : 2, 1]);
    expect([...bytes.subarray(18, 20)]).toEqual(format.order === "little" ? [0x34, 0x12] : [0x12, 0x34]);
  });

  it("is refused with a code of its own if it is damaged", () => {
    fc.assert(
      fc.property(planned, fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 }), (plan, damage) => {
        const bytes = writeElf(objectOf(plan, format));
        for (const { at, byte } of damage) bytes[at % bytes.length] = byte;
        expect(refusal(() => readElf(bytes, "made.o"))).toMatch(/^(none|ELF_\w+)$/);
      }),
    );
  });
});

it("a class or byte order that ELF does not have is refused", () => {
  const bytes = writeElf(newObject("made.o", { machine: 1, format: { bits: 64, order: "little" } }));
  for (const [at, value] of [
    [4, 0],
    [4, 3],
    [5, 0],
    [5, 3],
  ] as const)
    expect(refusal(() => readElf(Uint8Array.from(bytes).fill(value, at, at + 1), "made.o"))).toBe("ELF_UNSUPPORTED");
});

it("what does not fit 32 bits is not written", () => {
  const write = (value: number, addend: number): string => {
    const elf = newObject("made.o", { machine: 1, format: { bits: 32, order: "big" } });
    const text = new Section({ name: ".text", type: SHT.PROGBITS, data: new Uint8Array(4) });
    const symbol = newSymbol({ name: "absolute", place: "abs", value });
    elf.symbols.push(symbol);
    elf.sections.unshift(text, newRelocations(elf, text, [{ offset: 0, type: 1, symbol, addend }]));
    return refusal(() => writeElf(elf));
  };
  expect(write(0xffffffff, -(2 ** 31))).toBe("none");
  expect(write(2 ** 32, 0)).toBe("ELF_UNSUPPORTED");
  expect(write(-1, 0)).toBe("ELF_UNSUPPORTED");
  expect(write(0, 2 ** 31)).toBe("ELF_UNSUPPORTED");
  expect(write(0, -(2 ** 31) - 1)).toBe("ELF_UNSUPPORTED");
});

describe.each<ByteOrder>(["little", "big"])("a view, %s-endian", (order) => {
  it("reads what it has written, and leaves what is beside it", () => {
    fc.assert(
      fc.property(fc.nat(7), fc.maxSafeInteger(), fc.nat(0xffffff), (at, wide, small) => {
        const bytes = new Uint8Array(16);
        const view = viewOf(bytes, order);
        view.setI64(at, wide);
        expect(view.i64(at)).toBe(wide);
        expect(view.u64(at)).toBe(BigInt.asUintN(64, BigInt(wide)));
        bytes.fill(0xaa);
        view.setU24(at, small);
        expect(view.u24(at)).toBe(small);
        expect(bytes.filter((byte, i) => (i < at || i >= at + 3) && byte !== 0xaa)).toHaveLength(0);
        expect(view.u8(order === "little" ? at : at + 2)).toBe(small % 256);
      }),
    );
  });
});
