import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressSpace, hex, offsetBy } from "./address.ts";

/** Of x86-64, and as arm64 has them: 48 and 52 bits. */
const BASES = [-0x80000000, -(2 ** 47) + 0x80000000, -(2 ** 51) + 0x80000000];

describe.each(BASES)("addresses of an image at %d", (base) => {
  const space = new AddressSpace(base);
  const inImage = fc.nat(2 ** 31 - 1).map((distance) => base + distance);
  const low = fc.nat(2 ** 31 - 1);
  const value = fc.oneof(inImage, low);

  it("are the values that files hold, and printed as these", () => {
    fc.assert(
      fc.property(value, fc.integer(), (value, bytes) => {
        expect(space.value(space.of(value))).toBe(value);
        expect(space.value(offsetBy(space.of(value), bytes))).toBe(value + bytes);
        expect(space.hex(space.of(value))).toBe(`0x${BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, "0")}`);
      }),
    );
    expect(space.hex(space.of(-1))).toBe("0xffffffffffffffff");
    expect(hex(0x1234)).toBe("0x0000000000001234");
  });

  it("are ranked as the kernel sorts: as numbers of 64 bits without a sign", () => {
    const unsigned = (value: number): bigint => BigInt.asUintN(64, BigInt(value));
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [one, other] = [space.of(a), space.of(b)];
        expect(Math.sign(space.rank(one) - space.rank(other))).toBe(unsigned(a) < unsigned(b) ? -1 : unsigned(a) > unsigned(b) ? 1 : 0);
        expect(space.ranked(space.rank(one))).toBe(one);
        expect(Uint32Array.of(space.rank(one))[0]).toBe(space.rank(one));
      }),
    );
  });

  it("are those of the image, or low ones, and no others", () => {
    fc.assert(
      fc.property(inImage, low, (a, b) => {
        expect([space.holds(space.of(a)), space.isInImage(space.of(a)), space.isLow(space.of(a))]).toEqual([true, true, false]);
        expect([space.holds(space.of(b)), space.isInImage(space.of(b)), space.isLow(space.of(b))]).toEqual([true, false, true]);
      }),
    );
    for (const value of [base - 1, 2 ** 31, base + 2 ** 31 === 0 ? 2 ** 40 : base + 2 ** 31, Number.NaN])
      expect(space.holds(space.of(value))).toBe(false);
  });
});
