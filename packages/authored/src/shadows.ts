/**
 * The shadow variables of a livepatch that was written by hand are freed when it is taken out: by a callback of ours, which calls the author's
 * first where there is one. The kernel calls no callback of a livepatch that another replaces: that one takes the variables over.
 */
import { type ElfObject, type ElfSymbol, newSymbol, readElf, STB } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import type { Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compileAuthored } from "./compile.ts";
import { type DeclaredCallback, type Shadow, takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";

/** Each once: several files may declare the same one. @throws AUTHORED_DECLARATION */
export function shadowsById(shadows: readonly Shadow[]): Shadow[] {
  const known = new Map<number, Shadow>();
  for (const shadow of shadows) {
    const other = known.get(shadow.id);
    if (other !== undefined && (other.size !== shadow.size || (other.destructor === undefined) !== (shadow.destructor === undefined)))
      throw fail(
        "AUTHORED_DECLARATION",
        `the shadow variables ${other.name} (${other.at}) and ${shadow.name} have the same number ${shadow.id}`,
        { file: shadow.at, symbol: shadow.name },
      );
    known.set(shadow.id, other ?? shadow);
  }
  return [...known.values()].sort((a, b) => a.id - b.id);
}

/**
 * @param elf the author's object: it gets names that the code of ours can reach
 * @param after the author's own callback of that kind
 */
export async function freeingPart(
  task: Task,
  kernel: KernelContext,
  elf: ElfObject,
  { shadows, after, module }: { shadows: readonly Shadow[]; after: DeclaredCallback | undefined; module: string },
): Promise<Part> {
  const reach = (name: string, symbol: ElfSymbol): void => {
    elf.symbols.push(newSymbol({ name, place: symbol.place, value: symbol.value, size: symbol.size, type: symbol.type, bind: STB.GLOBAL }));
  };
  const lines = ["// SPDX-License-Identifier: GPL-2.0", "#include <suture.h>", ""];
  const calls: string[] = [];
  if (after !== undefined) {
    reach("suture_author_post_unpatch", after.symbol);
    lines.push("extern void suture_author_post_unpatch(struct klp_object *obj);");
    calls.push("\tsuture_author_post_unpatch(obj);");
  }
  for (const { id, destructor } of shadows) {
    const name = `suture_destructor_${id}`;
    if (destructor !== undefined) {
      reach(name, destructor);
      lines.push(`extern void ${name}(void *obj, void *data);`);
    }
    calls.push(`\tklp_shadow_free_all(${id}UL, ${destructor === undefined ? "NULL" : name});`);
  }
  lines.push("static void suture_free_shadows(struct klp_object *obj)", "{", ...calls, "}");
  lines.push('SUTURE_POST_UNPATCH("vmlinux", suture_free_shadows);', "");
  const source = { name: "suture_shadows.c", bytes: Buffer.from(lines.join("\n")), folder: undefined, beside: [] };
  const bytes = await compileAuthored(task, kernel, source, module);
  const object = readElf(bytes, "suture_shadows.c");
  const { callbacks } = takeDeclarations(object);
  return {
    object: "suture_shadows.c",
    owner: kernel.symbolSources.vmlinux,
    delta: {
      object,
      functions: [],
      callbacks: callbacks.map(({ kind, name, symbol }) => ({ kind, name, symbol })),
      externals: object.symbols
        .filter(({ place, name }) => place === "undef" && name !== "")
        .map((symbol) => ({ symbol, original: undefined })),
      exposed: [],
    },
    locate: (symbol) => {
      throw fail("AUTHORED_MISSING", "the kernel's symbols are not named there", { symbol: symbol.name });
    },
  };
}
