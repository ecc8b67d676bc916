/** The global symbols that the objects of a patch add: what one object adds, the others may use, as if they were linked together. */
import type { Delta } from "@suture/diff";
import { type ElfSymbol, isSection, STB } from "@suture/elf";
import { fail } from "./errors.ts";

type Adds = { owner: { name: string }; delta: Pick<Delta, "object"> };

export class AddedGlobals {
  /** By name, and then by the part of the kernel: modules may each have one of a name. */
  readonly #byName = new Map<string, Map<string, ElfSymbol>>();

  constructor(parts: readonly Adds[]) {
    for (const { owner, delta } of parts)
      for (const symbol of delta.object?.symbols ?? []) {
        if (symbol.bind === STB.LOCAL || !isSection(symbol.place)) continue;
        const byOwner = this.#byName.get(symbol.name) ?? new Map<string, ElfSymbol>();
        this.#byName.set(symbol.name, byOwner);
        // The linker says where one part of the kernel has it twice.
        if (!byOwner.has(owner.name)) byOwner.set(owner.name, symbol);
      }
    for (const byOwner of this.#byName.values()) if (byOwner.size > 1) for (const symbol of byOwner.values()) symbol.bind = STB.LOCAL;
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#byName.keys());
  }

  /** The one that code of `owner` means. @throws KLP_AMBIGUOUS */
  meant(name: string, owner: string, file: string): ElfSymbol | undefined {
    const byOwner = this.#byName.get(name);
    const own = byOwner?.get(owner);
    if (byOwner === undefined || own !== undefined) return own;
    const [only, ...others] = byOwner.values();
    if (others.length > 0)
      throw fail("KLP_AMBIGUOUS", `${[...byOwner.keys()].join(" and ")} both get a new ${name}, and ${owner} has none of its own`, {
        file,
        symbol: name,
      });
    return only;
  }
}
