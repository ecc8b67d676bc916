/**
 * Whether a module is right, seen from the module and from an object that was compiled for this: nothing that the builder decided or wrote of
 * itself is asked.
 */
import { archOf } from "@suture/arch";
import { isSection, readElf, relocationSections, type Section, SHF, STT } from "@suture/elf";
import { parseKlpSymbol, ReachedByDistance, type ReadDescriptor } from "@suture/livepatch";
import type { Edit } from "./edit.ts";
import type { Facts } from "./facts.ts";

/** An object of the edit, as it was and as it becomes. */
export interface Sides {
  object: string;
  before: Facts;
  after: Facts;
}

export interface Module {
  /** Writable variables that it has. */
  state: string[];
  /** Functions that it has. */
  functions: Set<string>;
  /** Names of the kernel's symbols that it refers to. */
  refers: Set<string>;
  /** The kernel's functions that it replaces. */
  replaces: Set<string>;
  /** Names of constants that it has. */
  constants: Set<string>;
  /** The kernel's variables that it changes where they stand, and functions that it redirects by probes. */
  changes: Set<string>;
  redirects: Set<string>;
}

/** Tables of the livepatch, by what they are of. */
const TABLES = /^suture_(live|redirect)_[0-9a-f]{12}$/;

/** What macros make in each function that uses them, and the livepatch's own structures. */
const MADE =
  /^(?:__already_done|__warned|___?rs|_rs|rs|__print_once|__key|_key|__UNIQUE_ID|__func__|__FUNCTION__|descriptor|__this_module|____versions|_entry|__tpstrtab|once_init_ok|___once_key|___done|__section_failed|patch|objs?|funcs?|suture_\w+|klp_\w+)(?:[._]|\d|$)/;

export function moduleOf(bytes: Uint8Array, file: string, descriptor: ReadDescriptor | undefined): Module {
  const elf = readElf(bytes, file);
  const state: string[] = [];
  const functions = new Set<string>();
  const constants = new Set<string>();
  const told: { place: Section; from: number; to: number; names: Set<string> }[] = [];
  const [changes, redirects] = [new Set<string>(), new Set<string>()];
  for (const { name, type, value, size, place } of elf.symbols) {
    if (!isSection(place)) continue;
    const [, table] = TABLES.exec(name) ?? [];
    if (table !== undefined) told.push({ place, from: value, to: value + size, names: table === "live" ? changes : redirects });
    if (type === STT.FUNC) functions.add(name);
    const writable = (place.flags & SHF.WRITE) !== 0 && (place.flags & SHF.ALLOC) !== 0;
    // What is written by relocation only, and what tools make for the loader, is no state.
    if (
      type === STT.OBJECT &&
      size > 0 &&
      writable &&
      /^\.(?:data|bss|suture)|^__verbose/.test(place.name) &&
      !/\.rel\.ro|ro_after_init/.test(place.name)
    )
      state.push(name);
    else if (type === STT.OBJECT && !writable) constants.add(name);
  }
  const refers = new Set<string>();
  const { code, relocations: kinds } = archOf(elf);
  const reached = new ReachedByDistance(elf);
  for (const [target, tables] of relocationSections(elf)) {
    if ((target.flags & SHF.ALLOC) === 0) continue;
    const ends = (target.flags & SHF.EXECINSTR) === 0 ? undefined : code.operandEnds(target.data);
    for (const relocation of tables.flatMap(({ relocations }) => relocations)) {
      const { symbol, type, offset } = relocation;
      const toEnd = ends === undefined || !kinds.isPcRelative(type) ? 0 : (ends.get(offset) ?? code.branchToEnd);
      const klp = symbol?.place === "livepatch" ? parseKlpSymbol(symbol.name) : reached.meant(relocation, toEnd)?.klp;
      const name = klp?.name ?? (symbol?.place === "undef" || symbol?.place === "livepatch" ? symbol.name : undefined);
      if (name === undefined) continue;
      refers.add(name);
      for (const { place, from, to, names } of told) if (place === target && offset >= from && offset < to) names.add(name);
    }
  }
  const replaces = new Set((descriptor?.objects ?? []).flatMap((object) => object.functions.map(({ name }) => name)));
  return { state, functions, refers, replaces, constants, changes, redirects };
}

/** @returns what is wrong with it */
export function wrongs(edit: Edit, module: Module, sides: readonly Sides[]): string[] {
  const found: string[] = [];
  const stem = (name: string): string => name.replace(/(?:\.(?:\d+|constprop|isra|part|cold))+$/, "");
  for (const name of module.state)
    if (!edit.news.includes(stem(name)) && !MADE.test(name)) found.push(`it has a variable ${name} of its own, which is no new one`);
  for (const claim of edit.claims) {
    if (claim.claim === "kernels") {
      const users = sides.flatMap(({ after }) =>
        [...after.variables, ...externals(after)].flatMap(([name, { users }]) =>
          stem(name) === claim.is || name === claim.was ? users : [],
        ),
      );
      const carried = users.filter((user) => module.functions.has(user));
      const names = sides.flatMap(({ before }) => before.variables.get(claim.was)?.names ?? []);
      if (carried.length > 0 && ![claim.was, stem(claim.was), ...names].some((name) => module.refers.has(name)))
        found.push(`${carried.join(", ")} of it use ${claim.is}, and it does not refer to the kernel's ${claim.was}`);
    } else if (claim.claim === "own") {
      if (!module.state.some((name) => stem(name) === claim.name)) found.push(`it has no ${claim.name} of its own`);
    } else if (claim.claim === "refers") {
      if (!module.refers.has(claim.symbol)) found.push(`it does not refer to the kernel's ${claim.symbol}`);
    } else if (claim.claim === "replaces") {
      if (!module.replaces.has(claim.name)) found.push(`it does not replace the kernel's ${claim.name}`);
    } else if (claim.claim === "changes") {
      if (!module.changes.has(claim.symbol) && !module.constants.has(claim.symbol))
        found.push(`it does not change the kernel's ${claim.symbol}`);
    } else if (claim.claim === "redirects") {
      if (!module.redirects.has(claim.name)) found.push(`no probe of it redirects the kernel's ${claim.name}`);
    } else
      for (const { before, after } of sides) {
        const [old, now] = [before.functions.get(claim.name), after.functions.get(claim.name)];
        if (old?.hasEntry === true && !old.init && now !== undefined && old.code !== now.code && !module.replaces.has(claim.name))
          found.push(`it does not replace ${claim.name}, which differs`);
      }
  }
  return found;
}

/** What functions refer to and the object does not have: as variables, with their users. */
function externals({ functions, variables }: Facts): Map<string, { users: string[] }> {
  const found = new Map<string, { users: string[] }>();
  for (const [user, { refers, init }] of functions)
    if (!init) for (const name of refers) if (!variables.has(name)) found.set(name, { users: [...(found.get(name)?.users ?? []), user] });
  return found;
}
