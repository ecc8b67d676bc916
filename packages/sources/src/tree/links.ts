/**
 * What is worked in instead of somebody's tree, which is never written to: folders of links to all of its files but those that its build made
 * of C. make then tells how each of them is compiled, also where it was compiled already. Files that make may rewrite by itself are copies.
 */
import { createHash } from "node:crypto";
import { mkdirSync, statSync, symlinkSync } from "node:fs";
import { copyFile, lstat, rm, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Arch } from "@suture/arch";
import { run, type Task } from "@suture/task";
import { mortal } from "../cache/store.ts";
import type { PreparedTree } from "./prepared.ts";

interface Entry {
  kind: string;
  path: string;
  /** Changes whenever the file does. */
  state: string;
}

export interface Listing {
  /** A hash of the names and states of all that is linked to: another one for a tree that was edited. */
  state: string;
  source: readonly Entry[];
  outputs: readonly Entry[];
}

/** Files that the kernel's build makes and that make is to think are missing, or that are of no use. */
const MADE =
  /\.(?:o|a|ko|mod|mod\.c|cmd|o\.d|order|dwo|gcno|deb|ko\.(?:xz|zst|gz))$|(?:^|\/)(?:vmlinux(?:\.(?:unstripped|symvers|map|objs|relocs|bin(?:\.\w+)?))?|\.vmlinux\S*|\.tmp_\S*|System\.map|\.version|modules\.builtin\S*)$/;
/** Folders of which nothing is compiled: one link is enough for each. */
const WHOLE = /^(?:Documentation|LICENSES|samples|tools\/testing|arch\/[^/]+)(?=\/|$)/;
/** These are of the tree itself where the outputs are elsewhere. */
const OF_OUTPUTS = /^(?:Makefile|source|\.gitignore)$/;

/** Written by make itself when it thinks that they are old. */
const COPIED = [
  ".config",
  "Module.symvers",
  "include/config/auto.conf",
  "include/config/kernel.release",
  "include/generated/autoconf.h",
  "include/generated/rustc_cfg",
  "include/generated/utsrelease.h",
];

export async function listTree(task: Task, tree: PreparedTree, arch: Arch): Promise<Listing> {
  const image = basename(arch.kbuild.image);
  const isMade = (path: string): boolean => MADE.test(path) || basename(path) === image;
  const source = (await list(task, tree.source)).filter(({ path }) => !isMade(path));
  const outputs =
    tree.outputs === tree.source ? [] : (await list(task, tree.outputs)).filter(({ path }) => !isMade(path) && !OF_OUTPUTS.test(path));
  const hash = createHash("sha256");
  for (const [root, entries] of [[tree.source, source] as const, [tree.outputs, outputs] as const]) {
    hash.update(`${root}\0`);
    // A folder's times change with what the build makes in it.
    for (const { kind, path, state } of entries) hash.update(`${kind} ${path} ${kind === "d" ? "" : state}\0`);
  }
  return { state: hash.digest("hex"), source, outputs };
}

async function list(task: Task, root: string): Promise<Entry[]> {
  const argv = ["find", root, "-mindepth", "1", "-name", ".git", "-prune", "-o", "-printf", "%y %s:%T@:%C@ %P\\0"];
  const { stdout } = await run(task, mortal(...argv));
  return stdout
    .split("\0")
    .flatMap((line): Entry[] => {
      const [, kind, state, path] = /^(\S) (\S+) (.+)$/s.exec(line) ?? [];
      if (kind === undefined || state === undefined || path === undefined) return [];
      return [{ kind, path, state: kind === "l" ? `${state} ${behind(join(root, path))}` : state }];
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The state of the file that a link leads to. */
function behind(link: string): string {
  const found = statSync(link, { throwIfNoEntry: false, bigint: true });
  return found?.isFile() ? `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}` : "";
}

/** Fills the empty directory `into`. */
export async function linkTree(task: Task, tree: PreparedTree, arch: Arch, listing: Listing, into: string): Promise<void> {
  const copied = new Set(COPIED);
  const folders = new Set<string>();
  const taken = new Set<string>();
  const link = (root: string, entries: readonly Entry[]): void => {
    const linked = new Set<string>();
    for (const { kind, path } of entries) {
      const [found] = WHOLE.exec(path) ?? [];
      const whole = found === arch.kbuild.folder ? undefined : found;
      if (whole !== undefined && linked.has(whole)) continue;
      if (kind === "d" && whole === path && !folders.has(path)) {
        symlinkSync(join(root, path), join(into, path));
        linked.add(path);
      } else if (kind === "d") {
        if (!folders.has(path)) mkdirSync(join(into, path));
        folders.add(path);
      } else if ((kind === "f" || kind === "l") && !copied.has(path) && !taken.has(path)) {
        taken.add(path);
        symlinkSync(join(root, path), join(into, path));
      }
    }
    task.check();
  };
  // What the build made is in the outputs.
  link(tree.outputs, listing.outputs);
  link(tree.source, listing.source);
  for (const path of COPIED) {
    const from = join(tree.outputs, path);
    if ((await lstat(from).catch(() => undefined)) !== undefined) await copyFile(from, join(into, path));
  }
  // make does not ask who made the configuration, and finds all that was made from it to be newer.
  await rm(join(into, "include/config/auto.conf.cmd"), { force: true });
  await writeFile(join(into, "include/config/auto.conf.cmd"), "");
  const past = new Date("2000-01-01");
  await utimes(join(into, ".config"), past, past);
}
