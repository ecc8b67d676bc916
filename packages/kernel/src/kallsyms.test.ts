import type { ByteOrder } from "@suture/elf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { type BuiltSymbol, buildKallsyms, type KallsymsShape } from "../test/kallsyms-builder.ts";
import { at, SPACE } from "../test/space.ts";
import { readKallsyms } from "./kallsyms.ts";
import { ImageLayout } from "./layout.ts";
import { memoryStorage } from "./storage.ts";
import { SymbolTable } from "./symbols.ts";

const TEXT = -0x7f000000;
const DATA = -0x7e000000;
const SPAN = 0x2000000;

/** A text section without bytes and one data section that holds `data`. */
function decode(data: Uint8Array, order: ByteOrder = "little"): SymbolTable {
  const common = { nobits: false, executable: false, offset: 0 };
  const layout = new ImageLayout(
    SPACE,
    [
      { ...common, name: ".text", address: at(TEXT), size: DATA - TEXT, executable: true },
      { ...common, name: ".rodata", address: at(DATA), size: data.length },
      { ...common, name: ".bss", address: at(DATA + SPAN / 2), size: SPAN, nobits: true },
    ],
    undefined,
  );
  return new SymbolTable(readKallsyms(memoryStorage(data), layout, order, "test").symbols, SPACE);
}

const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_.$";
const nameOf = fc.oneof(
  fc.constantFrom("a", "set_root", "__key.0", "init_module"),
  fc.string({ unit: fc.constantFrom(...NAME_CHARACTERS), minLength: 1, maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...NAME_CHARACTERS), minLength: 130, maxLength: 400 }),
);
const symbolOf = fc.record({
  address: fc.integer({ min: TEXT, max: TEXT + SPAN }),
  type: fc.constantFrom("t", "T", "d", "b", "W", "A"),
  name: nameOf,
});
const perCpuOf = fc.record({ address: fc.integer({ min: 0, max: 0x40000 }), type: fc.constant("A"), name: nameOf });
const shapeOf = fc.record<KallsymsShape>({
  layout: fc.constantFrom("before", "after", "themselves"),
  perCpuAbsolute: fc.boolean(),
  ordered: fc.boolean(),
  order: fc.constantFrom("little", "big"),
  base: fc.constant(TEXT),
  tokens: fc.array(fc.string({ unit: fc.constantFrom(...NAME_CHARACTERS), minLength: 2, maxLength: 5 }), { maxLength: 30 }),
});
const tableOf = fc.record({
  kernel: fc.array(symbolOf, { minLength: 1, maxLength: 300, size: "max" }),
  perCpu: fc.array(perCpuOf, { maxLength: 20 }),
  shape: shapeOf,
  before: fc.uint8Array({ maxLength: 3000 }),
  after: fc.uint8Array({ maxLength: 600 }),
});
type Table = typeof tableOf extends fc.Arbitrary<infer T> ? T : never;

function symbolsOf({ kernel, perCpu, shape }: Table): BuiltSymbol[] {
  const symbols = [{ address: TEXT, type: "T", name: "_text" }, ...kernel, ...(shape.perCpuAbsolute ? perCpu : [])];
  return symbols.sort((a, b) => (a.address >>> 0) - (b.address >>> 0));
}

/** Zeros before the table keep it apart from what was there. */
function section(table: Table, symbols: BuiltSymbol[]): { data: Uint8Array; start: number } {
  const unit = table.shape.layout === "themselves" ? 4 : 8;
  const start = Math.ceil(table.before.length / unit) * unit;
  const kallsyms = buildKallsyms(symbols, { ...table.shape, address: DATA + start });
  const data = new Uint8Array(start + kallsyms.length + table.after.length);
  data.set(table.before);
  data.set(kallsyms, start);
  data.set(table.after, start + kallsyms.length);
  return { data, start };
}

describe("readKallsyms", () => {
  it("finds and decodes every symbol in every layout, wherever the table stands", () => {
    fc.assert(
      fc.property(tableOf, (table) => {
        const symbols = symbolsOf(table);
        const decoded = decode(section(table, symbols).data, table.shape.order);
        expect(decoded.all.map(({ address, type, name }) => ({ address: SPACE.value(address), type, name }))).toEqual(symbols);
      }),
      { numRuns: 60 },
    );
  });

  it("never takes a damaged table for another: a typed error, or symbols that are in order and inside of the image", () => {
    fc.assert(
      fc.property(
        tableOf,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 8 }),
        (table, flips) => {
          const { data, start } = section(table, symbolsOf(table));
          for (const [where, mask] of flips) {
            const at = start + (where % (data.length - start));
            data[at] = (data[at] ?? 0) ^ mask;
          }
          const code = codeOf(() => {
            const { all } = decode(data, table.shape.order);
            for (let i = 1; i < all.length; i++)
              expect(SPACE.rank(all[i]?.address ?? at(0))).toBeGreaterThanOrEqual(SPACE.rank(all[i - 1]?.address ?? at(0)));
          });
          expect([undefined, "KERNEL_NO_KALLSYMS", "KERNEL_BAD_KALLSYMS"]).toContain(code);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("ends on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20000 }), (data) => {
        expect(codeOf(() => decode(data))).toBe("KERNEL_NO_KALLSYMS");
      }),
    );
  });

  it("gives up on a section made of token tables", () => {
    const one = buildKallsyms([], { layout: "before", perCpuAbsolute: true, ordered: false, base: TEXT, tokens: [] });
    const tokens = one.subarray(16);
    const data = new Uint8Array(tokens.length * 2000);
    for (let i = 0; i < 2000; i++) data.set(tokens, i * tokens.length);
    expect(codeOf(() => decode(data))).toBe("KERNEL_NO_KALLSYMS");
  });

  const plain: KallsymsShape = { layout: "after", perCpuAbsolute: true, ordered: true, base: TEXT, tokens: [] };
  const three: BuiltSymbol[] = [
    { address: TEXT, type: "T", name: "_text" },
    { address: TEXT + 16, type: "t", name: "x" },
    { address: TEXT + 32, type: "t", name: "x" },
  ];

  it("refuses addresses that do not start the text section with _text or _stext", () => {
    const shifted = three.map((symbol) => ({ ...symbol, address: symbol.address + 16 }));
    expect(codeOf(() => decode(buildKallsyms(shifted, plain)))).toBe("KERNEL_BAD_KALLSYMS");
  });

  it("takes symbols above the image for what MODULE_INFO() defines, and for nothing else", () => {
    const end = DATA + SPAN / 2 + SPAN;
    const of = (name: string, address: number): (() => SymbolTable) => {
      const symbols = [...three, { address, type: "d", name }];
      return () => decode(buildKallsyms(symbols, { ...plain, layout: "themselves", address: DATA }));
    };
    expect(of("__UNIQUE_ID_modinfo_1234", end + 100)().named("__UNIQUE_ID_modinfo_1234")).toHaveLength(1);
    for (const [name, address] of [
      ["other", end + 100],
      ["__UNIQUE_ID_modinfo_1234", end + 0x2000000],
      ["__UNIQUE_ID_modinfo_1234x", end + 100],
    ] as const)
      expect(codeOf(of(name, address)), name).toBe("KERNEL_BAD_KALLSYMS");
  });

  it("refuses a kernel that counts same-named symbols in another order", () => {
    const data = buildKallsyms(three, plain);
    // The order of names is _text, x, x: symbols 0, 1, 2 in three bytes each, at the end but for the padding.
    const at = Buffer.from(data).lastIndexOf(Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 2]));
    data[at + 5] = 2;
    data[at + 8] = 1;
    expect(codeOf(() => decode(data))).toBe("KERNEL_BAD_KALLSYMS");
  });

  it("refuses names that no kernel has", () => {
    for (const name of ["", "with space", "a".repeat(600)])
      expect(
        codeOf(() =>
          decode(
            buildKallsyms(
              [
                { address: TEXT, type: "T", name: "_text" },
                { address: TEXT, type: "t", name },
              ],
              plain,
            ),
          ),
        ),
      ).toMatch(/^KERNEL_(BAD|NO)_KALLSYMS$/);
  });
});
