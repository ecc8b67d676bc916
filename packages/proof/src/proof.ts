/** The proof of one object: what was just compiled is what the kernel runs. */
import { type Arch, archOf, isKnown, type TypeLayouts } from "@suture/arch";
import { type ElfObject, type ElfSymbol, ET, isSection } from "@suture/elf";
import { KernelImage, type KernelModule } from "@suture/kernel";
import { verifyEverywhere } from "./alike.ts";
import { anchors } from "./anchors.ts";
import { causesOf } from "./causes.ts";
import { ElfRunningCode } from "./elf-running-code.ts";
import { fail } from "./errors.ts";
import type { Finding } from "./findings.ts";
import { judge } from "./functions.ts";
import { ImageRunningCode } from "./image-running-code.ts";
import { isFunction, itemAt, partsOf } from "./items.ts";
import type { Anchor, FunctionProof, Mismatch, ObjectProof, Place, ProofInput } from "./model.ts";
import { placeParts } from "./placement.ts";
import type { RunningCode, Stretch } from "./running-code.ts";
import { isInitOnly } from "./sections.ts";
import { type Build, compareSplit, type Split } from "./split.ts";
import { RunningTables } from "./table-index.ts";
import { tablesOf } from "./tables.ts";

/** @throws PROOF_NOT_AN_OBJECT, PROOF_NO_LAYOUT, PROOF_BAD_TABLE */
export function proveObject({ object, plain, sections, against, layouts, built = {} }: ProofInput): ObjectProof {
  for (const elf of [plain, sections]) if (elf !== undefined) checkObject(elf);
  const { running, index } = groundOf(against, archOf(plain));
  const parts = partsOf(plain);
  const tables = tablesOf(parts, layouts);
  const placement = placeParts(parts, tables, running, index);
  const verdict = verifyEverywhere(parts, tables, placement, running, index);
  const { functions, overridden } = judge(parts, placement, verdict, running);
  const split = sections === undefined ? undefined : compareSplit(buildOf(sections, layouts), { parts, tables }, built.assembler);
  doubtSplit(functions, split, parts.arch.code.paddingPrefixes);
  const provenNames = new Set(functions.map(({ name }) => name));
  for (const { name, proven } of functions) if (!proven) provenNames.delete(name);
  const bad = new Set(verdict.findings.filter(({ part, at }) => part.role !== "code" || at === undefined).map(({ part }) => part));
  const complete =
    functions.every(({ proven, init, doubts }) => proven || init || doubts[0]?.code === "overridden") &&
    [...bad].every(({ section }) => isInitOnly(section.name));
  const symbols = byName(plain.symbols);
  const addressOf = (symbol: ElfSymbol): { own: ElfSymbol; address: number } | undefined => {
    const own = isSection(symbol.place) && parts.of(symbol.place) !== undefined ? symbol : matching(symbols, symbol, split);
    const part = own !== undefined && isSection(own.place) ? parts.of(own.place) : undefined;
    const base = part === undefined ? undefined : placement.bases.get(part);
    if (own === undefined || part === undefined || base === undefined || bad.has(part)) return undefined;
    if (isFunction(own) && !provenNames.has(own.name)) return undefined;
    return { own, address: base + own.value };
  };
  const literals = anchors(verdict.merged, running);
  return {
    object,
    functions,
    mismatches: verdict.findings.map((finding) => mismatchOf(finding, finding.kernel, running)),
    overridden,
    causes: causesOf({ plain, parts, running, against, built, functions, overridden }),
    complete,
    proven: (symbol) => provenNames.has(typeof symbol === "string" ? symbol : symbol.name),
    place(symbol): Place | undefined {
      const found = addressOf(symbol);
      return found === undefined ? undefined : running.place(found.own, found.address);
    },
    anchor(what): Anchor | undefined {
      if (!complete) return undefined;
      if ("bytes" in what) return literals(what);
      const found = addressOf(what);
      return found === undefined ? undefined : running.anchor(found.address);
    },
  };
}

function buildOf(elf: ElfObject, layouts: TypeLayouts): Build {
  const parts = partsOf(elf);
  return { parts, tables: tablesOf(parts, layouts) };
}

/** The symbol of the plain build that the other build's is. */
function matching(plain: ReadonlyMap<string, readonly ElfSymbol[]>, symbol: ElfSymbol, split: Split | undefined): ElfSymbol | undefined {
  const there = isSection(symbol.place) ? split?.plainPlace(symbol.place, symbol.value) : undefined;
  if (there === undefined) return undefined;
  return plain
    .get(symbol.name)
    ?.find(({ place, value, type }) => place === there.section && value === there.offset && type === symbol.type);
}

function byName(symbols: readonly ElfSymbol[]): Map<string, ElfSymbol[]> {
  const found = new Map<string, ElfSymbol[]>();
  for (const symbol of symbols) {
    const list = found.get(symbol.name);
    if (list === undefined) found.set(symbol.name, [symbol]);
    else list.push(symbol);
  }
  return found;
}

/** A function that the build with sections has otherwise is not proven. */
function doubtSplit(functions: FunctionProof[], split: Split | undefined, prefixes: readonly string[]): void {
  for (const f of functions) {
    const why = [f.name, ...prefixes.map((start) => start + f.name)]
      .map((name) => split?.doubts.get(name))
      .find((doubt) => doubt !== undefined);
    if (why === undefined) continue;
    f.proven = false;
    f.doubts.push({ code: "split", why });
  }
}

function checkObject(elf: ElfObject): void {
  if (elf.type !== ET.REL || !isKnown(elf))
    throw fail("PROOF_NOT_AN_OBJECT", `ELF type ${elf.type} of machine ${elf.machine}`, { file: elf.file });
}

interface Prepared {
  running: RunningCode;
  index: RunningTables;
}

const prepared = new WeakMap<KernelImage | KernelModule, Prepared>();

function groundOf(against: KernelImage | KernelModule, arch: Arch): Prepared {
  const known = prepared.get(against);
  if (known !== undefined) return known;
  const running =
    against instanceof KernelImage
      ? new ImageRunningCode(against, arch)
      : new ElfRunningCode(against.elf, `the module ${against.name}`, (symbol) => against.sympos(symbol));
  const made = { running, index: new RunningTables(running) };
  prepared.set(against, made);
  return made;
}

function mismatchOf({ code, part, at, why, section, offset, bytes }: Finding, kernel: Stretch | undefined, running: RunningCode): Mismatch {
  const item = at === undefined || part.role !== "code" ? undefined : itemAt(part, at);
  return {
    code,
    function: item?.symbols.find(isFunction)?.name,
    section,
    offset,
    why,
    bytes,
    instructions() {
      // An entry of a table is no code.
      if (item === undefined || bytes === undefined || section !== part.section.name || kernel === undefined) return undefined;
      const own = part.arch.code.textAt(part.section.data.subarray(item.start, item.end), offset - item.start, item.start);
      const theirs = part.arch.code.textAt(kernel.bytes, offset - item.start, running.linkedAt(kernel.address));
      return own === undefined || theirs === undefined ? undefined : { object: own.text, kernel: theirs.text };
    },
  };
}
