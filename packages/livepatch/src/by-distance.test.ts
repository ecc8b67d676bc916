/** What a linked module reaches of vmlinux by its distance from an export, and what it may not. */
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, newObject, newRelocations, newSymbol, Section, SHF, SHT, STT } from "@suture/elf";
import { AddressSpace, type Export, type KernelAddress, type KernelSymbol } from "@suture/kernel";
import { X86_64 } from "@suture/testkit/processor";
import { describe, expect, it } from "vitest";
import { ReachedByDistance, reachByDistance, verifyDistances } from "./by-distance.ts";
import { addKernel } from "./descriptor.ts";
import type { KernelView } from "./resolve.ts";

const space = new AddressSpace(-0x80000000);
const at = (distance: number, type = "t"): { address: KernelAddress; type: string } => ({ address: space.at(distance), type });
const symbols: Record<string, { address: KernelAddress; type: string }[]> = {
  klp_enable_patch: [at(0x1000, "T")],
  before: [at(0x400)],
  behind: [at(0x200000, "d")],
  twice: [at(0x2000), at(0x3000)],
  per_cpu: [{ address: space.of(0x1f000), type: "A" }],
  number: [at(0x5000, "A")],
  __start_notes: [at(0x100000, "R")],
};
const kernel = {
  symbols: {
    space,
    named: (name: string): KernelSymbol[] => (symbols[name] ?? []).map((symbol) => ({ name, ...symbol })),
  },
  exports: new Map<string, Export>([
    ["klp_enable_patch", { name: "klp_enable_patch", crc: 1, module: "vmlinux", gpl: true, namespace: "" }],
  ]),
  buildId: { bytes: Uint8Array.of(1, 2, 3), symbol: "__start_notes", offset: 16 },
} as unknown as KernelView;

const klp = (name: string, sympos = 0): string => `.klp.sym.vmlinux.${name},${sympos}`;
const NAMES = [
  klp("before"),
  klp("behind"),
  klp("twice", 2),
  klp("per_cpu"),
  klp("number"),
  ".klp.sym.some_mod.f,0",
  `${klp("behind")};some_mod`,
];

/** Code that calls each of them, and a jump label about one. */
function linked(buildId = Uint8Array.of(1, 2, 3)): ElfObject {
  const elf = newObject("test.ko", X86_64);
  const { branch, pointer } = archOf(elf).relocations;
  const undefineds = new Map<string, ElfSymbol>();
  const named = (name: string): ElfSymbol => {
    const symbol = undefineds.get(name) ?? newSymbol({ name, place: "undef" });
    undefineds.set(name, symbol);
    return symbol;
  };
  const add = (name: string, flags: number, data: Uint8Array, targets: readonly [number, number, string, number][]): void => {
    const section = new Section({ name, type: SHT.PROGBITS, flags: SHF.ALLOC | flags, align: 8, data });
    const relocations = targets.map(([offset, type, symbol, addend]) => ({ offset, type, symbol: named(symbol), addend }));
    elf.sections.unshift(section, newRelocations(elf, section, relocations));
    elf.symbols.push(newSymbol({ name: name.replace(".text.", ""), place: section, size: data.length, type: STT.FUNC }));
  };
  const code = Uint8Array.from(["klp_enable_patch", ...NAMES].flatMap(() => [0xe8, 0, 0, 0, 0]));
  add(
    ".text.f",
    SHF.EXECINSTR,
    code,
    ["klp_enable_patch", ...NAMES].map((name, i) => [5 * i + 1, branch, name, -4]),
  );
  add("__jump_table", SHF.WRITE, new Uint8Array(16), [[8, pointer, klp("behind"), 0]]);
  addKernel(elf, buildId.length === 0 ? undefined : { bytes: buildId, symbol: named(klp("__start_notes")), offset: 16 });
  elf.symbols.push(...undefineds.values());
  return elf;
}

const went = (elf: ElfObject, section: string): unknown[] =>
  elf.sections
    .filter(({ target }) => target?.name === section)
    .flatMap(({ relocations }) => relocations.map((r) => [r.symbol?.name, r.addend]));

function reached(elf = linked()): ElfObject {
  reachByDistance(elf, kernel);
  return elf;
}

/** Names as they are in the finished module. */
function finished(elf = reached()): ElfObject {
  for (const symbol of elf.symbols)
    if (symbol.name.startsWith(".klp.sym.")) Object.assign(symbol, { place: "livepatch", name: symbol.name.replace(/;.*/, "") });
  return elf;
}

describe("a linked module", () => {
  it("reaches what moves with the image by its distance, and leaves the rest to the livepatch core", () => {
    expect(went(reached(), ".text.f")).toEqual([
      ["klp_enable_patch", -4],
      ["klp_enable_patch", 0x400 - 0x1000 - 4],
      ["klp_enable_patch", 0x200000 - 0x1000 - 4],
      ["klp_enable_patch", 0x3000 - 0x1000 - 4],
      ...[klp("per_cpu"), klp("number"), ".klp.sym.some_mod.f,0", `${klp("behind")};some_mod`].map((name) => [name, -4]),
    ]);
  });

  it("leaves to it what is read before its own code can refuse the kernel, and what that code knows it by", () => {
    const elf = reached();
    expect(went(elf, "__jump_table")).toEqual([[klp("behind"), 0]]);
    expect(went(elf, ".rodata.suture_kernel")).toEqual([[klp("__start_notes"), 16]]);
  });

  it("is left as it is where the kernel is not known when it is loaded", () => {
    const other = linked();
    guard(other).data.fill(9, 12, 13);
    const early = linked();
    parameter(early);
    const own = linked(new Uint8Array());
    own.symbols.push(newSymbol({ name: "suture_kernel", place: table(own).target as Section, size: 15 }));
    for (const elf of [linked(new Uint8Array()), other, early, own]) {
      const before = went(elf, ".text.f");
      expect(went(reached(elf), ".text.f")).toEqual(before);
    }
  });
});

describe("a finished module", () => {
  it("tells what its relocations mean", () => {
    const elf = finished();
    const reader = new ReachedByDistance(elf);
    const meant = elf.sections
      .filter(({ target }) => target?.name === ".text.f")
      .flatMap(({ relocations }) => relocations.map((r) => reader.meant(r, 4)))
      .map((found) => (found === undefined ? undefined : `${found.klp.name}+${found.offset}`));
    expect(meant).toEqual([undefined, "before+0", "behind+0", "twice+0", undefined, undefined, undefined, undefined]);
  });

  it("passes the gate that holds it against what was linked", () => {
    expect(() => verifyDistances(finished(), linked(), kernel)).not.toThrow();
  });

  it.each<[string, (elf: ElfObject) => void]>([
    ["a distance that is another one", (elf) => nth(elf, 1, (r) => (r.addend += 16))],
    ["another symbol", (elf) => nth(elf, 4, (r) => (r.symbol = elf.symbols.find(({ name }) => name === klp("number"))))],
    ["a field less", (elf) => table(elf).relocations.pop()],
    ["another field", (elf) => nth(elf, 2, (r) => (r.offset += 1))],
    ["data of each processor by a distance", (elf) => nth(elf, 4, (r) => anchored(elf, r, space.of(0x1f000) - 0x1000))],
    ["a number by a distance", (elf) => nth(elf, 5, (r) => anchored(elf, r, 0x5000 - 0x1000))],
    ["the build-id by a distance", (elf) => anchored(elf, table(elf, ".rodata.suture_kernel").relocations[0], 0x100000 - 0x1000)],
    ["the build-id of another kernel", (elf) => guard(elf).data.fill(9, 12, 13)],
    ["a build-id of no length", (elf) => guard(elf).data.fill(0, 8, 9)],
    ["a build-id that is found elsewhere", (elf) => ((table(elf, ".rodata.suture_kernel").relocations[0] as Entry).addend += 4)],
    ["a parameter, which is set before its own code runs", parameter],
    ["a table that is read early by a distance", (elf) => anchored(elf, table(elf, "__jump_table").relocations[0], 0x200000 - 0x1000)],
  ])("does not with %s", (_, edit) => {
    const elf = finished();
    edit(elf);
    expect(() => verifyDistances(elf, linked(), kernel)).toThrowError(expect.objectContaining({ code: "KLP_BAD_MODULE" }));
  });
});

type Entry = Section["relocations"][number];

function table(elf: ElfObject, of = ".text.f"): Section {
  return elf.sections.find(({ target }) => target?.name === of) as Section;
}

function guard(elf: ElfObject): Section {
  return elf.sections.find(({ name }) => name === ".rodata.suture_kernel") as Section;
}

function parameter(elf: ElfObject): void {
  elf.sections.push(new Section({ name: "__param", type: SHT.PROGBITS, flags: SHF.ALLOC, align: 8, data: new Uint8Array(40) }));
}

function nth(elf: ElfObject, i: number, edit: (relocation: Entry) => void): void {
  edit(table(elf).relocations[i] as Entry);
}

function anchored(elf: ElfObject, relocation: Entry | undefined, distance: number): void {
  if (relocation === undefined) throw new Error("no such relocation");
  relocation.symbol = elf.symbols.find(({ name }) => name === "klp_enable_patch");
  relocation.addend += distance;
}
