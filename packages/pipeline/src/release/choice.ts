/** Which units are in, and why each of the others is not. */
import { fail } from "../errors.ts";
import type { Halves } from "./halves.ts";
import { reasonOf } from "./reasons.ts";
import { dependents, type Left, type Plan, type Unit, withNeeds } from "./units.ts";

export interface Asked {
  only: "all" | "cve";
  /** Units, by id, commit, or a file or folder that they change. */
  leaveOut: readonly string[];
  /** Only these, with what they need; empty for all. */
  take: readonly string[];
  /** These go in though they may be halves of what is left out, or meet objects that exist already: somebody has read them. */
  acceptDoubt: readonly string[];
}

export class Choice {
  readonly #units: readonly Unit[];
  readonly #in = new Set<number>();
  readonly #left = new Map<number, Left>();
  readonly #halves: Halves;

  /** What is asked for, and can be at all. @throws CATCHUP_UNIT */
  constructor({ units, halves = new Map() }: Plan, { leaveOut, take, only, acceptDoubt }: Asked) {
    this.#units = units;
    for (const word of [...leaveOut, ...take, ...acceptDoubt])
      if (!units.some((unit) => means(word, unit))) throw fail("CATCHUP_UNIT", `no unit is ${word}, and none changes a file of that name`);
    for (const unit of units) if (unit.known === undefined) this.#in.add(unit.index);
    const asked = new Map<number, Left>();
    for (const unit of units) {
      if (unit.known?.state === "left out") asked.set(unit.index, { reasons: unit.known.reasons, with: [] });
      else if (unit.known === undefined && leaveOut.some((word) => means(word, unit)))
        asked.set(unit.index, { reasons: [reasonOf(fail("CATCHUP_ASKED", "--leave-out names it"))], with: [] });
    }
    const isAccepted = (unit: Unit): boolean => acceptDoubt.some((word) => means(word, unit));
    this.#halves = new Map([...halves].filter(([index]) => !isAccepted(units[index] as Unit)));
    for (const unit of units)
      if (unit.doubt !== undefined && this.#in.has(unit.index) && !asked.has(unit.index) && !isAccepted(unit))
        asked.set(unit.index, { reasons: [reasonOf(unit.doubt)], with: [] });
    this.leave(asked);
    const wanted = (unit: Unit): boolean =>
      (take.length === 0 || take.some((word) => means(word, unit))) && (only === "all" || unit.namesCve);
    const kept = new Set<number>();
    for (const unit of units)
      if (this.#in.has(unit.index) && wanted(unit)) for (const one of withNeeds(units, unit.index, this.#in) ?? []) kept.add(one);
    const other = only === "cve" ? "it names no CVE, and none that does needs it" : "--take names others, and none of those needs it";
    const others = [...this.#in].filter((index) => !kept.has(index));
    // What is not asked for is no half that could not be carried: who takes some has chosen them.
    this.#leaveWithNeeds(new Map(others.map((index) => [index, { reasons: [reasonOf(fail("CATCHUP_ASKED", other))], with: [] }])));
  }

  get in(): ReadonlySet<number> {
    return this.#in;
  }

  get left(): ReadonlyMap<number, Left> {
    return this.#left;
  }

  /** Those of a list that are in. */
  among(indices: Iterable<number>): number[] {
    return [...indices].filter((index) => this.#in.has(index));
  }

  /** With all that depends on them, and what may be halves of those. @returns how many are out that were in */
  leave(gone: ReadonlyMap<number, Left>): number {
    const before = this.#in.size;
    let left = this.#leaveWithNeeds(gone);
    for (let isRefused = true; left.length > 0; isRefused = false) left = this.#leaveWithNeeds(this.#halvesOf(left, isRefused));
    return before - this.#in.size;
  }

  /** @param isRefused `gone` are no halves themselves */
  #halvesOf(gone: readonly number[], isRefused: boolean): Map<number, Left> {
    const found = new Map<number, Left>();
    for (const index of this.#in) {
      const others = this.#halves.get(index);
      const other =
        others === undefined ? undefined : gone.find((one) => (isRefused ? others.has(one) : others.get(one)?.isStrong === true));
      const tie = other === undefined ? undefined : others?.get(other);
      if (other === undefined || tie === undefined) continue;
      const { id = "", title = "" } = this.#units[other] ?? {};
      const why = `it has to do with ${tie.name}, as has ${id} (${title}), which is left out: the two may be one fix`;
      found.set(index, { reasons: [reasonOf(fail("CATCHUP_HALF", why))], with: [other] });
    }
    return found;
  }

  /** @returns those that are out now */
  #leaveWithNeeds(gone: ReadonlyMap<number, Left>): number[] {
    const left: number[] = [];
    for (const [index, why] of gone) {
      if (this.#in.delete(index)) left.push(index);
      else if (this.#left.has(index)) continue;
      else left.push(index);
      this.#left.set(index, why);
    }
    const notIn = new Set(
      this.#units.filter(({ index, known }) => !this.#in.has(index) && known?.state !== "in the kernel").map(({ index }) => index),
    );
    for (const [index, missing] of dependents(this.#units, notIn, this.#in)) {
      this.#in.delete(index);
      const names = missing.map((one) => this.#units[one]?.title ?? "").slice(0, 3);
      const why = `it needs ${names.join(", ")}${missing.length > 3 ? ` and ${missing.length - 3} more` : ""}`;
      this.#left.set(index, { reasons: [reasonOf(fail("CATCHUP_NEEDS", why))], with: missing });
      left.push(index);
    }
    return left.sort((a, b) => a - b);
  }
}

/** Functions that units which somebody has read change. */
export function functionsRead(units: readonly Unit[], acceptDoubt: readonly string[]): Set<string> {
  const read = units.filter((unit) => acceptDoubt.some((word) => means(word, unit)));
  return new Set(
    read.flatMap(({ hunks }) => hunks.flatMap(({ inside }) => inside.flatMap(({ kind, name }) => (kind === "function" ? [name] : [])))),
  );
}

function means(word: string, { id, commit, files }: Unit): boolean {
  if (id === word || (word.length >= 7 && (id.startsWith(word) || commit?.startsWith(word) === true))) return true;
  const folder = word.endsWith("/") ? word : `${word}/`;
  return files.some(({ path }) => path === word || path.startsWith(folder));
}
