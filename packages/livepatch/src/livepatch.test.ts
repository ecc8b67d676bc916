/** A livepatch from its parts, assembled by code: what is linked, what is refused, and what the last gate catches. */
import { archOf } from "@suture/arch";
import type { Delta } from "@suture/diff";
import {
  type ElfObject,
  newObject,
  newRelocations,
  newSymbol,
  readElf,
  relocationSections,
  Section,
  SHF,
  SHT,
  STB,
  STT,
  writeElf,
} from "@suture/elf";
import type { Btf, Export } from "@suture/kernel";
import { CALLBACKS, type CallbackKind } from "@suture/protocol";
import { draftOf } from "@suture/testkit/manifest";
import { X86_64 } from "@suture/testkit/processor";
import { describe, expect, it } from "vitest";
import { combine, type Part } from "./combine.ts";
import { finish } from "./finish.ts";
import { inspect } from "./inspect.ts";
import { klpSymbolName, longestSymbol, parseKlpSection, parseKlpSymbol } from "./names.ts";
import type { KernelView, Owner, SymbolSources } from "./resolve.ts";
import { verify } from "./verify.ts";

/** As they lie in a 6.1 kernel. */
const btf = {
  structSize: (name: string) => ({ klp_patch: 200, klp_object: 168, klp_func: 152, klp_callbacks: 40, klp_state: 24 })[name],
  members: (name: string) =>
    ({
      klp_patch: [member("mod", 0, 8), member("objs", 8, 8), member("states", 16, 8), member("replace", 24, 1)],
      klp_object: [member("name", 0, 8), member("funcs", 8, 8), member("callbacks", 16, 40)],
      klp_callbacks: CALLBACKS.map((kind, i) => member(kind, 8 * i, 8)),
      klp_state: [member("id", 0, 8), member("version", 8, 4), member("data", 16, 8)],
      klp_func: [member("old_name", 0, 8), member("new_func", 8, 8), member("old_sympos", 16, 8)],
    })[name],
} as unknown as Btf;

function member(name: string, offset: number, size: number) {
  return { name, offset, size };
}

const exported = (name: string, module = "vmlinux", namespace = ""): [string, Export] => [
  name,
  { name, crc: 1, module, gpl: false, namespace },
];

const symbols: Record<string, number> = { hidden: 1, twice: 2, patched: 1 };
const kernel = {
  symbols: { named: (name: string) => Array.from({ length: symbols[name] ?? 0 }) },
  exports: new Map([exported("kfree"), exported("guarded", "vmlinux", "PRIVATE"), exported("of_module", "fs/some/some-mod")]),
} as unknown as KernelView;

const owner = (name: string, globals: readonly string[]): Owner => ({
  name,
  unique: (symbol) => ({ name: symbol, sympos: 0 }),
  global: (symbol) => (globals.includes(symbol) ? { name: symbol, sympos: 0 } : undefined),
});
const vmlinux = owner("vmlinux", ["hidden", "guarded"]);
const symbolSources: SymbolSources = { kernel, vmlinux, module: (name) => owner(name, ["of_module"]) };

/** A function that calls what is named, as the differ emits it. */
function delta(name: string, calls: readonly string[], originals: readonly string[] = []): Delta {
  const object = newObject(`${name}.o`, X86_64);
  const text = new Section({
    name: `.text.${name}`,
    type: SHT.PROGBITS,
    flags: SHF.ALLOC | SHF.EXECINSTR,
    align: 16,
    data: new Uint8Array(5 * calls.length + 1),
  });
  const symbol = newSymbol({ name, place: text, size: text.size, type: STT.FUNC, bind: STB.LOCAL });
  const undefinedSymbols = calls.map((call) => newSymbol({ name: call, place: "undef" }));
  const relocations = undefinedSymbols.map((target, i) => ({
    offset: 5 * i + 1,
    type: archOf(object).relocations.branch,
    symbol: target,
    addend: -4,
  }));
  const rela = newRelocations(object, text, relocations);
  object.sections.unshift(text, rela);
  object.symbols.push(symbol, ...undefinedSymbols);
  const original = newSymbol({ name, place: new Section({ name: ".text", type: SHT.PROGBITS }), bind: STB.LOCAL });
  const own = (call: string) => newSymbol({ name: call, place: original.place, bind: STB.LOCAL });
  return {
    outcome: "patch",
    functions: [{ name, why: "size", through: [], sizeBefore: 1, size: text.size, original, symbol }],
    callbacks: [],
    carriedAlong: [],
    added: [],
    recarried: [],
    renamed: [],
    skipped: [],
    notTaken: [],
    notes: [],
    threads: [],
    handed: [],
    live: [],
    liveTable: undefined,
    leans: [],
    redirects: [],
    redirectTable: undefined,
    successors: [],
    newCallsByPointer: [],
    keys: [],
    writes: [],
    externals: undefinedSymbols.map((external) => ({
      symbol: external,
      original: originals.includes(external.name) ? own(external.name) : undefined,
    })),
    exposed: [],
    missed: [],
    outward: new Map(),
    object,
  };
}

const part = (what: Delta, more: Partial<Part> = {}): Part => ({
  object: "fs/a.o",
  owner: vmlinux,
  delta: what,
  locate: ({ name }) => ({ name, sympos: name === "twice" ? 2 : 0 }),
  ...more,
});
const combined = (...parts: Part[]) => combine(parts, { name: "test", replace: false, symbolSources, btf });

/** Code that the livepatch core calls instead of one that replaces something. */
function callbacks(name: string, ...kinds: CallbackKind[]): Delta {
  const made = delta(name, []);
  const [func] = made.functions;
  if (func === undefined) throw new Error("no function");
  return { ...made, functions: [], callbacks: kinds.map((kind) => ({ kind, name, symbol: func.symbol })) };
}

/** What the kernel's own tools add, as far as it is looked at. */
function linked(elf: ElfObject): Uint8Array {
  const modinfo = "license=GPL\0livepatch=Y\0name=livepatch_test\0vermagic=6.1.0-test SMP\0";
  elf.sections.unshift(new Section({ name: ".modinfo", type: SHT.PROGBITS, flags: SHF.ALLOC, data: Buffer.from(modinfo) }));
  for (const symbol of elf.symbols) if (symbol.name === "__this_module") symbol.place = elf.sections[0] as Section;
  return writeElf(elf);
}

const linkedOf = (...parts: Part[]): Uint8Array => linked(combined(...parts).object);
const made = (...parts: Part[]): Uint8Array => finish(linkedOf(...parts), "test.ko", draftOf(), 511).bytes;
const usual = (): Part => part(delta("patched", ["kfree", "hidden"], ["hidden"]));

/** The module with one thing changed. */
function changed(edit: (elf: ElfObject) => void): Uint8Array {
  const elf = readElf(made(usual()), "test.ko");
  edit(elf);
  return writeElf(elf);
}

function each<T>(items: readonly T[], edit: (item: T) => unknown): void {
  for (const item of items) edit(item);
}

const gate = (bytes: Uint8Array, before = linkedOf(usual())): void => verify(bytes, before, "test.ko", "6.1.0-test", kernel);

describe("symbols that patched code needs", () => {
  it("are another one and a distance, for what has no symbol", () => {
    const strings = delta("patched", ["first string", "second string"]);
    strings.externals.forEach((external, i) => {
      external.anchor = { name: "hidden", sympos: 1, offset: 1000 * (i + 1) };
    });
    const { object, symbols: resolved } = combined(part(strings));
    expect(resolved).toEqual([expect.objectContaining({ how: "klp", name: "hidden", symbol: ".klp.sym.vmlinux.hidden,1" })]);
    const relocations = object.sections.flatMap((section) => section.relocations).filter(({ symbol }) => symbol?.name.includes("hidden"));
    expect(relocations.map(({ addend }) => addend)).toEqual([996, 1996]);
  });

  it("are left to the module loader if vmlinux exports them, and are the livepatch core's otherwise", () => {
    const { symbols: resolved } = combined(part(delta("patched", ["kfree", "hidden", "twice", "guarded"], ["twice"])));
    expect(Object.fromEntries(resolved.map((r) => [r.name, r.symbol]))).toEqual({
      kfree: "kfree",
      hidden: ".klp.sym.vmlinux.hidden,0",
      twice: ".klp.sym.vmlinux.twice,2",
      // An export in a namespace needs a declaration that a livepatch does not make.
      guarded: ".klp.sym.vmlinux.guarded,0",
    });
  });

  it("of another module are found when the patched module is loaded", () => {
    const bytes = made(part(delta("patched", ["of_module"]), { owner: owner("user_mod", []) }));
    const tables = [...relocationSections(readElf(bytes, "x")).values()].flat().map((s) => parseKlpSection(s.name)?.object);
    expect(tables).toContain("user_mod");
  });

  it("that were another object's own until now are found where that has them", () => {
    const hidden = newSymbol({ name: "twice", place: new Section({ name: ".text", type: SHT.PROGBITS }), bind: STB.LOCAL });
    const shows = part(
      { ...delta("other", []), exposed: [{ name: hidden.name, symbol: hidden }] },
      { object: "fs/b.o", owner: owner("shows_mod", []) },
    );
    const uses = part(delta("patched", ["twice"]), { owner: owner("user_mod", []) });
    const resolved = combined(shows, uses).symbols;
    expect(resolved).toMatchObject([{ name: "twice", how: "klp", object: "shows_mod", sympos: 2, symbol: ".klp.sym.shows_mod.twice,2" }]);
  });

  describe("that objects of the patch add", () => {
    /** A new function that other objects can see. */
    const adds = (name: string): Delta => {
      const made = callbacks(name, "pre_patch");
      for (const symbol of made.object?.symbols ?? []) if (symbol.name === name) symbol.bind = STB.GLOBAL;
      return { ...made, callbacks: [] };
    };
    const callees = (elf: ElfObject, of: string): unknown[] =>
      [...relocationSections(elf)]
        .filter(([section]) => section.name === `.text.${of}`)
        .flatMap(([, tables]) => tables.flatMap((table) => table.relocations.map(({ symbol }) => symbol?.place)));
    const mod = owner("some_mod", []);

    it("are used by the others", () => {
      const { object } = combined(part(adds("fresh")), part(delta("patched", ["fresh"])));
      expect(callees(object, "patched")).toMatchObject([{ name: ".text.fresh" }]);
      expect(object.symbols.filter(({ name }) => name === "fresh")).toHaveLength(1);
    });

    it("may be there once in each part of the kernel: code means that of its own", () => {
      const first = adds("fresh");
      const second = adds("fresh");
      const { object } = combined(
        part(first),
        part(second, { owner: mod }),
        part(delta("one", ["fresh"])),
        part(delta("two", ["fresh"]), { owner: mod }),
      );
      const placeIn = (from: Delta): unknown => from.object?.symbols.find(({ name }) => name === "fresh")?.place;
      expect(callees(object, "one")[0]).toBe(placeIn(first));
      expect(callees(object, "two")[0]).toBe(placeIn(second));
      expect(object.symbols.filter(({ name, bind }) => name === "fresh" && bind === STB.LOCAL)).toHaveLength(2);
      const third = (): unknown =>
        combined(part(adds("fresh")), part(adds("fresh"), { owner: mod }), part(delta("x", ["fresh"]), { owner: owner("other_mod", []) }));
      expect(third).toThrowError(expect.objectContaining({ code: "KLP_AMBIGUOUS" }));
    });
  });

  it("that nothing has are refused", () => {
    expect(() => combined(part(delta("patched", ["nowhere"])))).toThrowError(expect.objectContaining({ code: "KLP_UNRESOLVED" }));
  });

  it("of longer names than that kernel's core reads are refused", () => {
    const long = "n".repeat(200);
    const { object } = combined(part(delta("patched", [long]), { owner: owner("vmlinux", [long]) }));
    const layouts = (size: number) => ({ size: () => undefined, member: () => ({ offset: 0, size }) });
    const made = (size: number) => finish(linked(object), "test.ko", draftOf(), longestSymbol(layouts(size)));
    expect(() => made(128)).toThrowError(expect.objectContaining({ code: "KLP_BAD_MODULE" }));
  });

  it("of a constant that is filled in at boot, whose variable the compiler made away, are refused by name", () => {
    const from = delta("patched", ["nowhere"]);
    const externals = from.externals.map((one) => ({ ...one, constant: one.symbol.name === "nowhere" }));
    expect(() => combined(part({ ...from, externals }))).toThrowError(expect.objectContaining({ code: "KLP_CONSTANT_ONLY" }));
  });

  it("of two parts that replace one function are refused", () => {
    const twice = [part(delta("patched", [])), part(delta("patched", []), { object: "fs/b.o" })];
    expect(() => combined(...twice)).toThrowError(expect.objectContaining({ code: "KLP_DUPLICATE_FUNCTION" }));
  });
});

describe("a finished module", () => {
  it("passes the last gate and says what it is", () => {
    const bytes = made(usual());
    gate(bytes);
    expect(inspect(bytes, "test.ko")).toMatchObject({
      livepatch: true,
      release: "6.1.0-test",
      faults: [],
      functions: [{ name: "patched", sympos: 0, replacement: "patched" }],
      klpSymbols: [{ object: "vmlinux", name: "hidden", sympos: 0 }],
      imports: ["kfree"],
    });
  });

  it("is the same for the same parts", () => {
    const again = (): Uint8Array => made(part(delta("patched", ["kfree", "hidden"])));
    expect(Buffer.compare(again(), again())).toBe(0);
  });

  const text = (elf: ElfObject): Section => elf.sections.find((s) => s.name === ".text.patched") as Section;
  it.each<[string, (elf: ElfObject) => void]>([
    [
      "a livepatch symbol that is left to the module loader",
      (elf) => each(elf.symbols, (s) => (s.place = s.place === "livepatch" ? "undef" : s.place)),
    ],
    ["relocations without the livepatch flag", (elf) => each(elf.sections, (s) => (s.flags &= ~SHF.RELA_LIVEPATCH))],
    [
      "relocations that are not kept",
      (elf) => each(elf.sections, (s) => (s.flags &= parseKlpSection(s.name) === undefined ? -1 : ~SHF.ALLOC)),
    ],
    ["an import that nobody exports", (elf) => each(elf.symbols, (s) => (s.name = s.name === "kfree" ? "kfrree" : s.name))],
    ["an import from a module", (elf) => each(elf.symbols, (s) => (s.name = s.name === "kfree" ? "of_module" : s.name))],
    ["a place that the kernel does not have", (elf) => each(elf.symbols, (s) => (s.name = s.name.replace("hidden,0", "hidden,3")))],
    ["a place of a name that occurs twice", (elf) => each(elf.symbols, (s) => (s.name = s.name.replace("hidden,0", "twice,0")))],
    [
      "a name that the core cannot read",
      (elf) => each(elf.symbols, (s) => (s.name = s.name.replace(".klp.sym.vmlinux.hidden,0", ".klp.sym.hidden"))),
    ],
    [
      "relocations of another section",
      (elf) => each(elf.sections, (s) => (s.name = s.name.replace(".klp.rela.vmlinux..text", ".klp.rela.vmlinux..txet"))),
    ],
    [
      "a relocation that the kernel does not apply",
      (elf) => {
        for (const table of relocationSections(elf).get(text(elf)) ?? []) for (const r of table.relocations) r.type = 15;
      },
    ],
  ])("with %s does not", (_, edit) => {
    expect(() => gate(changed(edit))).toThrowError(expect.objectContaining({ code: "KLP_BAD_MODULE" }));
  });

  it("for another release, or that is no livepatch, does not", () => {
    const bytes = made(part(delta("patched", ["kfree"])));
    expect(() => verify(bytes, linkedOf(usual()), "test.ko", "6.1.0-other", kernel)).toThrowError(
      expect.objectContaining({ code: "KLP_BAD_MODULE" }),
    );
    const plain = changed((elf) => {
      const info = elf.sections.find((s) => s.name === ".modinfo") as Section;
      info.data = Buffer.from(Buffer.from(info.data).toString("latin1").replace("livepatch=Y", "livepatch=N"), "latin1");
    });
    expect(() => gate(plain)).toThrowError(expect.objectContaining({ code: "KLP_NOT_LIVEPATCH" }));
  });

  it("that was changed after it was built is told, whatever was changed", () => {
    const flip = changed((elf) => {
      text(elf).data = Uint8Array.from(text(elf).data).fill(0x90, 0, 1);
    });
    const moved = changed((elf) => {
      for (const table of relocationSections(elf).get(text(elf)) ?? []) for (const r of table.relocations) r.addend -= 4;
    });
    const renamed = changed((elf) => each(elf.symbols, (s) => (s.name = s.name.replace("hidden,0", "patched,0"))));
    for (const bytes of [flip, moved, renamed]) expect(inspect(bytes, "test.ko").faults).toEqual([expect.stringContaining("manifest")]);
  });
});

describe("what the module registers", () => {
  const more = {
    name: "test",
    replace: true,
    symbolSources,
    btf,
    states: [
      { id: 7, version: 3 },
      { id: 2 ** 40, version: 0 },
    ],
  };

  it("is read back: callbacks of objects with functions and without, states, replace", () => {
    const parts = [
      part(callbacks("first", "pre_patch", "post_unpatch")),
      part(delta("patched", [])),
      part(callbacks("second", ...CALLBACKS), { owner: owner("some_mod", []) }),
      part(delta("one", []), { owner: owner("8021q", []) }),
      part(delta("two", []), { owner: owner("8021q", []) }),
    ];
    const { object, callbacks: listed } = combine(parts, more);
    const before = linked(object);
    const bytes = finish(before, "test.ko", draftOf(), 511).bytes;
    gate(bytes, before);
    const { descriptor, functions, others } = inspect(bytes, "test.ko");
    const replaced = (name: string) => expect.objectContaining({ name, replacement: name });
    expect(descriptor).toEqual({
      replace: true,
      states: more.states,
      objects: [
        {
          name: "vmlinux",
          functions: [replaced("patched")],
          callbacks: [
            { kind: "pre_patch", name: "first" },
            { kind: "post_unpatch", name: "first" },
          ],
        },
        { name: "some_mod", functions: [], callbacks: CALLBACKS.map((kind) => ({ kind, name: "second" })) },
        { name: "8021q", functions: [replaced("one"), replaced("two")], callbacks: [] },
      ],
    });
    expect(functions.map(({ name }) => name)).toEqual(["patched", "one", "two"]);
    expect(others).toEqual([]);
    expect(listed.map(({ owner: of, kind, name }) => `${of} ${kind} ${name}`)).toEqual([
      "vmlinux pre_patch first",
      "vmlinux post_unpatch first",
      ...CALLBACKS.map((kind) => `some_mod ${kind} second`),
    ]);
  });

  it("may be named by code of the patch", () => {
    const { object } = combined(part(delta("patched", ["suture_patch"])));
    expect(object.symbols.filter(({ name }) => name === "suture_patch")).toEqual([expect.objectContaining({ place: expect.any(Section) })]);
  });

  it("has one callback of a kind for an object, and one for each of two objects", () => {
    const twice = () => combined(part(callbacks("a", "pre_patch")), part(callbacks("b", "pre_patch"), { object: "fs/b.o" }));
    expect(twice).toThrowError(
      expect.objectContaining({ code: "KLP_DUPLICATE_CALLBACK", message: expect.stringContaining("a of fs/a.o") }),
    );
    expect(() => combined(part(callbacks("a", "pre_patch")), part(callbacks("a", "pre_patch"), { owner: owner("mod", []) }))).not.toThrow();
  });

  it.each([
    [[{ id: 0, version: 1 }]],
    [[{ id: 1, version: -1 }]],
    [
      [
        { id: 1, version: 1 },
        { id: 1, version: 2 },
      ],
    ],
  ])("has states that the kernel can keep: not %j", (states) => {
    expect(() => combine([part(delta("patched", []))], { ...more, states })).toThrowError(expect.objectContaining({ code: "KLP_STATE" }));
  });
});

describe("names for the livepatch core", () => {
  it("come back as they were written", () => {
    for (const symbol of [
      { object: "vmlinux", name: "foo.isra.0", sympos: 0 },
      { object: "nf_tables", name: "count.12", sympos: 3 },
    ])
      expect(parseKlpSymbol(klpSymbolName(symbol))).toEqual(symbol);
    expect(parseKlpSymbol(".klp.sym.vmlinux.foo")).toBeUndefined();
    expect(parseKlpSection(".klp.rela.kvm..text.f")).toEqual({ object: "kvm", section: ".text.f" });
  });
});
