/**
 * How the kernel's own build compiles each of its objects: the command lines that make would run for the whole kernel, asked for once per
 * kernel with `make -n` and kept. An object is compiled by running its line with another output, which is what kbuild does without its
 * overhead. The lines that save them have the form `scripts/basic/fixdep DEPFILE fs/pipe.o 'gcc-12 ... -c -o fs/pipe.o fs/pipe.c ;
 * ./tools/objtool/objtool ... fs/pipe.o' > FILE` (scripts/Kbuild.include, cmd_and_fixdep). In older kernels a line of its own follows for
 * objtool (rule_cc_o_c of scripts/Makefile.build). Kernels with IBT pass no single object through objtool, but what they link of them
 * (delay-objtool in scripts/Makefile.lib): its arguments are then those of the links of modules.
 */
import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { gunzipWithin, literally } from "@suture/files";
import { moduleName } from "@suture/livepatch";
import type { Target } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { keepRows, readRows } from "./kept-rows.ts";
import { keyOf } from "./key.ts";
import { makeRow, type Row } from "./row.ts";
import { type OtherProgram, type Printed, type Step, stepsOf } from "./steps.ts";

export interface ObjectCommand {
  /** Path in the source tree. */
  object: string;
  source: string;
  /** "vmlinux", or the name of the module as the kernel has it. */
  owner: string;
  /** The shell commands, to be run in the source tree; they write `object` and `depfile`. */
  compile: string;
  depfile: string;
  /** To be run when it is compiled; where the build waits for the link, as for the link. Undefined where objtool has no part in the build. */
  objtool: string | undefined;
  /** Where the kernel's build had the source, if compiled code says that. */
  buildPath: string | undefined;
  /** The compiler can write types down as BTF. */
  writesBtf: boolean;
}

/** What holds of all objects of a kernel. */
export type Circumstances = Pick<ObjectCommand, "buildPath" | "writesBtf">;

interface Index {
  rows: ReadonlyMap<string, Row>;
  bySource: ReadonlyMap<string, readonly string[]>;
}

function indexOf(rows: readonly Row[]): Index {
  const bySource = new Map<string, string[]>();
  for (const { object, source } of rows) {
    const list = bySource.get(source);
    if (list === undefined) bySource.set(source, [object]);
    else list.push(object);
  }
  return { rows: new Map(rows.map((row) => [row.object, row])), bySource };
}

/** The owner of an object that is linked more than once. No module has this name. */
const SEVERAL = "";

export class Commands {
  readonly #index: Index;
  #groups: readonly { folders: ReadonlySet<string>; sources: ReadonlySet<string> }[] | undefined;
  /** What the build makes besides the objects of C files. */
  readonly steps: readonly Step[];
  readonly #programs: readonly OtherProgram[];
  readonly circumstances: Circumstances;

  constructor(
    rows: readonly Row[] | Index,
    { steps, programs }: Printed = { steps: [], programs: [] },
    circumstances: Circumstances = { buildPath: undefined, writesBtf: true },
  ) {
    this.circumstances = circumstances;
    this.steps = steps;
    this.#programs = programs;
    this.#index = "bySource" in rows ? rows : indexOf(rows);
  }

  get #rows(): ReadonlyMap<string, Row> {
    return this.#index.rows;
  }

  /** The same, where something else holds. */
  under(circumstances: Circumstances): Commands {
    return new Commands(this.#index, { steps: [...this.steps], programs: [...this.#programs] }, circumstances);
  }

  get objects(): string[] {
    return [...this.#rows.keys()];
  }

  /** Objects by the folders that their compiler looks in for what is included: few sets for all. */
  byIncludeFolders(): readonly { folders: ReadonlySet<string>; sources: ReadonlySet<string> }[] {
    this.#groups ??= this.#grouped();
    return this.#groups;
  }

  #grouped(): { folders: ReadonlySet<string>; sources: ReadonlySet<string> }[] {
    const groups = new Map<string, { folders: Set<string>; sources: Set<string> }>();
    const keys = new Map<readonly string[], string>();
    for (const { source, folders } of this.#rows.values()) {
      const key = keys.get(folders) ?? folders.join(" ");
      keys.set(folders, key);
      const group = groups.get(key) ?? { folders: new Set(folders), sources: new Set<string>() };
      group.sources.add(source);
      groups.set(key, group);
    }
    return [...groups.values()];
  }

  /** Files that compilers are told to include before all others. */
  get forced(): string[] {
    return [...new Set([...this.#rows.values()].flatMap(({ compile }) => forcedOf(compile)))];
  }

  /** Those of a C file. */
  forcedBy(source: string): string[] {
    const [object] = this.ofSource(source);
    return forcedOf(this.#rows.get(object ?? "")?.compile ?? "");
  }

  /** What they are linked into: "vmlinux" and modules; without those that are linked into several. */
  get owners(): Set<string> {
    return new Set([...this.#rows.values()].map(({ owner }) => owner).filter((owner) => owner !== SEVERAL));
  }

  /** How objtool is run for an object of a module where the build waits for the link; empty where it does not. */
  delayedObjtool(object: string): string {
    const known = [...this.#rows.values()].find(({ owner, objtool }) => owner !== "vmlinux" && /\s--link\s/.test(objtool));
    return known === undefined ? "" : `${known.objtool.slice(0, -known.object.length)}${object}`;
  }

  /** Those that the kernel itself is linked of, and no module. */
  get builtIn(): string[] {
    return this.ownedBy("vmlinux");
  }

  /** Those that only "vmlinux" or the module of that name is linked of. */
  ownedBy(owner: string): string[] {
    return [...this.#rows.values()].filter((row) => row.owner === owner).map(({ object }) => object);
  }

  /** "vmlinux" or a module; undefined for an object of several, or none. */
  ownerOf(object: string): string | undefined {
    const owner = this.#rows.get(object)?.owner;
    return owner === SEVERAL ? undefined : owner;
  }

  /** The program that the kernel carries as data, if the object is of one: the vDSO, purgatory, code of the boot. */
  programOf(object: string): string | undefined {
    const path = normalize(object);
    const linked = this.#programs.find(([, objects]) => objects.includes(path))?.[0];
    const { compile = "" } = this.#rows.get(object) ?? {};
    return linked ?? (/\s-m(?:16|32)\s/.test(compile) ? object.slice(0, object.lastIndexOf("/")) : undefined);
  }

  /** Folders that the path of an object goes through and out of again: arch/ARCH/kvm in arch/ARCH/kvm/../../../virt/kvm/kvm_main.o. */
  get detours(): string[] {
    return [...new Set([...this.#rows.keys()].flatMap((object) => /^(.+?)\/\.\.\//.exec(object)?.[1] ?? []))].sort();
  }

  /** Every C file that an object is compiled from. */
  get sources(): string[] {
    return [...this.#index.bySource.keys()];
  }

  /** The objects that are compiled from a C file itself. */
  ofSource(source: string): readonly string[] {
    return this.#index.bySource.get(source) ?? [];
  }

  /** Also of an object that is linked more than once. @throws BUILD_KBUILD */
  rowOf(object: string): ObjectCommand {
    return this.#command(object);
  }

  /** @throws BUILD_KBUILD, BUILD_SEVERAL_OWNERS */
  of(object: string): ObjectCommand {
    const command = this.#command(object);
    if (command.owner === SEVERAL)
      throw fail("BUILD_SEVERAL_OWNERS", "several modules, or a module and the kernel, are linked with it", { file: object });
    return command;
  }

  #command(object: string): ObjectCommand {
    const row = this.#rows.get(object);
    if (row === undefined) throw fail("BUILD_KBUILD", "the kernel is not built from such an object", { file: object });
    const { source, owner, compile, objtool } = row;
    const slash = object.lastIndexOf("/");
    const depfile = `${object.slice(0, slash + 1)}.${object.slice(slash + 1)}.d`;
    // Where objtool waits for the link of the kernel, other programs do not come by.
    const checked = objtool === "" || this.programOf(object) !== undefined ? undefined : objtool;
    return { object, source, owner, compile, depfile, objtool: checked, ...this.circumstances };
  }
}

/** Bytes of what make prints for a whole kernel: ten times what it is for those of Debian. */
const LARGEST = 2 ** 30;

/** To be raised with every change to what is kept. */
const VERSION = 7;

/** @param compiler its identity: the build asks it what it can do. @throws BUILD_KBUILD */
export async function commandsOf(task: Task, target: Target, cache: string, compiler: string): Promise<Commands> {
  const asked = target.dryRun === undefined ? [compiler] : [];
  const path = join(cache, `${keyOf(target, ["commands", VERSION, ...asked])}.rows`);
  const kept = await readRows(path);
  if (kept !== undefined) return new Commands(kept.rows, kept.printed);
  return task.stage("rules", async (stage) => {
    stage.note("asking the kernel's build how each object is compiled");
    const text = await ask(task, target);
    const [rows, printed] = [rowsOf(text), stepsOf(text)];
    if (rows.length === 0) throw fail("BUILD_KBUILD", "make -n printed no command that compiles an object", { file: target.tree });
    await keepRows(task, path, rows, printed);
    stage.result(`${rows.length} objects`);
    return new Commands(rows, printed);
  });
}

/** What make printed when the tree was made ready, or prints now. */
async function ask(task: Task, target: Target): Promise<string> {
  if (target.dryRun !== undefined) return (await gunzipWithin(await readFile(target.dryRun), LARGEST)).toString();
  // Objects whose own sources are made by the build may be missing: make says so, goes on, and ends with 2.
  const argv = ["make", "-n", "-k", "-j1", "V=1", ...target.make, "vmlinux", "modules"];
  const { stdout } = await run(task, argv, { cwd: target.tree, accept: [1, 2] });
  return stdout;
}

/** What make -n printed → the C objects in order. */
export function rowsOf(printed: string): Row[] {
  const rows = new Map<string, Row>();
  let delayed: string | undefined;
  for (const line of printed.split("\n")) {
    delayed ??= delayedObjtool(line);
    const row = rowOf(line);
    if (row === undefined) {
      const [, objtool, object = ""] = ownObjtool(line) ?? [];
      const compiled = rows.get(object);
      if (objtool !== undefined && compiled !== undefined) rows.set(object, { ...compiled, objtool });
      continue;
    }
    const isOfSeveral = (rows.get(row.object)?.owner ?? row.owner) !== row.owner;
    rows.set(row.object, isOfSeveral ? { ...row, owner: SEVERAL } : row);
  }
  const found = [...rows.values()].sort((a, b) => (a.object < b.object ? -1 : 1));
  return delayed === undefined ? found : found.map((row) => (row.objtool === "" ? { ...row, objtool: objtoolOf(delayed, row) } : row));
}

/** objtool as the last command of a line, which does nothing else: the whole of it, and the object. */
function ownObjtool(line: string): RegExpExecArray | null {
  return line.includes("--link") ? null : /(?:^|;)\s*(\S*\/objtool\s[^;']*?\s(\S+\.o))\s*$/.exec(line);
}

/** The command, without the object, that make prints at the link of a module if objtool waits for that. */
function delayedObjtool(line: string): string | undefined {
  return /;\s*(\S*objtool [^;']*--link\b[^;']*?)\s+\S+\.o\s*'/.exec(line)?.[1];
}

/** vmlinux.o has the same arguments but for --module, and checks that change nothing (scripts/Makefile.vmlinux_o). */
function objtoolOf(delayed: string, { object, owner }: Row): string {
  return `${owner === "vmlinux" ? delayed.replace(/\s+--module(?=\s|$)/, "") : delayed} ${object}`;
}

function forcedOf(compile: string): string[] {
  return [...compile.matchAll(/\s-include\s+(\S+)/g)].map(([, path = ""]) => normalize(path));
}

/** A line of make's that saves a command: scripts/basic/fixdep DEPFILE OBJECT 'COMMAND' > FILE */
function rowOf(line: string): Row | undefined {
  const start = /scripts\/basic\/fixdep \S+ (\S+\.o) '/.exec(line);
  const object = start?.[1];
  if (start === null || object === undefined) return undefined;
  const from = start.index + start[0].length;
  const to = line.indexOf("' > ", from);
  if (to < 0) return undefined;
  // Written for the shell in single quotes, and for make in the file that it goes to.
  const command = line.slice(from, to).replaceAll("'\\''", "'").replaceAll("$(pound)", "#").replaceAll("$$", "$");
  const [compile = "", ...rest] = command.split(/\s*;\s*(?=\S*objtool )/);
  const source = new RegExp(` -c -o ${literally(object)} (\\S+\\.c)\\s*$`).exec(compile)?.[1];
  if (source === undefined) return undefined;
  return makeRow({
    object,
    source: normalize(source),
    owner: ownerOf(compile, object),
    compile: compile.trim(),
    objtool: rest.join(" ; ").trim(),
  });
}

/** -DKBUILD_MODNAME='"intel_uncore"' names the module as the kernel has it, or several with colons between; -DMODULE says that it is one. */
function ownerOf(compile: string, object: string): string {
  if (!/\s-DMODULE(?=\s|$)/.test(compile)) return "vmlinux";
  const name = /-DKBUILD_MODNAME='"([^"]*)"'/.exec(compile)?.[1] ?? moduleName(object.slice(object.lastIndexOf("/") + 1, -2));
  return name.includes(":") ? SEVERAL : name;
}
