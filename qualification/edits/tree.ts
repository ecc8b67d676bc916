/** What edits need to know of the rest of the kernel: files beside a file, names that are taken, weak functions. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { Tree } from "./edit.ts";
import { sourceText } from "./judge.ts";

type Named = Tree["globals"][number];

const RETURNS: Record<string, string> = {
  void: "return;",
  int: "return 0;",
  bool: "return false;",
  long: "return 0;",
  "unsigned long": "return 0;",
};

const FUNCTION =
  /^(__weak )?(void|int|bool|long|unsigned long)( __weak)? (\w+)\(((?:void|(?:const )?struct \w+ \*\w+|int \w+|unsigned long \w+|u64 \w+)(?:, ?(?:struct \w+ \*\w+|int \w+|unsigned long \w+))*)\)\n\{/gm;

export function treeOf(kernel: KernelContext): Tree {
  const { commands, sourceRoot } = kernel;
  const texts = new Map<string, string>();
  const textOf = (path: string): string => {
    const text = texts.get(path) ?? sourceText(join(sourceRoot, path)) ?? "";
    texts.set(path, text);
    return text;
  };
  const kernelSymbol = (name: string): string | undefined => {
    const found = kernel.image.symbols.named(name);
    return found.length === 1 ? found[0]?.type : undefined;
  };
  const weak: Named[] = [];
  const globals: Named[] = [];
  for (const object of commands.builtIn) {
    const path = commands.of(object).source;
    if (!/^(?:kernel|mm|fs|lib|block|security|net\/core)\//.test(path)) continue;
    for (const [, before, type = "", behind, name = "", parameters = ""] of (sourceText(join(sourceRoot, path)) ?? "").matchAll(FUNCTION)) {
      const one = { name, path, head: `${type} ${name}(${parameters})`, returns: RETURNS[type] ?? "return 0;" };
      const letter = kernelSymbol(name);
      if (before !== undefined || behind !== undefined) {
        if (letter === "W" || letter === "w") weak.push(one);
      } else if (letter === "T") globals.push(one);
    }
  }
  const inFolder = (path: string): { path: string; text: string }[] => {
    const folder = dirname(path);
    return readdirSync(join(sourceRoot, folder))
      .filter((name) => name.endsWith(".c"))
      .map((name) => `${folder}/${name}`)
      .filter((other) => other !== path && commands.ofSource(other).length === 1)
      .map((other) => ({ path: other, text: textOf(other) }));
  };
  const ownerOf = (path: string): string | undefined => {
    const [object] = commands.ofSource(path);
    return object === undefined ? undefined : commands.ownerOf(object);
  };
  /** Of all headers for everyone, every name that is declared. */
  let everyones: ReadonlySet<string> | undefined;
  const isDeclared = (path: string, name: string): boolean => {
    everyones ??= declaredBy(
      ["include", "arch/x86/include"].flatMap((folder) => headersUnder(join(sourceRoot, folder))).map((each) => sourceText(each) ?? ""),
    );
    if (everyones.has(name)) return true;
    const text = textOf(path);
    const near = [...text.matchAll(/^#\s*include\s+["<]([\w./-]+\.h)[">]/gm)].flatMap(
      ([, header = ""]) => sourceText(join(sourceRoot, dirname(path), header)) ?? [],
    );
    const folders = [dirname(path), join(dirname(path), "include")]
      .map((folder) => join(sourceRoot, folder))
      .filter((folder) => existsSync(folder));
    const beside = folders.flatMap((folder) => headersUnder(folder, false)).map((each) => sourceText(each) ?? "");
    return [text, ...near, ...beside].some((each) => declaredBy([each]).has(name));
  };
  return {
    weak,
    globals,
    isDeclared,
    kernelSymbol,
    siblings: (path) =>
      inFolder(path).filter(
        (other) => ownerOf(other.path) !== undefined && ownerOf(other.path) === ownerOf(path) && other.text.length < 80_000,
      ),
    localHeaders(path) {
      const folder = dirname(path);
      const names = [...textOf(path).matchAll(/^#include "([\w-]+\.h)"/gm)].map(([, name = ""]) => name);
      return names.flatMap((name) => {
        const text = sourceText(join(sourceRoot, folder, name));
        if (text === undefined) return [];
        const users = [
          path,
          ...inFolder(path)
            .filter((other) => other.text.includes(`"${basename(name)}"`))
            .map((other) => other.path),
        ];
        return [{ path: `${folder}/${name}`, text, users }];
      });
    },
  };
}

function headersUnder(folder: string, deep = true): string[] {
  return readdirSync(folder, { recursive: deep, encoding: "utf8" })
    .filter((name) => name.endsWith(".h"))
    .map((name) => join(folder, name));
}

/** The words of all declarations with `extern`, or by the macros for it. */
function declaredBy(texts: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const text of texts)
    for (const [declaration] of text.matchAll(/\b(?:extern|DECLARE_\w+)\b[^;{}]*;/g))
      for (const [word] of declaration.matchAll(/\w+/g)) names.add(word);
  return names;
}
