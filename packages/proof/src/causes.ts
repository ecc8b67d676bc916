/** Why an object differs from the kernel's code: what the two say of themselves settles it, or else the way in which they differ suggests it. */
import type { ElfObject, ElfSymbol } from "@suture/elf";
import { KernelImage, type KernelModule } from "@suture/kernel";
import { fieldsOf, isFunction, type Part, type Parts } from "./items.ts";
import type { Built, Cause, FunctionProof, Overridden } from "./model.ts";
import type { RunningCode } from "./running-code.ts";

export interface Differing {
  plain: ElfObject;
  parts: Parts;
  running: RunningCode;
  against: KernelImage | KernelModule;
  built: Built;
  functions: readonly FunctionProof[];
  overridden: readonly Overridden[];
}

/** The likeliest first. */
export function causesOf(differing: Differing): Cause[] {
  const { functions, overridden } = differing;
  const wrong = functions.filter(({ proven, doubts }) => !proven && doubts[0]?.code !== "overridden");
  const causes: Cause[] = [];
  if (wrong.length > 0) {
    causes.push(...[compiler, context, objtool, source, configuration].flatMap((ask) => ask(differing) ?? []));
    if (causes.length === 0) causes.push(...guess(differing, wrong));
  }
  for (const { name, by } of overridden) causes.push(certain("override", `${name} is weak, and the kernel runs ${by}`));
  return causes;
}

function certain(kind: Cause["kind"], why: string): Cause {
  return { kind, why, certain: true };
}

function compiler({ plain, against, built }: Differing): Cause | undefined {
  const theirs = against instanceof KernelImage ? against.banner : comments(against.elf).join("\n");
  const ours = [...comments(plain), ...(built.compiler === undefined ? [] : [built.compiler])].map(versionOf);
  const other = ours.find((version) => version !== "" && theirs !== "" && !theirs.includes(version));
  if (other === undefined) return undefined;
  const kernel =
    against instanceof KernelImage ? (/\((\S+ \([^)]*\) [^,)]*)/.exec(theirs)?.[1] ?? theirs) : (comments(against.elf)[0] ?? "");
  return certain("compiler", `the object was compiled by ${other}, the kernel by ${kernel}`);
}

/** "gcc-12 (Debian 12.2.0-14) 12.2.0" and "GCC: (Debian 12.2.0-14) 12.2.0" → "(Debian 12.2.0-14) 12.2.0" */
function versionOf(text: string): string {
  return text.slice(Math.max(text.indexOf("("), 0)).trim();
}

function comments(elf: ElfObject): string[] {
  const section = elf.sections.find(({ name }) => name === ".comment");
  const texts = Buffer.from(section?.data ?? [])
    .toString("latin1")
    .split("\0");
  return [...new Set(texts.filter((text) => text.startsWith("GCC: ")))];
}

/** objtool describes the stack of all code that it has seen. */
function objtool({ parts, running }: Differing): Cause | undefined {
  const unwinding = parts.arch.tables.all.find(({ beside }) => beside !== undefined);
  if (unwinding === undefined || !parts.all.some(({ role }) => role === "code")) return undefined;
  if (parts.all.some(({ section }) => section.name === unwinding.section && section.size > 0)) return undefined;
  // The kernel's table is read last: it is megabytes.
  if (running.table(unwinding) === undefined) return undefined;
  return certain(
    "objtool",
    `the object has no ${unwinding.section}: objtool did not run on it, or gave up, as on code of vmlinux compiled with -DMODULE`,
  );
}

function context({ plain, against }: Differing): Cause | undefined {
  const asModule = plain.symbols.some(({ name }) => name === "__this_module" || name === "init_module" || name === "cleanup_module");
  const asBuiltIn = plain.sections.some(({ name, size }) => /^\.(initcall.*|con_initcall)\.init$/.test(name) && size > 0);
  if (against instanceof KernelImage)
    return asModule ? certain("context", "the object was compiled as part of a module (-DMODULE), and vmlinux holds it") : undefined;
  return asBuiltIn && !asModule
    ? certain("context", `the object was compiled as part of vmlinux (without -DMODULE), and ${against.name} holds it`)
    : undefined;
}

function source({ against, built }: Differing): Cause | undefined {
  const release = against instanceof KernelImage ? against.release : (against.modinfo.get("vermagic")?.[0]?.split(" ")[0] ?? built.release);
  if (built.release !== undefined && built.release !== release)
    return certain("source", `the source is made ready for ${built.release}, the kernel is ${release}`);
  if (built.source !== undefined && against instanceof KernelImage && !against.banner.includes(built.source))
    return certain("source", `the source is of ${built.source}, the kernel says of itself: ${against.banner}`);
  return undefined;
}

function configuration({ built }: Differing): Cause | undefined {
  const [first, ...more] = built.options ?? [];
  if (first === undefined) return undefined;
  return certain(
    "configuration",
    `${[first, ...more].slice(0, 5).join(", ")}${more.length > 4 ? ` and ${more.length - 4} more options` : ""} not as in the kernel's own configuration`,
  );
}

/** By how many functions differ, and how. */
function guess({ parts, running }: Differing, wrong: readonly FunctionProof[]): Cause[] {
  let same = 0;
  const otherCode: string[] = [];
  const otherNumbers: string[] = [];
  for (const part of parts.all) {
    if (part.role !== "code") continue;
    for (const symbol of part.symbols) {
      const how = isFunction(symbol) && symbol.size > 0 ? resemblance(part, symbol, running) : undefined;
      if (how === "same") same++;
      else if (how !== undefined) (how === "other" ? otherCode : otherNumbers).push(symbol.name);
    }
  }
  const differing = otherCode.length + otherNumbers.length;
  const few = names(differing > 0 ? [...otherCode, ...otherNumbers] : wrong.map(({ name }) => name));
  const of = `${differing} of ${differing + same} functions`;
  const configured: Cause = { kind: "configuration", why: `${of} differ, such as ${few}: an option may be set otherwise`, certain: false };
  const sourced: Cause = {
    kind: "source",
    why: `${differing > 0 ? of : "data"} of ${few} differ: the source may be of another version`,
    certain: false,
  };
  const optioned: Cause = { kind: "options", why: `${of} differ in their instructions: compiled with other options`, certain: false };
  if (otherCode.length > same && otherCode.length >= (same === 0 ? 2 : MANY)) return [optioned, configured, sourced];
  if (otherNumbers.length > otherCode.length && otherNumbers.length > 1) return [configured, sourced];
  return [sourced, configured];
}

/** Functions with other instructions, from which on it is not the source that changed, though some are the same. */
const MANY = 4;

function names(list: readonly string[]): string {
  return list.length <= 3 ? list.join(", ") : `${list.slice(0, 3).join(", ")} and ${list.length - 3} more`;
}

/** How a function resembles the kernel's of that name; "other" if there is none. */
function resemblance(part: Part, { name, value, size }: ElfSymbol, running: RunningCode): "same" | "operands" | "other" | undefined {
  const [address, ...more] = running.named(name);
  if (more.length > 0) return undefined;
  const kernel = address === undefined ? undefined : running.read(address, size);
  if (kernel === undefined) return "other";
  const relocations = part.relocations.filter(({ offset }) => offset >= value && offset < value + size);
  return part.arch.code.likeness(
    { code: part.section.data.subarray(value, value + size), fields: fieldsOf(part.arch, relocations, value) },
    kernel,
  );
}
