/** The proof of one object: what was just compiled is what the kernel runs. */
import { type ElfObject, type ElfSymbol, EM_X86_64, ET, isSection } from "@suture/elf";
import { KernelImage, type KernelModule } from "@suture/kernel";
import { ElfGround } from "./elf-ground.ts";
import { fail } from "./errors.ts";
import { judge } from "./functions.ts";
import type { Ground } from "./ground.ts";
import { ImageGround } from "./image-ground.ts";
import { isFunction, itemAt, type Part, partsOf } from "./items.ts";
import type { Mismatch, ObjectProof, Place, ProofInput } from "./model.ts";
import { placeParts } from "./placement.ts";
import { GroundTables } from "./table-index.ts";
import { tablesOf } from "./tables.ts";
import { type Finding, verify } from "./verify.ts";

/** @throws PROOF_NOT_AN_OBJECT, PROOF_NO_LAYOUT, PROOF_BAD_TABLE */
export function proveObject({ object, plain, against, layouts }: ProofInput): ObjectProof {
  checkObject(plain);
  const { ground, index } = groundOf(against);
  const parts = partsOf(plain);
  const tables = tablesOf(parts, layouts);
  const placement = placeParts(parts, tables, ground, index);
  const verdict = verify(parts, tables, placement, ground, index);
  const { functions, overridden } = judge(parts, placement, verdict, ground);
  const byName = new Map(functions.map((f) => [f.name, f]));
  const bad = new Set(verdict.findings.filter(({ part, at }) => part.role !== "code" || at === undefined).map(({ part }) => part));
  return {
    object,
    functions,
    mismatches: verdict.findings.map(mismatchOf),
    overridden,
    causes: [],
    complete: functions.every(({ proven, init, doubts }) => proven || init || doubts[0]?.code === "overridden"),
    proven: (symbol) => byName.get(typeof symbol === "string" ? symbol : symbol.name)?.proven === true,
    place(symbol): Place | undefined {
      const own = isSection(symbol.place) && parts.of(symbol.place) !== undefined ? symbol : matching(plain, symbol);
      const part = own !== undefined && isSection(own.place) ? parts.of(own.place) : undefined;
      const base = part === undefined ? undefined : placement.bases.get(part);
      if (own === undefined || part === undefined || base === undefined || bad.has(part)) return undefined;
      if (isFunction(own) && byName.get(own.name)?.proven !== true) return undefined;
      return ground.place(own, base + own.value);
    },
  };
}

/** The one symbol of the plain build that the other build's is. */
function matching(plain: ElfObject, symbol: ElfSymbol): ElfSymbol | undefined {
  const [only, ...more] = plain.symbols.filter(
    ({ name, type, size, place }) => name === symbol.name && type === symbol.type && size === symbol.size && isSection(place),
  );
  return more.length === 0 ? only : undefined;
}

function checkObject(elf: ElfObject): void {
  if (elf.type !== ET.REL || elf.machine !== EM_X86_64)
    throw fail("PROOF_NOT_AN_OBJECT", `ELF type ${elf.type} of machine ${elf.machine}`, { file: elf.file });
}

interface Prepared {
  ground: Ground;
  index: GroundTables;
}

const prepared = new WeakMap<KernelImage | KernelModule, Prepared>();

function groundOf(against: KernelImage | KernelModule): Prepared {
  const known = prepared.get(against);
  if (known !== undefined) return known;
  const ground =
    against instanceof KernelImage
      ? new ImageGround(against)
      : new ElfGround(against.elf, `the module ${against.name}`, (symbol) => against.sympos(symbol));
  const made = { ground, index: new GroundTables(ground) };
  prepared.set(against, made);
  return made;
}

function mismatchOf({ code, part, at, why, section, offset, bytes }: Finding): Mismatch {
  return { code, function: functionAt(part, at), section, offset, why, bytes };
}

function functionAt(part: Part, at: number | undefined): string | undefined {
  if (at === undefined || part.role !== "code") return undefined;
  return itemAt(part, at)?.symbols.find(isFunction)?.name;
}
