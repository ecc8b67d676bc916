import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { at, SPACE } from "../test/space.ts";
import type { KernelAddress } from "./address.ts";
import { indexNames } from "./name-index.ts";
import { type KernelSymbol, SymbolTable } from "./symbols.ts";

function tableOf(symbols: readonly KernelSymbol[]): SymbolTable {
  const names = Buffer.from(symbols.map((symbol) => symbol.name).join(""), "latin1");
  const nameStarts = new Uint32Array(symbols.length + 1);
  symbols.forEach((symbol, i) => {
    nameStarts[i + 1] = (nameStarts[i] ?? 0) + symbol.name.length;
  });
  return new SymbolTable(
    {
      ranks: Uint32Array.from(symbols, (symbol) => SPACE.rank(symbol.address)),
      types: Uint8Array.from(symbols, (symbol) => symbol.type.charCodeAt(0)),
      names,
      nameStarts,
      nameIndex: indexNames(names, nameStarts),
    },
    SPACE,
  );
}

/** As the kernel sorts: by the addresses as 64-bit numbers without a sign. */
const unsigned = (address: KernelAddress): bigint => BigInt(SPACE.hex(address));
const order = (symbols: readonly KernelSymbol[]): KernelSymbol[] =>
  [...symbols].sort((a, b) => Number(unsigned(a.address) - unsigned(b.address)));

const symbols = fc
  .array(
    fc.record({
      name: fc.constantFrom("a", "ab", "b", "helper", "constructor", "__proto__", "x.0", "x.1"),
      address: fc.oneof(fc.integer({ min: -40, max: -1 }), fc.integer({ min: 0, max: 20 })).map(at),
      type: fc.constantFrom("t", "d"),
    }),
    { maxLength: 60 },
  )
  .map(order);

describe("SymbolTable", () => {
  it("answers as a plain search over the list does", () => {
    fc.assert(
      fc.property(symbols, fc.integer({ min: -50, max: 30 }).map(at), (list, address) => {
        const table = tableOf(list);
        expect(table.all).toEqual(list);
        for (const name of ["a", "ab", "b", "helper", "constructor", "__proto__", "x.0", "nowhere", ""])
          expect(table.named(name)).toEqual(list.filter((symbol) => symbol.name === name));
        expect(table.at(address)).toEqual(list.filter((symbol) => symbol.address === address));
        expect(table.containing(address)).toEqual(list.filter((symbol) => unsigned(symbol.address) <= unsigned(address)).at(-1));
        expect(table.next(address)).toEqual(list.find((symbol) => unsigned(symbol.address) > unsigned(address))?.address);
      }),
    );
  });

  it("ranks same-named symbols from 1, data and equal addresses included, and gives unique names 0", () => {
    fc.assert(
      fc.property(symbols, (list) => {
        const table = tableOf(list);
        const ranks = table.all.map((symbol) => table.sympos(symbol));
        const seen = new Map<string, number>();
        list.forEach(({ name }, i) => {
          const rank = (seen.get(name) ?? 0) + 1;
          seen.set(name, rank);
          expect(ranks[i]).toBe(list.filter((symbol) => symbol.name === name).length === 1 ? 0 : rank);
        });
      }),
    );
  });

  it("makes one object for each symbol", () => {
    const table = tableOf([{ name: "a", address: at(-8), type: "t" }]);
    expect(table.named("a")[0]).toBe(table.at(at(-8))[0]);
    expect(table.all[0]).toBe(table.containing(at(-1)));
  });

  it("knows nothing of addresses that no kernel has", () => {
    const table = tableOf([{ name: "a", address: at(-8), type: "t" }]);
    for (const address of [2 ** 40, -(2 ** 40), -(2 ** 31) - 1, 2 ** 31, Number.NaN].map(at)) {
      expect(table.at(address)).toEqual([]);
      expect(table.containing(address)).toBeUndefined();
      expect(table.next(address)).toBeUndefined();
    }
  });

  it("refuses to rank a symbol of another table", () => {
    const table = tableOf([{ name: "a", address: at(-8), type: "t" }]);
    expect(codeOf(() => table.sympos({ name: "a", address: at(-8), type: "t" }))).toBe("KERNEL_FOREIGN_SYMBOL");
  });
});
