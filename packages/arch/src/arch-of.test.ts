import { SutureError } from "@suture/errors";
import { describe, expect, it } from "vitest";
import { archOf, isKnown } from "./arch-of.ts";

const X86_64 = { machine: 62, format: { bits: 64, order: "little" } } as const;

describe("the processor of an ELF header", () => {
  it("is known by machine, class and byte order", () => {
    expect(archOf(X86_64).name).toBe("x86-64");
    expect(isKnown(X86_64)).toBe(true);
  });

  it("is refused if any of the three is another", () => {
    for (const [header, why] of [
      [{ ...X86_64, machine: 183 }, "machine 183, 64 bit, little-endian in the ELF header"],
      [{ ...X86_64, format: { bits: 32, order: "little" } }, "machine 62, 32 bit, little-endian in the ELF header"],
      [{ ...X86_64, format: { bits: 64, order: "big" } }, "machine 62, 64 bit, big-endian in the ELF header"],
    ] as const) {
      expect(isKnown(header)).toBe(false);
      let error: unknown;
      try {
        archOf({ ...header, file: "x.o" });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(SutureError);
      expect(error).toMatchObject({ code: "ARCH_UNKNOWN", where: { file: "x.o" } });
      expect(String(error)).toContain(why);
    }
  });
});
