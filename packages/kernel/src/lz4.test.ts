import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { buildLz4 } from "../test/lz4-builder.ts";
import { unpackLz4 } from "./lz4.ts";

const literals = fc.uint8Array({ maxLength: 300, size: "max" });
const sequence = fc.record({ literals, distance: fc.integer({ min: 1, max: 600 }), length: fc.integer({ min: 4, max: 700 }) });
const blocks = fc.array(fc.record({ sequences: fc.array(sequence, { maxLength: 12 }), last: literals }), { maxLength: 4 });

describe("unpackLz4", () => {
  it("unpacks what was packed", () => {
    fc.assert(
      fc.property(blocks, (list) => {
        const { packed, plain } = buildLz4(list);
        expect(Buffer.from(unpackLz4(packed, plain.length, "test", 0)).equals(plain)).toBe(true);
      }),
    );
  });

  it("refuses a frame of another size than was given", () => {
    fc.assert(
      fc.property(blocks, fc.integer({ min: -50, max: 50 }), (list, wrong) => {
        const { packed, plain } = buildLz4(list);
        fc.pre(wrong !== 0 && plain.length + wrong >= 0);
        expect(codeOf(() => unpackLz4(packed, plain.length + wrong, "test", 0))).toBe("KERNEL_BAD_PAYLOAD");
      }),
    );
  });

  it("refuses damaged and cut frames, or unpacks them to the size given", () => {
    fc.assert(
      fc.property(blocks, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 }), (list, cut, where, value) => {
        const { packed, plain } = buildLz4(list);
        packed[where % packed.length] = value;
        const bytes = packed.subarray(0, packed.length - (cut % 20));
        const code = codeOf(() => expect(unpackLz4(bytes, plain.length, "test", 0).length).toBe(plain.length));
        expect([undefined, "KERNEL_BAD_PAYLOAD"]).toContain(code);
      }),
    );
  });

  it("refuses a match that reaches before its block", () => {
    const packed = Uint8Array.from([0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0x10, 65, 6, 0, 0, 0, 0x10, 66, 2, 0, 0x10, 67]);
    expect(codeOf(() => unpackLz4(packed, 8, "test", 0))).toBe("KERNEL_BAD_PAYLOAD");
  });
});
