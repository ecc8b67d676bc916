/**
 * The proof: how many functions of a sample of the kernel's objects it proves, how long that takes, and what it misses of single flipped bits,
 * of small changes of the source, and of objects that were compiled otherwise.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { archOf } from "@suture/arch";
import { type ElfObject, isSection, type Relocation, relocationSections, SHF } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import type { KernelImage, KernelModule } from "@suture/kernel";
import { type Built, type FunctionProof, type ObjectProof, proveObject } from "@suture/proof";
import { Task } from "@suture/task";
import { type CompiledObject, compileObject, type ObjectOptions } from "@suture/testkit/compile-object";
import { EDIT_KINDS, edits } from "@suture/testkit/source-edits";
import { median, row } from "./text.ts";

export interface Sample {
  seed: number;
  /** Objects of vmlinux, and of modules. */
  vmlinux: number;
  modules: number;
  /** Single bits that are flipped. */
  flips: number;
  /** Objects in which the source is changed. */
  changed: number;
}

interface Proven {
  object: string;
  plain: CompiledObject;
  proof: ObjectProof;
}

export async function proof(kernel: KernelContext, folder: string, sample: Sample): Promise<void> {
  const random = generator(sample.seed);
  const proven = await proveSample(kernel, folder, sample, random);
  const live = proven.filter(
    ({ object, proof }) => kernel.commands.of(object).owner === "vmlinux" && proof.functions.some((f) => isLive(f) && f.proven),
  );
  flip(kernel, live, sample.flips, random);
  change(kernel, folder, live, sample.changed);
  otherwise(kernel, folder, live.slice(0, 8));
  duplicates(kernel, proven);
}

function prove(
  kernel: KernelContext,
  object: string,
  plain: ElfObject,
  sections: ElfObject | undefined,
  against: KernelImage | KernelModule,
  built: Built = {},
) {
  return proveObject({ object, plain, sections, against, layouts: kernel.layouts, built });
}

async function proveSample(kernel: KernelContext, folder: string, sample: Sample, random: (below: number) => number): Promise<Proven[]> {
  console.log("\nproof: objects chosen by a seed, as the kernel's build compiles them and with a section for each function");
  const all: Proven[] = [];
  for (const [name, count] of [
    ["vmlinux", sample.vmlinux],
    ["modules", sample.modules],
  ] as const) {
    const functions: FunctionProof[] = [];
    const reasons: string[] = [];
    const [first, times, shares]: [number[], number[], number[]] = [[], [], []];
    let objects = 0;
    for (const object of shuffled(kernel.commands.objects, random)) {
      if (objects === count) break;
      const owner = ownerOf(kernel, object);
      if (owner === undefined || (owner === "vmlinux") !== (name === "vmlinux") || isNotLinked(object)) continue;
      const plain = compileObject(kernel, object, folder);
      const split = compileObject(kernel, object, folder, { sections: true });
      if (plain === undefined || split === undefined) continue;
      objects++;
      const against = owner === "vmlinux" ? kernel.image : await kernel.module(new Task(), owner);
      const [cold, warm] = [0, 0].map(() => timed(() => prove(kernel, object, plain.elf, split.elf, against))) as [Timed, Timed];
      first.push(cold.ms);
      times.push(warm.ms);
      shares.push((warm.ms / (plain.ms + split.ms)) * 100);
      all.push({ object, plain, proof: warm.value });
      functions.push(...warm.value.functions);
      for (const f of warm.value.functions)
        if (!f.proven) reasons.push(`${object} ${f.name}${f.init ? " (init)" : ""}: ${f.doubts[0]?.code}, ${f.doubts[0]?.why}`);
    }
    const running = functions.filter(isLive);
    const init = functions.filter((f) => f.init);
    console.log(
      `  ${name}: ${objects} objects, ${share(running)} functions that run, ${share(init)} that run at the start or end only; ` +
        `ms each: ${median(times).toFixed(1)} (first time ${median(first).toFixed(1)}, at most ${Math.max(...times).toFixed(1)}), ${median(shares).toFixed(2)} % of compiling`,
    );
    for (const reason of reasons) console.log(`    ${reason}`);
  }
  return all;
}

/** Objects for other programs than the kernel, which its build makes along with it. */
function isNotLinked(object: string): boolean {
  return /^(arch\/x86\/(boot|realmode|purgatory|entry\/vdso|tools)\/|drivers\/firmware\/efi\/libstub\/|scripts\/|tools\/|usr\/|certs\/|samples\/)/.test(
    object,
  );
}

function ownerOf(kernel: KernelContext, object: string): string | undefined {
  try {
    return kernel.commands.of(object).owner;
  } catch {
    // Linked with several modules.
    return undefined;
  }
}

/** Bits of the kernel are flipped, half of them in fields of relocations: the function that holds the bit must not be proven. */
function flip(kernel: KernelContext, proven: readonly Proven[], count: number, random: (below: number) => number): void {
  const { image } = kernel;
  const read = image.read.bind(image);
  let [caught, equal] = [0, 0];
  const missed: string[] = [];
  for (let i = 0; i < count; i++) {
    const { object, plain, proof } = proven[random(proven.length)] as Proven;
    const functions = proof.functions.filter((f) => isLive(f) && f.proven && f.size > 0 && f.address !== undefined);
    const f = functions[random(functions.length)];
    if (f?.address === undefined) continue;
    const at = f.address + (i % 2 === 0 ? random(f.size) : (fieldByte(plain.elf, f, random) ?? random(f.size)));
    const bit = 1 << random(8);
    image.read = (address, length) => {
      const bytes = read(address, length);
      if (bytes === undefined || at < address || at >= address + length) return bytes;
      const copy = Uint8Array.from(bytes);
      copy[at - address] = (copy[at - address] as number) ^ bit;
      return copy;
    };
    if (!prove(kernel, object, plain.elf, undefined, image).proven(f.name)) caught++;
    else if (isMerged(plain.elf, f, at - f.address)) equal++;
    else missed.push(`${object} ${f.name} + 0x${(at - f.address).toString(16)}`);
  }
  image.read = read;
  // A reference that moves to the same bytes elsewhere in read-only memory changes nothing.
  console.log(`  flipped bits of the kernel: ${caught} of ${caught + equal + missed.length} caught, ${equal} lead to an equal constant`);
  for (const where of missed) console.log(`    missed: ${where}`);
}

/** Whether the byte belongs to a reference to a string or constant that the linker merges. */
function isMerged(elf: ElfObject, f: FunctionProof, at: number): boolean {
  const section = elf.sections.find(({ name }) => name === f.section);
  const tables = section === undefined ? [] : (relocationSections(elf).get(section) ?? []);
  const field = tables.flatMap((table) => table.relocations).find(({ offset }) => f.offset + at >= offset && f.offset + at < offset + 4);
  return field?.symbol !== undefined && isSection(field.symbol.place) && (field.symbol.place.flags & SHF.MERGE) !== 0;
}

/** A byte of a field of a relocation in the function, from its start. */
function fieldByte(elf: ElfObject, f: FunctionProof, random: (below: number) => number): number | undefined {
  const section = elf.sections.find(({ name }) => name === f.section);
  const tables = section === undefined ? [] : (relocationSections(elf).get(section) ?? []);
  const inside = tables
    .flatMap((table): Relocation[] => table.relocations)
    .filter(({ offset, type }) => offset >= f.offset && offset < f.offset + f.size && (archOf(elf).relocations.kind(type)?.size ?? 0) > 0);
  const relocation = inside[random(inside.length)];
  return relocation === undefined
    ? undefined
    : relocation.offset - f.offset + random(archOf(elf).relocations.kind(relocation.type)?.size ?? 1);
}

function change(kernel: KernelContext, folder: string, proven: readonly Proven[], count: number): void {
  for (const kind of EDIT_KINDS) {
    let [caught, made] = [0, 0];
    const missed: string[] = [];
    for (const { object, proof } of proven) {
      if (made === count) break;
      const { source } = kernel.commands.of(object);
      const text = readFileSync(join(kernel.target.tree, source), "latin1");
      const same = compileObject(kernel, object, folder, { source: text });
      let tries = 0;
      for (const edited of edits(kind, text)) {
        if (++tries > 5) break;
        const compiled = compileObject(kernel, object, folder, { source: edited });
        // What does not compile, or makes no difference to the compiler, is no change.
        if (same === undefined || compiled === undefined || Buffer.compare(same.bytes, compiled.bytes) === 0) continue;
        made++;
        const after = prove(kernel, object, compiled.elf, undefined, kernel.image);
        const lost = proof.functions.some(({ name, proven: before }) => before && !after.proven(name));
        if (lost) caught++;
        else missed.push(`${object}, try ${tries}`);
        break;
      }
    }
    console.log(`  source with another ${kind}: ${caught} of ${made} objects caught`);
    for (const where of missed) console.log(`    missed: ${where}`);
  }
}

/** Objects that were compiled otherwise, and the cause that is named for it. */
function otherwise(kernel: KernelContext, folder: string, proven: readonly Proven[]): void {
  const { compiler } = kernel;
  const major = /\) (\d+)\./.exec(compiler)?.[1] ?? "";
  const others = siblings(kernel);
  const ways: { name: string; options: ObjectOptions; built: Built; facts: string }[] = [
    { name: "-O1", options: { extra: "-O1 -Wno-error" }, built: { compiler }, facts: "options" },
    { name: "objtool not run", options: { objtool: false }, built: { compiler }, facts: "objtool" },
    { name: "-DMODULE", options: { extra: "-DMODULE -Wno-error" }, built: { compiler }, facts: "context" },
    {
      name: "without CONFIG_MEMCG",
      options: {
        edit: (command) => command.replace("-include ./include/linux/compiler_types.h", `-include ${undefine(folder, "CONFIG_MEMCG")} $&`),
        extra: "-Wno-error",
      },
      built: { compiler, options: ["CONFIG_MEMCG"] },
      facts: "configuration",
    },
    {
      name: "another gcc (told)",
      options: { extra: "-O3" },
      built: { compiler: compiler.replaceAll(`${major}.`, `${Number(major) - 1}.`) },
      facts: "compiler",
    },
    ...others.map(({ tree, release }) => ({
      name: `source of ${release}`,
      options: { tree },
      built: { compiler, release },
      facts: "source",
    })),
  ];
  for (const { name, options, built, facts } of ways) {
    let [caught, same, named, guessed] = [0, 0, 0, 0];
    const causes = new Map<string, number>();
    for (const { object, plain, proof } of proven) {
      const compiled = compileObject(kernel, object, folder, options);
      if (compiled === undefined) continue;
      if (Buffer.compare(compiled.bytes, plain.bytes) === 0) {
        same++;
        continue;
      }
      const after = prove(kernel, object, compiled.elf, undefined, kernel.image, built);
      if (!proof.functions.some((f) => f.proven && !after.proven(f.name))) continue;
      caught++;
      const [cause] = after.causes;
      causes.set(cause?.kind ?? "none", (causes.get(cause?.kind ?? "none") ?? 0) + 1);
      if (cause?.kind === facts) named++;
      if (prove(kernel, object, compiled.elf, undefined, kernel.image).causes[0]?.kind === facts) guessed++;
    }
    const text = [...causes].map(([kind, n]) => `${kind} ${n}`).join(", ");
    console.log(row([name, `${same} the same`, `${caught} caught`, `${named} named`, `${guessed} guessed`]), ` (${text})`);
  }
}

function undefine(folder: string, option: string): string {
  const path = join(folder, `${option}.h`);
  writeFileSync(path, `#undef ${option}\n`);
  return path;
}

/** Trees of other kernels of the series that are ready in the same cache: kernels/NAME/tree. */
function siblings(kernel: KernelContext): { tree: string; release: string }[] {
  const kernels = dirname(dirname(kernel.target.tree));
  const found = new Map<string, string>();
  for (const name of readdirSync(kernels)) {
    const header = join(kernels, name, "tree/include/generated/utsrelease.h");
    const release = existsSync(header) ? (/"(.*)"/.exec(readFileSync(header, "utf8"))?.[1] ?? "") : "";
    if (
      release !== "" &&
      release !== kernel.image.release &&
      release.split(".", 2).join(".") === kernel.image.release.split(".", 2).join(".")
    )
      found.set(release, join(kernels, name, "tree"));
  }
  return [...found].map(([release, tree]) => ({ tree, release }));
}

/** Functions of the sample whose name the kernel has more than once. */
function duplicates(kernel: KernelContext, proven: readonly Proven[]): void {
  let [several, placed] = [0, 0];
  for (const { object, plain, proof } of proven) {
    if (kernel.commands.of(object).owner !== "vmlinux") continue;
    for (const f of proof.functions) {
      const symbols = kernel.image.symbols.named(f.name);
      if (symbols.length < 2 || !f.proven) continue;
      several++;
      const symbol = plain.elf.symbols.find(({ name, value, type }) => name === f.name && value === f.offset && type === 2);
      const place = symbol === undefined ? undefined : proof.place(symbol);
      if (place !== undefined && symbols[place.sympos - 1]?.address === f.address) placed++;
    }
  }
  console.log(`  functions whose name the kernel has several times: ${placed} of ${several} have their rank`);
}

function isLive(f: FunctionProof): boolean {
  return !f.init && !f.doubts.some(({ code }) => code === "overridden");
}

function share(functions: readonly FunctionProof[]): string {
  return `${functions.filter((f) => f.proven).length} of ${functions.length}`;
}

interface Timed {
  value: ObjectProof;
  ms: number;
}

function timed(work: () => ObjectProof): Timed {
  const started = performance.now();
  const value = work();
  return { value, ms: performance.now() - started };
}

/** Numbers below `below` that follow from the seed (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function shuffled<T>(list: readonly T[], random: (below: number) => number): T[] {
  const all = [...list];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}
