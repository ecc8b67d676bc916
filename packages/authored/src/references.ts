/**
 * What sources written by hand refer to and do not define: exported by the kernel, and so left to the module loader; or a symbol of the kernel
 * or of a module that the livepatch is for, which the livepatch core finds. A symbol is taken by its name alone only where no other has it.
 */
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, relocationSections, STT } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import type { KernelAddress } from "@suture/kernel";
import { klpSymbolName, PATCH_SYMBOL, type Place, type Resolved, withUser } from "@suture/livepatch";
import type { Task } from "@suture/task";
import type { NamedSymbol } from "./declarations.ts";
import { fail } from "./errors.ts";
import { definedIn, goneAfterInit, type Original, type Originals } from "./originals.ts";

export interface ReferenceInput {
  elf: ElfObject;
  /** What <suture.h> says of names. */
  symbols: readonly NamedSymbol[];
  /** Modules that the livepatch replaces functions of. */
  modules: readonly string[];
}

/** A symbol of the kernel, and what it is there. */
interface Candidate {
  owner: string;
  place: Place;
  isFunction: boolean;
  original?: Original;
  /** The memory of what only the boot needs is used for something else afterwards. */
  gone?: boolean;
}

export interface ResolvedReference extends Resolved {
  isFunction: boolean;
  /** The object that defines it, where that was looked for: it was for all variables. */
  original?: Original;
}

/** Gives every symbol that the livepatch core is to find the name by which it does. @throws AUTHORED_* */
export async function resolveReferences(
  task: Task,
  kernel: KernelContext,
  originals: Originals,
  input: ReferenceInput,
): Promise<ResolvedReference[]> {
  const { elf, symbols, modules } = input;
  const used = new Set([...relocationSections(elf).values()].flat().flatMap((table) => table.relocations.map(({ symbol }) => symbol)));
  elf.symbols = elf.symbols.filter((symbol) => symbol.place !== "undef" || used.has(symbol));
  const defined = new Set(elf.symbols.filter(({ place }) => isSection(place)).map(({ name }) => name));
  for (const { local, at } of symbols)
    if (defined.has(local)) throw fail("AUTHORED_DECLARATION", `${local} is defined in the file itself`, { file: at, symbol: local });
  const resolved: ResolvedReference[] = [];
  for (const symbol of elf.symbols.filter(
    ({ place, name }) => place === "undef" && name !== "" && name !== PATCH_SYMBOL && name !== "__this_module",
  )) {
    const { name } = symbol;
    const declared = symbols.find(({ local }) => local === name);
    const exported = kernel.symbolSources.kernel.exports.get(name);
    if (declared === undefined && exported?.module === "vmlinux" && exported.namespace === "") {
      resolved.push({ name, how: "exported", object: undefined, sympos: undefined, symbol: name, isFunction: false });
      continue;
    }
    const found = declared === undefined ? await byName(task, kernel, elf, name, modules) : await asDeclared(originals, declared);
    const klp = klpSymbolName({ object: found.owner, ...found.place });
    symbol.name =
      found.owner === "vmlinux" || modules.includes(found.owner)
        ? klp
        : withUser(klp, await userOf(task, kernel, elf, found.owner, name, modules));
    checkEarly(elf, symbol, found.owner, name);
    const original = found.original ?? (found.isFunction ? undefined : await definitionOf(task, kernel, originals, elf, found));
    resolved.push({
      name,
      how: "klp",
      object: found.owner,
      sympos: found.place.sympos,
      symbol: klp,
      isFunction: found.isFunction,
      ...(original === undefined ? {} : { original }),
    });
  }
  return resolved;
}

async function asDeclared(originals: Originals, wanted: NamedSymbol): Promise<Candidate> {
  const { original, symbol, place } = await originals.find(wanted);
  return { owner: wanted.object, place, isFunction: symbol.type === STT.FUNC, original };
}

/** A variable's object, where its source shows which it is: to hold its type against what was declared. */
async function definitionOf(
  task: Task,
  kernel: KernelContext,
  originals: Originals,
  elf: ElfObject,
  { owner, place }: Candidate,
): Promise<Original | undefined> {
  const { name } = place;
  const unchecked = (why: string): undefined => {
    task.reporter.warn(`${elf.file}: whether ${name} is of the type that is declared was not checked: ${why}`);
  };
  const objects = await definedIn(task, kernel, owner, name);
  if (objects.length !== 1) return unchecked("no single C file seems to define it");
  try {
    return (await originals.find({ at: elf.file, object: owner, name, file: undefined })).original;
  } catch (error) {
    // Some objects are made by steps of the kernel's build that need the whole of it.
    if (!(error instanceof SutureError) || error.code !== "BUILD_COMPILE") throw error;
    return unchecked(`${objects[0]} cannot be compiled alone`);
  }
}

async function byName(task: Task, kernel: KernelContext, elf: ElfObject, name: string, modules: readonly string[]): Promise<Candidate> {
  const { symbols } = kernel.image;
  const found: Candidate[] = symbols.named(name).map((symbol) => ({
    owner: "vmlinux",
    place: { name, sympos: symbols.sympos(symbol) },
    isFunction: /^[tTwW]$/.test(symbol.type),
    gone: isInit(kernel, symbol.address),
  }));
  const exporter = kernel.symbolSources.kernel.exports.get(name)?.module;
  const from = exporter === undefined || exporter === "vmlinux" ? [] : [exporter.slice(exporter.lastIndexOf("/") + 1).replaceAll("-", "_")];
  for (const owner of new Set([...modules, ...from])) {
    const module = await kernel.module(task, owner);
    for (const symbol of module.named(name).filter(({ place, type }) => isSection(place) && type !== STT.SECTION))
      found.push({ owner, place: { name, sympos: module.sympos(symbol) }, isFunction: symbol.type === STT.FUNC });
  }
  const [only] = found;
  const where = { file: elf.file, symbol: name };
  if (only === undefined) throw missing(kernel, elf.file, name, modules);
  if (found.length > 1) {
    const owners = [...new Set(found.map(({ owner }) => owner))];
    const files = (
      await Promise.all(
        owners.map(async (owner) =>
          (await definedIn(task, kernel, owner, name)).map((object) => ({ owner, file: kernel.commands.of(object).source })),
        ),
      )
    ).flat();
    const [first] = files;
    throw fail(
      "AUTHORED_AMBIGUOUS",
      `${found.length} symbols are named ${name} (${owners.join(", ")})${files.length === 0 ? "" : `; it may be that of ${files.map(({ file }) => file).join(", ")}`}`,
      where,
      { mend: `Say which: SUTURE_SYMBOL(${name}, "${first?.owner ?? only.owner}", "${first?.file ?? "FILE"}", ${name});` },
    );
  }
  if (only.gone === true) throw goneAfterInit({ at: elf.file, name, object: only.owner });
  return only;
}

function isInit({ image }: KernelContext, address: KernelAddress): boolean {
  const [begin] = image.symbols.named("__init_begin");
  const [end] = image.symbols.named("__init_end");
  return begin !== undefined && end !== undefined && address >= begin.address && address < end.address;
}

function missing(kernel: KernelContext, file: string, name: string, modules: readonly string[]): Error {
  const made = ["isra.0", "constprop.0", "part.0"]
    .map((suffix) => `${name}.${suffix}`)
    .filter((clone) => kernel.image.symbols.named(clone).length > 0);
  const places = ["the kernel", ...modules].join(", ");
  const why =
    made.length > 0 ? `the compiler made ${made.join(", ")} of it, which takes other parameters` : `no symbol of that name is in ${places}`;
  return fail(
    "AUTHORED_MISSING",
    `${name} is neither defined nor the kernel's: ${why}`,
    { file, symbol: name },
    made.length > 0
      ? { mend: "Copy the function into the file, from the kernel's source." }
      : { mend: `Correct the name; or, if it belongs to another module, say so: SUTURE_SYMBOL(${name}, MODULE, FILE, ${name});` },
  );
}

/** Another module's symbol can be found when a module that needs it is loaded: its relocations are applied with that one. */
async function userOf(
  task: Task,
  kernel: KernelContext,
  elf: ElfObject,
  owner: string,
  name: string,
  modules: readonly string[],
): Promise<string> {
  for (const module of modules) {
    const depends = (await kernel.module(task, module)).modinfo.get("depends")?.[0]?.split(",") ?? [];
    if (depends.map((each) => each.replaceAll("-", "_")).includes(owner)) return module;
  }
  throw fail(
    "AUTHORED_MISSING",
    `${name} is in the module ${owner}, which may not be loaded when this code runs`,
    { file: elf.file, symbol: name },
    {
      mend: `Replace a function of ${owner} or of a module that needs it in the same file, or do without ${name}.`,
    },
  );
}

/** Tables that the kernel reads before a module may be there. @throws AUTHORED_EARLY */
function checkEarly(elf: ElfObject, symbol: ElfSymbol, owner: string, name: string): void {
  if (owner === "vmlinux") return;
  for (const [target, tables] of relocationSections(elf))
    if (archOf(elf).tables.early.includes(target.name) && tables.some((table) => table.relocations.some((r) => r.symbol === symbol)))
      throw fail(
        "AUTHORED_EARLY",
        `${name} of ${owner} is named in ${target.name}, which the kernel reads when the livepatch is loaded, before ${owner} may be there`,
        { file: elf.file, symbol: name },
      );
}
