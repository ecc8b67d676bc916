/** Objects compiled here, proven against the stock kernel's own files. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SHF, STT } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { type ObjectProof, proveObject } from "@suture/proof";
import { Task } from "@suture/task";
import { type CompiledObject, compileObject, type ObjectOptions } from "@suture/testkit/compile-object";
import { testContext } from "@suture/testkit/context";
import { EDIT_KINDS, edits } from "@suture/testkit/source-edits";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** With alternatives, static keys and calls, per-cpu data, weak functions, warnings, exception tables and cold parts. */
const VMLINUX = ["fs/pipe.o", "kernel/cpu.o", "kernel/seccomp.o", "mm/util.o"];
const MODULES = ["net/bridge/br_fdb.o", "fs/fat/fatent.o", "net/sched/sch_hfsc.o"];
/** With constants that no symbol names, between its variables. */
const UNNAMED = ["crypto/testmgr.o"];

let kernel: KernelContext;
const folder = mkdtempSync(join(tmpdir(), "suture-proof-"));
const compiled = new Map<string, { plain: CompiledObject; sections: CompiledObject; proof: ObjectProof }>();

beforeAll(async () => {
  kernel = await testContext();
  for (const object of [...VMLINUX, ...MODULES, ...UNNAMED]) {
    const plain = compile(object);
    const sections = compile(object, { sections: true });
    compiled.set(object, { plain, sections, proof: await prove(object, plain, sections) });
  }
});
afterAll(() => {
  kernel?.close();
  rmSync(folder, { recursive: true, force: true });
});

function compile(object: string, options: ObjectOptions = {}): CompiledObject {
  const made = compileObject(kernel, object, folder, options);
  if (made === undefined) throw new Error(`${object} does not compile`);
  return made;
}

async function prove(object: string, plain: CompiledObject, sections?: CompiledObject): Promise<ObjectProof> {
  const { owner } = kernel.commands.of(object);
  const against = owner === "vmlinux" ? kernel.image : await kernel.module(new Task(), owner);
  const built = { compiler: kernel.compiler, release: kernel.target.release };
  return proveObject({ object, plain: plain.elf, sections: sections?.elf, against, layouts: kernel.layouts, built });
}

function known(object: string) {
  const found = compiled.get(object);
  if (found === undefined) throw new Error(`${object} was not compiled`);
  return found;
}

test.each([...VMLINUX, ...MODULES, ...UNNAMED])("every function of %s is proven", (object) => {
  const { proof } = known(object);
  const doubted = proof.functions.filter((f) => !f.proven && f.doubts[0]?.code !== "overridden");
  expect(doubted.map((f) => [f.name, f.doubts])).toEqual([]);
  expect(proof.functions.length).toBeGreaterThan(10);
  expect(proof.complete).toBe(true);
});

test("weak functions that the architecture has its own of are told", () => {
  expect(known("kernel/cpu.o").proof.overridden.map(({ name }) => name)).toContain("arch_smt_update");
});

test("each symbol that the proof places is there under its name and rank, in both builds", () => {
  for (const object of VMLINUX) {
    const { plain, sections, proof } = known(object);
    let placed = 0;
    for (const { elf } of [plain, sections])
      for (const symbol of elf.symbols) {
        if (symbol.type !== STT.FUNC && symbol.type !== STT.OBJECT) continue;
        const place = proof.place(symbol);
        if (place === undefined) continue;
        placed++;
        const all = kernel.image.symbols.named(symbol.name);
        expect(all[Math.max(place.sympos - 1, 0)]?.address, symbol.name).toBe(place.address);
        expect(place.sympos === 0, symbol.name).toBe(all.length === 1);
      }
    expect(placed).toBeGreaterThan(20);
  }
});

describe("flipped bits", () => {
  test.each(VMLINUX)("of the kernel's code of %s are all caught", async (object) => {
    const { plain, proof } = known(object);
    const { image } = kernel;
    const read = image.read.bind(image);
    const functions = proof.functions.filter((f) => f.proven && f.size > 0);
    try {
      for (let i = 0; i < 150; i++) {
        const f = functions[(i * 31) % functions.length];
        if (f?.address === undefined) continue;
        const at = f.address + ((i * 97) % f.size);
        image.read = (address, length) => {
          const bytes = read(address, length);
          if (bytes === undefined || at < address || at >= address + length) return bytes;
          const copy = Uint8Array.from(bytes);
          copy[at - address] = (copy[at - address] as number) ^ (1 << (i % 8));
          return copy;
        };
        expect((await prove(object, plain)).proven(f.name), `${f.name} + ${at - f.address}`).toBe(false);
      }
    } finally {
      image.read = read;
    }
    expect((await prove(object, plain)).complete).toBe(true);
  });

  test.each(MODULES)("of the code of %s are all caught", async (object) => {
    const { plain, proof } = known(object);
    const functions = proof.functions.filter((f) => f.proven && f.size > 0);
    const fields = new Set(
      plain.elf.sections.flatMap((s) =>
        s.target?.name === ".text"
          ? s.relocations.flatMap(({ offset, type }) => (type === 0 ? [] : [0, 1, 2, 3].map((i) => offset + i)))
          : [],
      ),
    );
    const text = plain.elf.sections.find((s) => s.name === ".text" && (s.flags & SHF.EXECINSTR) !== 0);
    if (text === undefined) throw new Error("no code");
    for (let i = 0; i < 150; i++) {
      const f = functions[(i * 31) % functions.length];
      const at = f === undefined ? 0 : f.offset + ((i * 97) % f.size);
      if (f === undefined || f.section !== ".text" || fields.has(at)) continue;
      const byte = text.data[at] as number;
      text.data[at] = byte ^ (1 << (i % 8));
      expect((await prove(object, plain)).proven(f.name), `${f.name} + ${at - f.offset}`).toBe(false);
      text.data[at] = byte;
    }
  });
});

test.each(EDIT_KINDS)("source with another %s is not the kernel's", async (kind) => {
  const object = "fs/pipe.o";
  const { proof } = known(object);
  const source = readFileSync(join(kernel.target.tree, kernel.commands.of(object).source), "latin1");
  const same = compile(object, { source });
  expect((await prove(object, same)).complete).toBe(true);
  for (const edited of edits(kind, source)) {
    const made = compileObject(kernel, object, folder, { source: edited });
    // What does not compile, or makes no difference to the compiler, is no change.
    if (made === undefined || Buffer.compare(made.bytes, same.bytes) === 0) continue;
    const after = await prove(object, made);
    expect(proof.functions.some((f) => f.proven && !after.proven(f.name))).toBe(true);
    expect(after.complete).toBe(false);
    return;
  }
  expect(kind, "the source has no such place").toBe("string");
});

test("an object that objtool has not seen, and one of other options, are caught with the cause", async () => {
  const raw = await prove("mm/util.o", compile("mm/util.o", { objtool: false }));
  expect(raw.complete).toBe(false);
  expect(raw.causes[0]?.kind).toBe("objtool");
  const other = await prove("mm/util.o", compile("mm/util.o", { extra: "-O1 -Wno-error" }));
  expect(other.complete).toBe(false);
  expect(other.causes[0]?.kind).toBe("options");
});
