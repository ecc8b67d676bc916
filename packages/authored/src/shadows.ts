/**
 * The shadow variables of a livepatch that was written by hand are freed when it is taken out: by callbacks of ours, which call the author's
 * first where there are any. The kernel calls no callback of a livepatch that another replaces: that one takes the variables over. Where it is
 * turned back before it is in, they are still the other's.
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

/** The kinds of callbacks that ours take the place of. */
export const FREEING = ["pre_unpatch", "post_unpatch"] as const;

/**
 * @param elf the author's object: it gets names that the code of ours can reach
 * @param author the author's own callbacks of those kinds
 */
export async function freeingPart(
  task: Task,
  kernel: KernelContext,
  elf: ElfObject,
  { shadows, author, module }: { shadows: readonly Shadow[]; author: readonly DeclaredCallback[]; module: string },
): Promise<Part> {
  const reach = (name: string, symbol: ElfSymbol): void => {
    elf.symbols.push(newSymbol({ name, place: symbol.place, value: symbol.value, size: symbol.size, type: symbol.type, bind: STB.GLOBAL }));
  };
  const lines = ["// SPDX-License-Identifier: GPL-2.0", "#include <suture.h>", ""];
  const firstOf = (kind: (typeof FREEING)[number]): string[] => {
    const own = author.find((callback) => callback.kind === kind);
    if (own === undefined) return [];
    const name = `suture_author_${kind}`;
    reach(name, own.symbol);
    lines.push(`extern void ${name}(struct klp_object *obj);`);
    return [`\t${name}(obj);`];
  };
  const before = firstOf("pre_unpatch");
  const after = firstOf("post_unpatch");
  const frees: string[] = [];
  for (const { id, destructor } of shadows) {
    const name = `suture_destructor_${id}`;
    if (destructor !== undefined) {
      reach(name, destructor);
      lines.push(`extern void ${name}(void *obj, void *data);`);
    }
    frees.push(`\tklp_shadow_free_all(${id}UL, ${destructor === undefined ? "NULL" : name});`);
  }
  lines.push(
    "static bool suture_was_in;",
    "static void suture_shadows_pre_unpatch(struct klp_object *obj)",
    "{",
    ...before,
    "\tsuture_was_in = true;",
    "}",
    "static void suture_shadows_post_unpatch(struct klp_object *obj)",
    "{",
    ...after,
    // The kernel's list of livepatches holds this one, and those that it was to replace.
    "\tif (!suture_was_in && suture_patch.replace && suture_patch.list.prev != suture_patch.list.next)",
    "\t\treturn;",
    ...frees,
    "}",
    'SUTURE_PRE_UNPATCH("vmlinux", suture_shadows_pre_unpatch);',
    'SUTURE_POST_UNPATCH("vmlinux", suture_shadows_post_unpatch);',
    "",
  );
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
