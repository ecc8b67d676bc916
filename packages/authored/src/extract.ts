/**
 * A file to begin a livepatch with: functions as the kernel's source has them, each as the replacement of itself, and what they need of their C
 * file. What the kernel has as a symbol is declared; what it has not, as the compiler has put it elsewhere, is copied.
 */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { type ElfObject, isSection, STT } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import type { KernelModule } from "@suture/kernel";
import type { Task } from "@suture/task";
import { objectTypes } from "@suture/types";
import { type CItem, cItems } from "./c-items.ts";
import { fail } from "./errors.ts";
import { definedIn, hasEntry, kernelObjectsNamed, Originals } from "./originals.ts";

export interface Extracted {
  /** The C file that the functions are from. */
  file: string;
  owner: string;
  functions: string[];
  text: string;
  /** What the author has to look at. */
  notes: string[];
}

/** @param words FUNCTION, or FILE.c:FUNCTION. @throws EXTRACT_*, AUTHORED_*, BUILD_UNPROVEN */
export async function extractFunctions(task: Task, kernel: KernelContext, words: readonly string[]): Promise<Extracted> {
  const originals = new Originals(task, kernel, false);
  const places = new Map<string, string[]>();
  for (const word of words) {
    const { object, name } = await placeOf(task, kernel, word);
    places.set(object, [...(places.get(object) ?? []), name]);
  }
  const [[object, functions] = ["", []], ...others] = places;
  if (others.length > 0)
    throw fail(
      "EXTRACT_FUNCTION",
      `they are in several files: ${[...places.keys()].map((each) => kernel.commands.of(each).source).join(", ")}`,
      {},
      {
        mend: "Extract those of each file into a file of its own; `suture build --from A.c B.c` makes one livepatch of them.",
      },
    );
  const { command, elf } = await originals.open(object);
  const text = await readFile(join(kernel.sourceRoot, command.source), "latin1");
  const module = command.owner === "vmlinux" ? undefined : await kernel.module(task, command.owner);
  const items = cItems(text, kernel.target.arch.kbuild.systemCalls.entry);
  const extraction = new Extraction(kernel, elf, { source: command.source, owner: command.owner, module }, items);
  return { file: command.source, owner: command.owner, functions, ...extraction.of(functions) };
}

async function placeOf(task: Task, kernel: KernelContext, word: string): Promise<{ object: string; name: string }> {
  const [, file, name = word] = /^([^:]+\.c):(\w+)$/.exec(word) ?? [];
  if (!/^[A-Za-z_]\w*$/.test(name)) throw fail("EXTRACT_FUNCTION", `"${word}" is no function`);
  const objects = file === undefined ? await everywhere(task, kernel, name) : kernelObjectsNamed(kernel, file);
  const [object] = objects;
  if (object === undefined) throw fail("EXTRACT_FUNCTION", `no C file of the kernel seems to define ${name}`, { symbol: name });
  if (objects.length > 1) {
    const files = objects.map((each) => kernel.commands.of(each).source);
    throw fail("EXTRACT_FUNCTION", `${name} is in ${files.join(", ")}`, { symbol: name }, { mend: `Say which: ${files[0]}:${name}` });
  }
  return { object, name };
}

/** In vmlinux and all modules; one that vmlinux has comes before those of modules. */
async function everywhere(task: Task, kernel: KernelContext, name: string): Promise<string[]> {
  const inside = await definedIn(task, kernel, "vmlinux", name);
  return inside.length > 0 ? inside : definedIn(task, kernel, undefined, name);
}

/** How the names of an item of the file come into the new one. */
type How = "copy" | "declare" | "replace";

class Extraction {
  readonly #kernel: KernelContext;
  readonly #elf: ElfObject;
  readonly #source: string;
  readonly #owner: string;
  readonly #module: KernelModule | undefined;
  readonly #items: readonly CItem[];
  readonly #byName = new Map<string, CItem[]>();
  readonly #how = new Map<CItem, How>();
  readonly #notes: string[] = [];

  constructor(
    kernel: KernelContext,
    elf: ElfObject,
    { source, owner, module }: { source: string; owner: string; module: KernelModule | undefined },
    items: readonly CItem[],
  ) {
    this.#kernel = kernel;
    this.#elf = elf;
    this.#source = source;
    this.#owner = owner;
    this.#module = module;
    this.#items = items;
    for (const item of items) for (const name of item.names) this.#byName.set(name, [...(this.#byName.get(name) ?? []), item]);
  }

  of(functions: readonly string[]): { text: string; notes: string[] } {
    for (const name of functions) this.#checkReplaceable(name);
    const targets = functions.flatMap((name) => {
      const found = (this.#byName.get(name) ?? []).filter(({ kind }) => kind === "function");
      if (found.length === 0)
        throw fail(
          "EXTRACT_FUNCTION",
          `${name} is made by a macro`,
          { file: this.#source, symbol: name },
          { mend: "Write its replacement by hand: docs/authoring.md#syscalls shows one of a system call." },
        );
      return found;
    });
    for (const item of targets) this.#how.set(item, "replace");
    const queue = [...targets];
    for (const item of this.#items) {
      if (!isAlwaysKept(item)) continue;
      if (item.kind !== "directive") this.#how.set(item, "copy");
      queue.push(item);
    }
    for (let item = queue.pop(); item !== undefined; item = queue.pop())
      for (const word of new Set(this.#textNeeded(item).match(/[A-Za-z_]\w*/g)))
        for (const needed of this.#byName.get(word) ?? []) {
          if (this.#how.has(needed) || isAlwaysKept(needed)) continue;
          this.#how.set(needed, this.#howOf(needed));
          queue.push(needed);
        }
    return { text: this.#write(functions), notes: this.#notes };
  }

  #checkReplaceable(name: string): void {
    const symbol = this.#symbol(name);
    const where = { file: this.#source, symbol: name };
    if (symbol === undefined || symbol.type !== STT.FUNC)
      throw fail("EXTRACT_FUNCTION", `the kernel has no ${name} of its own: it has become part of its callers`, where, {
        mend: "Extract the functions that call it: it comes along.",
      });
    if (!hasEntry(this.#elf, symbol))
      throw fail("EXTRACT_FUNCTION", `${name} has no ftrace entry: its calls cannot be redirected`, where, {
        mend: "Extract the functions that call it.",
      });
  }

  #symbol(name: string) {
    return this.#elf.symbols.find(
      (symbol) => symbol.name === name && isSection(symbol.place) && (symbol.type === STT.FUNC || symbol.type === STT.OBJECT),
    );
  }

  #howOf(item: CItem): How {
    if (item.kind === "function" || item.kind === "variable" || item.kind === "macro")
      return item.names.some((name) => this.#symbol(name) !== undefined) ? "declare" : "copy";
    return "copy";
  }

  /** The part of an item whose names the new file needs too. */
  #textNeeded(item: CItem): string {
    const how = this.#how.get(item);
    if (how !== "declare") return item.code;
    if (item.kind === "function") return item.head;
    // Of a variable its type, and how many it has.
    return item.kind === "variable" ? (item.code.split("=")[0] ?? "") : "";
  }

  #write(functions: readonly string[]): string {
    const out: string[] = [
      "// SPDX-License-Identifier: GPL-2.0",
      `/* ${functions.join(", ")} of ${this.#source}, as ${this.#kernel.target.release} has ${functions.length === 1 ? "it" : "them"}. suture build --from makes a livepatch of this file. */`,
    ];
    const replaced: string[] = [];
    /** Where <suture.h> goes: after the includes at the top, as some headers are told things by macros before them. */
    let top = out.length;
    let depth = 0;
    let isTop = true;
    for (const item of this.#items) {
      const text = this.#itemText(item, replaced);
      if (text === undefined) continue;
      out.push(text.replace(/\n+$/, ""));
      isTop &&= item.kind === "directive";
      depth += (text.match(/^\s*#\s*if/gm)?.length ?? 0) - (text.match(/^\s*#\s*endif/gm)?.length ?? 0);
      if (isTop && depth === 0) top = out.length;
    }
    out.splice(top, 0, "#include <suture.h>", `SUTURE_FLAGS_OF("${this.#source}")`);
    const body = dropEmptyConditions(out.join("\n\n")).replace(/(^#[^\n]*[^\\]\n)\n+(?=#)/gm, "$1");
    this.#noteThisModule();
    return `${body}\n\n${replaced.join("\n")}\n`;
  }

  /** In the kernel itself THIS_MODULE is nothing, here as there. */
  #noteThisModule(): void {
    const used = [...this.#how].some(([{ code }, how]) => how !== "declare" && /\bTHIS_MODULE\b/.test(code));
    if (used && this.#owner !== "vmlinux") this.#notes.push(`THIS_MODULE is the livepatch in this file, and was ${this.#owner}`);
  }

  #itemText(item: CItem, replaced: string[]): string | undefined {
    if (item.kind === "directive") return this.#directive(item);
    const how = this.#how.get(item);
    if (how === undefined) return undefined;
    if (how === "replace") {
      const name = item.names[0] ?? "";
      if (!replaced.some((line) => line.includes(` ${name},`)))
        replaced.push(`SUTURE_REPLACE_IN("${this.#owner}", "${this.#source}", ${name}, new_${name});`);
      const state = /^[ \t]+static\s+(?!const\b|inline\b)[^;=]*?(\w+)(?:\[[^\]]*\])?\s*[;=]/m.exec(item.body)?.[1];
      if (state !== undefined) this.#notes.push(`${name} has a variable of its own, ${state}: the new function begins with a new one`);
      const head = renamed(item.head, name);
      return `${/\bstatic\b/.test(item.head) ? head : makeStatic(head)}${item.body}`;
    }
    if (how === "copy") return item.text;
    const known = item.names.filter((name) => this.#symbol(name) !== undefined);
    return [this.#declaration(item, known), ...known.flatMap((name) => this.#tell(name))].join("\n");
  }

  /** Which symbol is meant, where the name alone does not tell. */
  #tell(name: string): string[] {
    const inside = this.#kernel.image.symbols.named(name).length;
    const exported = this.#kernel.symbolSources.kernel.exports.get(name);
    if (exported?.module === "vmlinux" && this.#owner === "vmlinux") return [];
    const own = this.#module?.named(name).length ?? 0;
    return inside + own > 1 ? [`SUTURE_SYMBOL(${name}, "${this.#owner}", "${this.#source}", ${name});`] : [];
  }

  #declaration(item: CItem, names: readonly string[]): string {
    if (item.kind === "function") return `${externOf(item.head)};`;
    // Without its initial value.
    const [, suffix, of] = /DEFINE_PER_CPU(\w*)\s*\(((?:[^()]|\([^()]*\))*)\)/.exec(item.code) ?? [];
    if (of !== undefined) return `DECLARE_PER_CPU${suffix}(${of});`;
    const types = objectTypes(this.#elf);
    return names
      .map((name) => {
        const type = types?.variable(name)?.type;
        const declared = type === undefined ? undefined : declare(type, name);
        if (declared !== undefined) return `extern ${declared};`;
        const text = `extern ${item.code
          .replace(/^\s*(?:static\s+)?/, "")
          .split("=")[0]
          ?.trim()
          .replace(/;$/, "")};`;
        if (item.kind === "macro") this.#notes.push(`${name} is made by a macro, and its type is not known: declare it by hand`);
        return text;
      })
      .join("\n");
  }

  #directive({ text: whole, code, names }: CItem): string | undefined {
    const text = whole.replace(/^\/\/ SPDX[^\n]*\n/, "");
    if (/#\s*define\s+(?:CREATE_TRACE_POINTS|\w*BOOT_PARAM\w*)\b/.test(code)) return undefined;
    const [, before, path, after] = /^([\s\S]*#\s*include\s*)"([^"]+)"([\s\S]*)$/.exec(text) ?? [];
    if (path !== undefined) {
      const beside = normalize(join(dirname(this.#source), path));
      return existsSync(join(this.#kernel.sourceRoot, beside)) ? `${before}"${beside}"${after}` : text;
    }
    if (names.length === 0 || isAlwaysKept({ code, kind: "directive" })) return text;
    const item = this.#items.find((one) => one.text === whole);
    return item !== undefined && this.#how.has(item) ? text : undefined;
  }
}

/** What macros of headers look at without being given it. */
function isAlwaysKept({ kind, code }: Pick<CItem, "kind" | "code">): boolean {
  if (kind === "macro") return /^\s*ACPI_MODULE_NAME\b/.test(code);
  return kind === "directive" && /#\s*define\s+(?:pr_fmt|dev_fmt|DEBUG|_COMPONENT|_?_?KERNEL_\w+|DEFAULT_SYMBOL_NAMESPACE)\b/.test(code);
}

/** `static int f(int a)` → `extern int f(int a)` */
function externOf(head: string): string {
  const plain = head.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, " ").trim();
  const own = plain
    .replace(/\b(?:static|inline|__always_inline|noinline\w*|__init|__ref|asmlinkage(?=\s+static))\b\s*/g, "")
    .replace(/\n\s*$/, "");
  return /^extern\b/.test(own) ? own : `extern ${own}`;
}

/** The name in the head itself, not in the comment before it. */
function renamed(head: string, name: string): string {
  const bare = head.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (comment) => " ".repeat(comment.length));
  const at = new RegExp(`\\b${name}(?=\\s*\\()`).exec(bare)?.index ?? 0;
  return `${head.slice(0, at)}new_${head.slice(at)}`;
}

function makeStatic(head: string): string {
  const comment = /^(?:\s*(?:\/\*[\s\S]*?\*\/|\/\/[^\n]*\n))*\s*/.exec(head)?.[0] ?? "";
  return `${comment}static ${head.slice(comment.length).replace(/^extern\s+/, "")}`;
}

/** A type in the words of BTF with the name where C wants it; undefined for pointers to functions. */
function declare(type: string, name: string): string | undefined {
  if (type.includes("()") || /^(?:struct|union|enum)(?:\s*\*|\[|$)/.test(type)) return undefined;
  const [, base = type, lengths = ""] = /^(.*?)((?:\[\d+\])*)$/.exec(type) ?? [];
  return `${base}${base.endsWith("*") ? "" : " "}${name}${lengths}`;
}

/** #if ... #endif with nothing between but other directives of the kind. */
function dropEmptyConditions(text: string): string {
  let now = text;
  for (let before = ""; before !== now; ) {
    before = now;
    now = now.replace(
      /^#[ \t]*(?:if|ifdef|ifndef)\b[^\n]*(?:\\\n[^\n]*)*\n\s*(?:#[ \t]*(?:else|elif)\b[^\n]*\n\s*)*#[ \t]*endif[^\n]*$\n*/gm,
      "",
    );
  }
  return now;
}
