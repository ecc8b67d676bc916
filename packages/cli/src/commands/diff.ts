import { readFile } from "node:fs/promises";
import type { Delta, TypeLayouts } from "@suture/diff";
import { type ElfObject, readElf, writeElf } from "@suture/elf";
import { layoutsOf } from "@suture/kbuild";
import { Btf, openImage } from "@suture/kernel";
import { type Document, diffDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import { checkLayouts, checkVariables } from "@suture/types";
import { Option } from "commander";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { cacheDirectory } from "../kernel-option.ts";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";
import { writeWhole } from "../write-file.ts";

interface Options {
  output?: string;
  btf?: string;
  entrySize?: string[];
  module?: boolean;
  acceptLayout?: string[];
  acceptInit?: string[];
}

export const diffCommand: AddCommand = (program, run) => {
  program
    .command("diff")
    .description("what changed between two builds of one object; needs no kernel")
    .argument("<original>", "an object file, with a section for each function and variable")
    .argument("<patched>", "the same object, built from the changed source")
    .option("-o, --output <file>", "write what changed, and what it needs, as an object")
    .option("--btf <file>", "the kernel's types: its vmlinuz, vmlinux, or bare BTF; those in the original object unless given")
    .addOption(
      new Option("--entry-size <section=bytes>", "without types: bytes of an entry of a special section; can be given several times")
        .argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
        .conflicts("btf"),
    )
    .option("--accept-layout <name...>", "let these structures, variables or enumerators be otherwise than before")
    .option("--accept-init <function...>", "leave these functions out, which run only at boot or when their module comes or goes")
    .option("--module", "the objects belong to a loadable module")
    .action(
      run(async (task, originalFile: string, patchedFile: string, options: Options) => {
        const { diff, layoutsOfObjects } = await import("@suture/diff");
        const original = readElf(await readFile(originalFile), originalFile);
        const patched = readElf(await readFile(patchedFile), patchedFile);
        const module = options.module === true;
        const names = new Set(options.acceptLayout);
        const accepted = checkLayouts(original, patched, names);
        const own = layoutsOfObjects([original, patched], ownTypes(original), entrySizes(options.entrySize ?? []));
        const delta = diff(original, patched, {
          layouts: options.btf === undefined ? own : layoutsOf(await readTypes(task, options.btf)),
          build: { module, memoryHotplug: undefined },
          acceptInit: (name) => options.acceptInit?.includes(name) === true,
          // Without the kernel nothing shows that a key is not in a module.
          keepEntry: () => !module,
          unlisted: true,
        });
        for (const [section, size] of own.inferred)
          delta.notes.push(`entries of ${section} are taken to have ${size} bytes: of the sizes that are known no other fits`);
        delta.notes.push(...accepted, ...checkVariables(original, patched, delta.externals, names));
        const output = delta.object === undefined ? undefined : options.output;
        if (delta.object !== undefined && output !== undefined) await writeWhole(output, writeElf(delta.object));
        const code = delta.outcome === "same" ? 3 : 0;
        return { document: documentOf(delta, output), text: safeText(diffText(delta, output)), code };
      }),
    );
};

/** Types that the compiler wrote into the object itself. */
function ownTypes(elf: ElfObject): TypeLayouts | undefined {
  const section = elf.sections.find(({ name }) => name === ".BTF");
  return section === undefined ? undefined : layoutsOf(new Btf(section.data, elf.file));
}

function entrySizes(given: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    given.map((text) => {
      const [, section = "", bytes] = /^([^=]+)=([1-9][0-9]{0,3})$/.exec(text) ?? [];
      if (bytes === undefined) throw fail("CLI_USAGE", `--entry-size ${text}: a section and bytes are needed, as in __jump_table=16`);
      return [section, Number(bytes)];
    }),
  );
}

/** The first bytes of bare BTF, in the processor's order. */
const BTF_MAGIC = [0x9f, 0xeb];

async function readTypes(task: Task, file: string): Promise<Btf> {
  const bytes = await readFile(file);
  if (BTF_MAGIC.every((byte, i) => bytes[i] === byte)) return new Btf(bytes, file);
  const image = await openImage(task, file, { cache: cacheDirectory() });
  try {
    const { btf } = image;
    if (btf === undefined) throw fail("CLI_NO_TYPES", "the kernel has no types in it (CONFIG_DEBUG_INFO_BTF)", { file });
    return btf;
  } finally {
    image.close();
  }
}

function documentOf(delta: Delta, output: string | undefined): Document {
  const { outcome, carriedAlong, added, skipped, notes } = delta;
  const functions = delta.functions.map(({ name, why, through, sizeBefore, size }) => ({ name, why, through, sizeBefore, size }));
  const callbacks = delta.callbacks.map(({ kind, name }) => ({ kind, name }));
  const keys = delta.keys.map(({ table, function: name, key, kept }) => ({ table, function: name, key, kept }));
  const needs = delta.externals.map(({ symbol, original }) => ({ name: symbol.name, ownObject: original !== undefined }));
  return diffDocument.of({ outcome, functions, callbacks, carriedAlong, added, skipped, notes, keys, needs, output });
}

const OUTCOMES: Record<Delta["outcome"], string> = {
  same: "the same: nothing differs",
  idle: "what differs needs nothing in a running kernel",
  patch: "what follows",
};

function diffText(delta: Delta, output: string | undefined): string {
  const named = (list: readonly { name: string; why: string }[]): string =>
    tableText(
      ["name", "why"],
      list.map(({ name, why }) => [name, why]),
    );
  return partsText([
    fieldsText([["changed", OUTCOMES[delta.outcome]]]),
    headedText(
      `${countText(delta.functions.length, "function")} to be replaced`,
      tableText(
        ["function", "size", "why"],
        delta.functions.map((f) => [f.name, `${f.sizeBefore} → ${f.size}`, f.why]),
      ),
    ),
    headedText(
      "callbacks",
      tableText(
        ["runs", "function"],
        delta.callbacks.map(({ kind, name }) => [kind, name]),
      ),
    ),
    headedText("changed, and carried along with their callers", named(delta.carriedAlong)),
    headedText(
      "added",
      tableText(
        ["name", "kind", "size"],
        delta.added.map((a) => [a.name, a.kind, bytesText(a.size)]),
      ),
    ),
    headedText("left as it is", named(delta.skipped)),
    headedText(
      "needed of the kernel",
      tableText(
        ["symbol", "defined in"],
        delta.externals.map(({ symbol, original }) => [symbol.name, original === undefined ? "another object" : "this object"]),
      ),
    ),
    headedText("notes", delta.notes.map((note) => `  ${note}`).join("\n")),
    fieldsText([["object", output ?? ""]]),
  ]);
}
