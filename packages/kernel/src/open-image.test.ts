import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentReporter, Task } from "@suture/task";
import { BtfBuilder } from "@suture/testkit/btf-builder";
import { Bytes } from "@suture/testkit/bytes";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf, codeOfAsync } from "../test/errors.ts";
import { testFolder } from "../test/folders.ts";
import {
  BANNER,
  BSS,
  BUILD_ID,
  buildBootImage,
  buildGzipImage,
  buildPayload,
  buildVmlinux,
  PER_CPU_LOAD,
  RELEASE,
  RODATA,
  smallPlan,
  TEXT,
} from "../test/image-builder.ts";
import { buildLz4 } from "../test/lz4-builder.ts";
import { at } from "../test/space.ts";
import { offsetBy } from "./address.ts";
import { BLOCK } from "./block-file.ts";
import { cachedName } from "./cache.ts";
import type { KernelImage } from "./image.ts";
import { openImage } from "./open-image.ts";

const folder = testFolder();
let files = 0;

function written(bytes: Uint8Array): string {
  const path = join(folder, `image-${files++}`);
  writeFileSync(path, bytes);
  return path;
}

function emptyCache(): string {
  return join(folder, `cache-${files++}`);
}

const open = (bytes: Uint8Array, cache?: string): Promise<KernelImage> =>
  openImage(new Task(), written(bytes), cache === undefined ? {} : { cache });

/** All that an image answers, for comparison. */
function answers(image: KernelImage) {
  const { release, banner, buildId, sha256, sections, perCpu, hasRelocations } = image;
  return {
    ...{ release, banner, buildId, sha256, perCpu, hasRelocations },
    sections: [...sections],
    symbols: image.symbols.all.map((symbol) => ({ ...symbol, sympos: image.symbols.sympos(symbol) })),
    contents: sections.map((section) => Buffer.from(image.read(section.address, Math.min(section.size, 1 << 20)) ?? []).toString("hex")),
    relocations: sections.map((section) => image.relocationsIn(section.address, offsetBy(section.address, section.size))),
    btf: image.btf === undefined ? undefined : [...image.btf.compositeNames],
  };
}

/** Larger than some blocks of the cache file. */
function largePlan() {
  const plan = smallPlan();
  const builder = new BtfBuilder();
  builder.int("int", 4);
  return { ...plan, text: Uint8Array.from({ length: 5 * BLOCK + 77 }, (_, i) => (i * 7) ^ (i >>> 8)), btf: builder.done() };
}

describe("openImage", () => {
  it("reads what an image says of itself", async () => {
    const image = await open(buildGzipImage(smallPlan()));
    expect([image.release, image.banner, image.buildId]).toEqual([RELEASE, BANNER.trimEnd(), BUILD_ID]);
    expect(image.sections.map((section) => section.name)).toEqual([".data..percpu", ".text", ".rodata", ".notes", ".bss"]);
    expect(image.symbols.named("helper").map((symbol) => [symbol.address, image.symbols.sympos(symbol)])).toEqual([
      [at(TEXT + 0x10), 1],
      [at(TEXT + 0x80), 2],
      [at(BSS), 3],
    ]);
    expect(image.btf).toBeUndefined();
  });

  it("reads bytes by address: of one section, zeros for .bss, per-cpu data at both of its addresses", async () => {
    const plan = smallPlan();
    const image = await open(buildGzipImage(plan));
    expect(image.read(at(TEXT + 3), 5)).toEqual(Buffer.from([3, 4, 5, 6, 7]));
    expect(image.read(at(TEXT), 0x100)).toEqual(Buffer.from(plan.text));
    expect(image.read(at(TEXT), 0x101)).toBeUndefined();
    expect(image.read(at(TEXT - 1), 1)).toBeUndefined();
    expect(image.read(at(TEXT), -1)).toBeUndefined();
    expect(image.read(at(2 ** 40), 1)).toBeUndefined();
    expect(image.read(at(BSS + 8), 4)).toEqual(new Uint8Array(4));
    expect(image.read(at(8), 2)).toEqual(Buffer.from([247, 246]));
    expect(image.read(at(PER_CPU_LOAD + 8), 2)).toEqual(Buffer.from([247, 246]));
    expect(image.sectionAt(at(PER_CPU_LOAD + 8))?.name).toBe(".data..percpu");
  });

  it("tells what the relocation table says of a field", async () => {
    const image = await open(buildGzipImage(smallPlan()));
    expect(image.relocated(at(TEXT + 0x13))).toBe("abs32");
    expect(image.relocated(at(TEXT + 0x44))).toBe("inverse32");
    expect(image.relocated(at(RODATA + 0x808))).toBe("abs64");
    expect(image.relocated(at(8))).toBe("abs64");
    expect(image.relocated(at(PER_CPU_LOAD + 8))).toBe("abs64");
    expect(image.relocated(at(TEXT + 0x14))).toBeUndefined();
    expect(image.relocationsIn(at(TEXT), at(TEXT + 0x44))).toEqual([{ address: at(TEXT + 0x13), kind: "abs32" }]);
    expect(image.relocationsIn(at(0), at(0x40))).toEqual([{ address: at(8), kind: "abs64" }]);
  });

  it("gives the table between two symbols", async () => {
    const plan = smallPlan();
    const image = await open(buildGzipImage(plan));
    const table = image.table("__start_things", "__stop_things");
    expect(table?.address).toBe(at(RODATA + 0x800));
    expect([...(table?.bytes ?? [])]).toEqual(Array.from({ length: 0x20 }, (_, i) => i * 3));
    expect(image.table("__start_nothing", "__stop_nothing")).toBeUndefined();
    for (const [start, stop] of [
      ["__start_things", "__stop_nothing"],
      ["__stop_things", "__start_things"],
      ["_text", "linux_banner"],
      ["helper", "__stop_things"],
    ] as const)
      expect(codeOf(() => image.table(start, stop))).toBe("KERNEL_BAD_TABLE");
  });

  it("reads the same kernel in each form", async () => {
    const plan = smallPlan();
    const { sha256: _, ...expected } = answers(await open(buildGzipImage(plan)));
    const payload = buildPayload(plan);
    const { packed } = buildLz4([{ sequences: [], last: payload }]);
    const lz4 = await open(buildBootImage(new Bytes().put(packed).u32(payload.length).done()));
    expect(answers(lz4)).toMatchObject(expected);
    const plain = await open(buildVmlinux(plan));
    expect(answers(plain)).toMatchObject({ ...expected, hasRelocations: false, relocations: expected.sections.map(() => []) });
    const unmovable = await open(buildGzipImage({ ...plan, relocations: { abs32: [], inverse32: [], abs64: [] } }));
    expect(unmovable.relocated(at(TEXT + 0x13))).toBeUndefined();
  });

  it("refuses what is no kernel image", async () => {
    const plan = smallPlan();
    const image = buildGzipImage(plan);
    const other = (change: (bytes: Buffer) => void): Uint8Array => {
      const bytes = Buffer.from(image);
      change(bytes);
      return bytes;
    };
    const cases: [string, Uint8Array][] = [
      ["KERNEL_NOT_AN_IMAGE", new Uint8Array(0)],
      ["KERNEL_NOT_AN_IMAGE", Buffer.from("no kernel at all".repeat(100))],
      ["KERNEL_NOT_AN_IMAGE", other((b) => b.write("HdrT", 0x202))],
      ["KERNEL_BAD_HEADER", other((b) => b.writeUInt16LE(0x207, 0x206))],
      ["KERNEL_BAD_HEADER", other((b) => b.writeUInt16LE(0, 0x20e))],
      ["KERNEL_BAD_HEADER", other((b) => b.writeUInt16LE(0xffff, 0x20e))],
      ["KERNEL_BAD_HEADER", other((b) => b.write("../x\0", 0x300))],
      ["KERNEL_BAD_HEADER", other((b) => b.writeUInt32LE(7, 0x24c))],
      ["KERNEL_TRUNCATED", other((b) => b.writeUInt32LE(b.length, 0x24c))],
      ["KERNEL_TRUNCATED", other((b) => b.writeUInt32LE(0xffffffff, 0x248))],
      ["KERNEL_TRUNCATED", image.subarray(0, image.length - 33)],
      ["KERNEL_COMPRESSION_UNSUPPORTED", other((b) => b.writeUInt32LE(17, 0x248))],
      ["KERNEL_COMPRESSION_UNSUPPORTED", buildBootImage(Buffer.from([0x89, 0x4c, 0x5a, 0x4f, 0, 0, 0, 0, 8, 0, 0, 0]))],
      ["KERNEL_TOO_BIG", other((b) => b.writeUInt32LE(0x7fffffff, b.length - 36))],
      ["KERNEL_BAD_PAYLOAD", other((b) => b.writeUInt32LE(100, b.length - 36))],
      ["KERNEL_BAD_PAYLOAD", other((b) => b.fill(0x55, 2000, 2100))],
      ["KERNEL_NO_BANNER", buildBootImage(image.subarray(1040, image.length - 32), "9.8.8-other (x) #1")],
      ["KERNEL_NO_KALLSYMS", buildGzipImage({ ...plan, symbols: [] })],
      ["KERNEL_NO_BANNER", buildGzipImage({ ...plan, symbols: plan.symbols.filter((s) => s.name !== "linux_banner") })],
      ["KERNEL_BAD_RELOCATIONS", buildGzipImage({ ...plan, relocations: { abs32: [BSS], inverse32: [], abs64: [] } })],
    ];
    // arm64
    const arm = Uint8Array.from(buildVmlinux(plan)).fill(183, 18, 19);
    cases.push(["ARCH_UNKNOWN", arm]);
    for (const [code, bytes] of cases) expect([code, await codeOfAsync(open(bytes))]).toEqual([code, code]);
    expect(await codeOfAsync(openImage(new Task(), folder))).toBe("KERNEL_UNREADABLE");
    expect(await codeOfAsync(openImage(new Task(), join(folder, "nowhere"), { cache: emptyCache() }))).toBe("KERNEL_UNREADABLE");
  });

  it("refuses any damaged vmlinux with a typed error, or reads it", async () => {
    const good = buildVmlinux(smallPlan());
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 10 });
    // Half of the changes go to the headers, which are a small part of the file.
    const place = (where: number): number => (where % 2 === 0 ? where % 200 : good.length - 1 - (where % 700));
    const path = written(good);
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (list, inHeaders) => {
        const bytes = Uint8Array.from(good);
        for (const [where, value] of list) bytes[inHeaders ? place(where) : where % bytes.length] = value;
        writeFileSync(path, bytes);
        const code = await codeOfAsync(openImage(new Task(), path).then(answers));
        if (code !== undefined) expect(code).toMatch(/^(KERNEL|ELF|ARCH)_/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the cache of openImage", () => {
  it("gives the same image as decoding does", async () => {
    for (const bytes of [buildGzipImage(largePlan()), buildGzipImage(smallPlan()), buildVmlinux(largePlan())]) {
      const cache = emptyCache();
      const expected = answers(await open(bytes));
      const cold = await open(bytes, cache);
      expect(answers(cold)).toEqual(expected);
      const task = new Task();
      const warm = await openImage(task, written(bytes), { cache });
      expect(answers(warm)).toEqual(expected);
      expect(task.timings).toEqual([]);
      expect(readdirSync(cache)).toEqual([cachedName(expected.sha256)]);
      for (const image of [cold, warm]) image.close();
    }
  });

  it("reads any range as decoding does", async () => {
    const bytes = buildGzipImage(largePlan());
    const plain = await open(bytes);
    const cached = await open(bytes, emptyCache());
    const size = largePlan().text.length;
    fc.assert(
      fc.property(fc.nat(size + 10), fc.nat(size + 10), (start, length) => {
        const expected = plain.read(at(TEXT + start), length);
        const found = cached.read(at(TEXT + start), length);
        expect(found === undefined).toBe(expected === undefined);
        if (found !== undefined && expected !== undefined) expect(Buffer.compare(found, expected)).toBe(0);
      }),
    );
    cached.close();
    expect(plain.read(at(TEXT), 4)).toEqual(Buffer.from(largePlan().text.subarray(0, 4)));
  });

  it("takes no file that is cut, longer or changed for the kernel", async () => {
    const bytes = buildGzipImage(largePlan());
    const cache = emptyCache();
    const expected = answers(await open(bytes, cache));
    const path = join(cache, cachedName(expected.sha256));
    const good = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("cut", "longer", "changed"), fc.nat(good.length - 1), async (how, where) => {
        const bad = how === "cut" ? good.subarray(0, where) : Buffer.concat([good, Buffer.from(how === "longer" ? "x" : "")]);
        if (how === "changed") bad[where] = (bad[where] ?? 0) ^ 1;
        writeFileSync(path, bad);
        let found: ReturnType<typeof answers> | undefined;
        const code = await codeOfAsync(
          open(bytes, cache).then((image) => {
            try {
              found = answers(image);
            } finally {
              image.close();
            }
          }),
        );
        // Damage to the tables is seen at once, and the file written anew. Damage to a block is seen when the block is read.
        if (code === undefined) expect(found).toEqual(expected);
        else {
          expect([how, code]).toEqual(["changed", "KERNEL_CACHE_DAMAGED"]);
          expect(readdirSync(cache)).toEqual([]);
          const again = await open(bytes, cache);
          expect(answers(again)).toEqual(expected);
          again.close();
        }
        expect(readFileSync(path).equals(good)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("knows a kernel by its bytes, not by its path", async () => {
    const cache = emptyCache();
    const path = written(buildGzipImage(smallPlan()));
    const first = await openImage(new Task(), path, { cache });
    const plan = smallPlan();
    plan.text[0] = 0xcc;
    writeFileSync(path, buildGzipImage(plan));
    const second = await openImage(new Task(), path, { cache });
    expect([first.read(at(TEXT), 1)?.[0], second.read(at(TEXT), 1)?.[0]]).toEqual([0, 0xcc]);
  });

  it("does without a cache that cannot be written, and says so", async () => {
    const warnings: string[] = [];
    const task = new Task({ ...silentReporter, warn: (text) => warnings.push(text) });
    const file = written(new Uint8Array(0));
    const image = await openImage(task, written(buildGzipImage(smallPlan())), { cache: join(file, "below") });
    expect(image.release).toBe(RELEASE);
    expect(warnings.length).toBe(1);
  });

  it("removes what a killed run left behind, and leaves what another run is writing", async () => {
    const cache = emptyCache();
    mkdirSync(cache);
    for (const name of [".partial-old", ".partial-new", "other"]) writeFileSync(join(cache, name), "x");
    utimesSync(join(cache, ".partial-old"), new Date(0), new Date(0));
    const image = await open(buildGzipImage(smallPlan()), cache);
    expect(readdirSync(cache).sort()).toEqual([cachedName(image.sha256), ".partial-new", "other"].sort());
  });

  it("leaves nothing behind when it is cancelled", async () => {
    const cache = emptyCache();
    const abort = new AbortController();
    const task = new Task(silentReporter, abort.signal);
    abort.abort();
    expect(await codeOfAsync(openImage(task, written(buildGzipImage(smallPlan())), { cache }))).toBe("CANCELLED");
  });

  it("cannot be read from when it was closed", async () => {
    const image = await open(buildGzipImage(smallPlan()), emptyCache());
    image.close();
    expect(codeOf(() => image.read(at(TEXT), 4))).toBe("KERNEL_UNREADABLE");
  });
});
