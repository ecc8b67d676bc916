/**
 * Code of ours that runs when a livepatch comes and goes (packages/livepatch/c: live.c, redirect.c, members.c, again.c). What one livepatch needs of it is
 * one C file, and one callback of each kind that calls all: the livepatch core calls one for each object of the kernel.
 */
import { newObject, readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { Answers, againSource, liveSource, membersSource, type Part, redirectSource } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { compileAuthored } from "./compile.ts";
import { takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";

const FILE = "suture_means.c";

/** What the differ wrote of one object: the symbol, and how many entries it has. */
export interface OwnedTable {
  /** "vmlinux" or a module. */
  owner: string;
  table: string;
  count: number;
}

export interface Means {
  /** Words of the kernel's variables. */
  live: readonly OwnedTable[];
  /** Functions that probes redirect. */
  redirects: readonly OwnedTable[];
  /** Numbers of the states of members beside objects. */
  members: readonly number[];
  /** Modules that are to go and come again, on a kernel that does not let them by itself. */
  again: readonly string[];
}

/** One of the means: its code, the list that it includes, and what it does in each callback. */
interface Code {
  file: string;
  source: string;
  list: { name: string; text: string };
  owners: readonly string[];
  prePatch?: string;
  /** Where another's `prePatch` refuses. */
  refused?: string;
  postPatch?: string;
  preUnpatch?: string;
  postUnpatch?: string;
}

/**
 * One part holds the code; those of modules say that it runs for them too. They go before all others: the livepatch core calls vmlinux's callbacks first,
 * which tell the others when a transition begins and ends.
 * @param module the livepatch's name as the kernel has it
 * @returns nothing where nothing else is done
 */
export async function meansParts(task: Task, kernel: KernelContext, means: Means, module: string): Promise<Part[]> {
  const codes = codesOf(kernel, means);
  if (codes.length === 0) return [];
  const owners = [...new Set(codes.flatMap((code) => code.owners))];
  const beside = codes.flatMap(({ file, source, list }) => [
    { name: file, bytes: Buffer.from(source) },
    { name: list.name, bytes: Buffer.from(list.text) },
  ]);
  const source = { name: FILE, bytes: Buffer.from(sourceOf(codes)), folder: undefined, beside };
  const object = readElf(await compileAuthored(task, kernel, source, module), FILE);
  const { callbacks } = takeDeclarations(object);
  return ["vmlinux", ...owners.filter((owner) => owner !== "vmlinux")].map((owner, i): Part => {
    const code = i === 0 ? object : newObject(FILE, object);
    return {
      object: FILE,
      owner: owner === "vmlinux" ? kernel.symbolSources.vmlinux : new Answers(owner),
      delta: {
        object: code,
        functions: [],
        callbacks: callbacks.filter((one) => one.object === owner).map(({ kind, name, symbol }) => ({ kind, name, symbol })),
        externals: code.symbols
          // The module itself is nobody's but its own.
          .filter(({ place, name }) => place === "undef" && name !== "" && name !== "__this_module")
          .map((symbol) => ({ symbol, original: undefined })),
        exposed: [],
      },
      locate: (symbol) => {
        throw fail("AUTHORED_MISSING", "the kernel's symbols are not named there", { symbol: symbol.name });
      },
    };
  });
}

/** In the order in which they come into effect: what may be refused and has to be undone is the last. They go in the opposite order. */
function codesOf(kernel: KernelContext, { live, redirects, members, again }: Means): Code[] {
  const codes: Code[] = [];
  // When the module goes, after all others.
  if (again.length > 0)
    codes.push({
      file: "suture_again.c",
      source: againSource(),
      list: { name: "suture_again_list.h", text: sizesOf(kernel) },
      owners: again,
      refused: "suture_again_clear",
      postUnpatch: "suture_again_gone",
    });
  if (live.length > 0)
    codes.push({
      file: "suture_live.c",
      source: liveSource(),
      list: { name: "suture_live_lists.h", text: liveList(live) },
      owners: ownersOf(live),
      prePatch: "suture_live_look",
      postPatch: "suture_live_put",
      preUnpatch: "suture_live_put_back",
    });
  if (members.length > 0)
    codes.push({
      file: "suture_members.c",
      source: membersSource(),
      list: { name: "suture_members_list.h", text: memberList(members) },
      owners: ["vmlinux"],
      prePatch: "suture_members_pre_patch",
      postPatch: "suture_members_post_patch",
      preUnpatch: "suture_members_pre_unpatch",
      postUnpatch: "suture_members_post_unpatch",
    });
  if (redirects.length > 0)
    codes.push({
      file: "suture_redirect.c",
      source: redirectSource(),
      list: { name: "suture_redirect_lists.h", text: redirectList(redirects) },
      owners: ownersOf(redirects),
      prePatch: "suture_redirect_prepare",
      postPatch: "suture_redirect_arm",
      preUnpatch: "suture_redirect_disarm",
      postUnpatch: "suture_redirect_remove",
    });
  return codes;
}

/** Those of vmlinux tell the others when a transition begins and ends. */
const ownersOf = (tables: readonly OwnedTable[]): string[] => ["vmlinux", ...tables.map(({ owner }) => owner)];

const quoted = (owner: string): string => (owner === "vmlinux" ? "NULL" : `"${owner}"`);

function liveList(tables: readonly OwnedTable[]): string {
  return [
    ...tables.map(({ table }) => `extern struct suture_live_word ${table}[];`),
    "static const struct suture_live_list suture_live_lists[] = {",
    ...tables.map(({ owner, table, count }) => `\t{ ${quoted(owner)}, ${table}, ${count} },`),
    "};",
    "",
  ].join("\n");
}

function redirectList(tables: readonly OwnedTable[]): string {
  let first = 0;
  const rows = tables.map(({ owner, table, count }) => {
    const row = `\t{ ${quoted(owner)}, ${table}, ${count}, ${first} },`;
    first += count;
    return row;
  });
  return [
    `#define SUTURE_REDIRECTS ${first}`,
    ...tables.map(({ table }) => `extern struct suture_redirect ${table}[];`),
    "static const struct suture_redirect_list suture_redirect_lists[] = {",
    ...rows,
    "};",
    "",
  ].join("\n");
}

function memberList(states: readonly number[]): string {
  return `static struct suture_member suture_members[] = {\n${states.map((id) => `\t{ .id = ${id}ul },\n`).join("")}};\n`;
}

/** Bytes of what the module loader fills in, by the type of the reference. */
function sizesOf({ target }: KernelContext): string {
  const { loadable, fieldSize } = target.arch.relocations;
  return [
    "static unsigned int suture_again_bytes(unsigned int type)",
    "{",
    "\tswitch (type) {",
    ...[...loadable].flatMap((type) => [`\tcase ${type}:`, `\t\treturn ${fieldSize(type) ?? 0};`]),
    "\t}",
    "\treturn 0;",
    "}",
    "",
  ].join("\n");
}

const CALLBACKS = [
  ["prePatch", "SUTURE_PRE_PATCH", "pre_patch"],
  ["postPatch", "SUTURE_POST_PATCH", "post_patch"],
  ["preUnpatch", "SUTURE_PRE_UNPATCH", "pre_unpatch"],
  ["postUnpatch", "SUTURE_POST_UNPATCH", "post_unpatch"],
] as const;

function sourceOf(codes: readonly Code[]): string {
  const backwards = [...codes].reverse();
  const callback = (name: string, called: readonly (string | undefined)[]): string[] => [
    `static void __maybe_unused suture_means_${name}(struct klp_object *obj)`,
    "{",
    ...called.flatMap((one) => (one === undefined ? [] : [`\t${one}(obj);`])),
    "}",
    "",
  ];
  return [
    ...codes.map(({ file }) => `#include "${file}"`),
    "",
    "static int __maybe_unused suture_means_pre_patch(struct klp_object *obj)",
    "{",
    "\tint error = 0;",
    "",
    ...codes.flatMap(({ prePatch }) => (prePatch === undefined ? [] : ["\tif (!error)", `\t\terror = ${prePatch}(obj);`])),
    ...codes.flatMap(({ refused }) => (refused === undefined ? [] : ["\tif (error)", `\t\t${refused}(obj);`])),
    "\treturn error;",
    "}",
    "",
    ...callback(
      "post_patch",
      codes.map(({ postPatch }) => postPatch),
    ),
    ...callback(
      "pre_unpatch",
      backwards.map(({ preUnpatch }) => preUnpatch),
    ),
    ...callback(
      "post_unpatch",
      backwards.map(({ postUnpatch }) => postUnpatch),
    ),
    ...CALLBACKS.flatMap(([kind, macro, name]) => {
      const owners = codes.flatMap((code) => (code[kind] === undefined ? [] : code.owners));
      return [...new Set(owners)].map((owner) => `${macro}("${owner}", suture_means_${name});`);
    }),
    "",
  ].join("\n");
}
