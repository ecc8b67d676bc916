/** What a livepatch says of itself: it stands, as JSON, in the section `.suture` of the module. */
import type { CallbackKind, Handed } from "@suture/diff";
import type { ElfObject } from "@suture/elf";
import { MANIFEST_SECTION } from "./contents.ts";
import type { State } from "./descriptor.ts";
import { fail } from "./errors.ts";
import type { Resolved } from "./resolve.ts";

export interface Manifest {
  /** The version of this form. */
  suture: 1;
  name: string;
  /** Of all that the module holds besides this (see contents.ts). */
  contents: string;
  kernel: { release: string; buildId: string };
  /** Whether the originals of all patched objects were shown to be what the kernel runs. */
  proof: { proven: boolean; functions: number; reason?: string };
  replace: boolean;
  objects: { path: string; owner: string; original: string; patched: string }[];
  functions: {
    object: string;
    owner: string;
    name: string;
    sympos: number;
    /** Bytes of code before and after. */
    sizeBefore: number;
    size: number;
    why: string;
  }[];
  /** The builds of modules that it was proven against; absent if it is for none. */
  modules?: { name: string; buildId?: string; srcversion?: string }[];
  /** Functions of the patch that run when one of the kernel's objects is patched or unpatched; absent if there are none. */
  callbacks?: { object: string; owner: string; kind: CallbackKind; name: string }[];
  /** Absent if there are none. */
  states?: State[];
  /** Shadow variables that it declares, and frees when it is taken out; absent if there are none. Size in bytes. */
  shadows?: { id: number; name: string; size: number }[];
  added: { object: string; name: string; kind: "function" | "variable"; size: number }[];
  /** What differs but has no effect at run time. */
  skipped: { object: string; name: string; why: string }[];
  /** Of a livepatch that replaces functions by themselves: those that were asked for and are not replaced. */
  notTaken?: { object: string; name: string; code: string; why: string }[];
  /** What a person should know of the patch. */
  notes: { object: string; text: string }[];
  /** Addresses of what is in the module that its code gives to others: what keeps one is left behind when it is taken out. Absent if there are none. */
  handed?: ({ object: string } & Handed)[];
  symbols: Resolved[];
  compiler: string;
  /** Every input with its SHA-256. */
  inputs: {
    kind: "patch" | "source" | "livepatch" | "package" | "tree" | "module" | "image" | "config";
    name: string;
    version?: string;
    sha256: string;
  }[];
  /** From the headers of the patches. */
  fixes: { subject?: string; cves: string[] }[];
  /** What it was made of besides the kernel; absent in one that registers itself. */
  made?: Made;
}

/** All that a person gave, so that the next livepatch can be made of the same and more. Texts are latin1. */
export interface Made {
  patches: { name: string; text: string }[];
  /** C files that were written by hand, each with those that it includes from beside it. */
  sources: { name: string; text: string; beside: { name: string; text: string }[] }[];
  rebuild: string[];
  acceptLayouts: string[];
}

/** Before the module is finished. */
export type DraftManifest = Omit<Manifest, "contents">;

export function writeManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/** The manifest of a module; undefined if Suture did not make it. */
export function readManifest(elf: ElfObject): Manifest | undefined {
  const section = elf.sections.find((s) => s.name === MANIFEST_SECTION);
  if (section === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(section.data).toString("utf8"));
  } catch (cause) {
    throw fail("KLP_BAD_MODULE", "its manifest is no JSON", { file: elf.file, section: MANIFEST_SECTION }, { cause });
  }
  if (!isManifest(parsed))
    throw fail("KLP_BAD_MODULE", "its manifest is not of a form that this version knows", { file: elf.file, section: MANIFEST_SECTION });
  return parsed;
}

function isMade(value: unknown): value is Made {
  const all = (list: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(list) && list.every(is);
  const isText = (item: unknown): boolean => typeof item === "string";
  // Names become names of files.
  const isFile = (item: unknown): boolean => {
    const file = (item ?? {}) as { name?: unknown; text?: unknown };
    return typeof file.name === "string" && /^[^/]+$/.test(file.name) && !file.name.startsWith(".") && isText(file.text);
  };
  const made = (value ?? {}) as Partial<Record<keyof Made, unknown>>;
  return (
    all(made.patches, isFile) &&
    all(made.sources, (item) => isFile(item) && all((item as { beside?: unknown }).beside, isFile)) &&
    all(made.rebuild, isText) &&
    all(made.acceptLayouts, isText)
  );
}

/** Checks what is read from a file that others may have changed, as far as it is used. */
function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const m = value as Partial<Record<keyof Manifest, unknown>>;
  const kernel = m.kernel as { release?: unknown; buildId?: unknown } | undefined;
  const proof = m.proof as { proven?: unknown } | undefined;
  return (
    m.suture === 1 &&
    typeof m.name === "string" &&
    typeof m.contents === "string" &&
    typeof kernel?.release === "string" &&
    typeof kernel.buildId === "string" &&
    typeof proof?.proven === "boolean" &&
    (m.made === undefined || isMade(m.made)) &&
    [m.objects, m.functions, m.added, m.skipped, m.notes, m.symbols, m.inputs, m.fixes].every(Array.isArray) &&
    [m.callbacks, m.states].every((list) => list === undefined || Array.isArray(list))
  );
}
