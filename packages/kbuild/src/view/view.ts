/**
 * A scratch view of the source: the kernel's tree with some files changed, made of symbolic links. Folders that lead to a changed file are
 * real, all else is a link into the tree, which is never written to. A compiler that runs in the view spells all paths as in the tree, so that
 * __FILE__ and the compiled code are the same. Modules outside of the kernel's tree are compiled in that tree and named by whole paths, or in their own
 * folder: of those the view shows the modules' folder, and the compiler is told to spell it as it was.
 */
import { symlinkSync } from "node:fs";
import { mkdir, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { literally } from "@suture/files";
import { newScratch, tellingFull } from "@suture/sources";
import { fail } from "../errors.ts";
import { needsFixHeaders, withFixHeaders } from "./fix-headers.ts";

/** Text by path in the tree; latin1. */
export type Overlay = ReadonlyMap<string, string>;

export class SourceView {
  /** The root of the view: the tree itself where nothing is changed. */
  readonly root: string;
  /** Where compilers run: the root, or the kernel's tree where the view is of modules outside of it. */
  readonly cwd: string;
  /** A hash of the names of what is in the tree, where that may be more from one run to the next: a new header may stand before one that is read. */
  readonly names: string;
  readonly #tree: string;
  readonly #changed: ReadonlySet<string>;
  readonly #fixHeaders: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #scratch: string | undefined;
  readonly #detours: readonly string[];
  /** Whether command lines name files of the tree by whole paths, too. */
  readonly #whole: boolean;

  private constructor(
    root: string,
    tree: string,
    overlay: Overlay,
    {
      scratch,
      cwd,
      detours,
      whole,
      names = "",
    }: { scratch: string | undefined; cwd: string; detours: readonly string[]; whole: boolean; names?: string },
  ) {
    const changed = new Set(overlay.keys());
    this.root = root;
    this.cwd = cwd;
    this.names = names;
    this.#tree = tree;
    this.#changed = changed;
    this.#names = new Set([...changed].map((path) => basename(path)));
    this.#scratch = scratch;
    this.#detours = detours;
    this.#whole = whole;
    this.#fixHeaders = needsFixHeaders(overlay.values());
  }

  /** The tree as it is. @param cwd where compilers run, if not in it */
  static of(tree: string, cwd: string = tree, names = ""): SourceView {
    return new SourceView(tree, tree, new Map(), { scratch: undefined, cwd, detours: [], whole: false, names });
  }

  /**
   * Remove it with `dispose`.
   * @param detours folders that compilers go through on the way to others: `arch/ARCH/kvm` in arch/ARCH/kvm/../../../virt/kvm
   * @param cwd where compilers run whose command lines have whole paths, too; the tree itself: in the view
   */
  static async make(tree: string, overlay: Overlay, detours: readonly string[] = [], cwd?: string): Promise<SourceView> {
    const scratch = await newScratch("view");
    const root = join(scratch, "source");
    const view = new SourceView(root, tree, overlay, {
      scratch,
      cwd: cwd === undefined || cwd === tree ? root : cwd,
      detours,
      whole: cwd !== undefined,
    });
    try {
      await tellingFull(scratch, () => view.#fill(overlay, detours));
      return view;
    } catch (error) {
      await view.dispose();
      throw error;
    }
  }

  /** One more of the same tree. @param overlay of the same files. Remove it with `dispose`. */
  async another(overlay: Overlay): Promise<SourceView> {
    return SourceView.make(this.#tree, overlay, this.#detours, this.#whole ? (this.cwd === this.root ? this.#tree : this.cwd) : undefined);
  }

  async #fill(overlay: Overlay, detours: readonly string[]): Promise<void> {
    await mirror(this.#tree, this.root, "", realFolders(overlay, detours));
    for (const [path, text] of overlay) {
      await rm(join(this.root, path), { force: true });
      await mkdir(join(this.root, dirname(path)), { recursive: true });
      await writeFile(join(this.root, path), text, "latin1");
    }
  }

  /** A command line of the compiler as it is to be run in the view. */
  compile(line: string): string {
    const spelled = this.spell(this.#fixHeaders ? withFixHeaders(line) : line);
    return this.#spellsItself ? spelled : `${spelled} -fmacro-prefix-map=${this.root}=${this.#tree}`;
  }

  /** A part of a command line, with what is in the tree named as it is in the view. */
  spell(text: string): string {
    if (this.#spellsItself) return text;
    return text.replace(new RegExp(`${literally(this.#tree)}(?=[/\\s'"]|$)`, "g"), () => this.root);
  }

  /** Where a file is that a compiler in the view spelled so. */
  path(input: string): string {
    // Not joined: that would take `..` out of the path without following the link before it.
    return isAbsolute(input) ? input : `${this.cwd}/${input}`;
  }

  /** Paths are relative, or those of the tree. */
  get #spellsItself(): boolean {
    return !this.#whole || this.root === this.#tree;
  }

  /**
   * That a compiler read no original of a changed file.
   * @param inputs paths as a compiler in the view spelled them
   * @throws BUILD_VIEW
   */
  async check(inputs: readonly string[], source: string): Promise<void> {
    const stray = await this.stray(inputs);
    if (stray !== undefined) throw fail("BUILD_VIEW", `the compiler read ${stray} as it was before the patch`, { file: source });
  }

  /** The first of `inputs` that is the original of a changed file. */
  async stray(inputs: readonly string[]): Promise<string | undefined> {
    for (const input of inputs) {
      if (!this.#names.has(basename(input))) continue;
      // What is gone by now is no original.
      const path = await realpath(this.path(input)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw fail(
          "BUILD_VIEW",
          `whether the compiler read an original cannot be told: ${error.message}`,
          { file: input },
          { cause: error },
        );
      });
      if (path === undefined) continue;
      for (const changed of this.#changed)
        if (basename(changed) === basename(input) && path === (await realpath(join(this.#tree, changed)).catch(() => undefined)))
          return changed;
    }
    return undefined;
  }

  /**
   * Gives files of the overlay other texts: no other than those may be named. Whoever compiles meanwhile reads what is there.
   * @param text undefined: the file is not there
   */
  async rewrite(path: string, text: string | undefined): Promise<void> {
    if (!this.#changed.has(path)) throw new Error(`${path} is no changed file of the view`);
    const at = join(this.root, path);
    // Not written into: the file may be a link.
    await rm(at, { force: true });
    if (text === undefined) return;
    await mkdir(dirname(at), { recursive: true });
    await writeFile(at, text, "latin1");
  }

  async dispose(): Promise<void> {
    if (this.#scratch !== undefined) await rm(this.#scratch, { recursive: true, force: true });
  }
}

interface RealFolders {
  /** Folders that lead to a changed file. */
  onPath: ReadonlySet<string>;
  /**
   * Folders all of whose subfolders must be real too: those of changed headers. In a linked folder `..` leads back into the tree, so that
   * `#include "../changed.h"` would find the original.
   */
  deep: ReadonlySet<string>;
}

function realFolders(overlay: Overlay, detours: readonly string[]): RealFolders {
  const onPath = new Set<string>([""]);
  const deep = new Set<string>();
  const lead = (folder: string): void => {
    for (let at = folder; at !== "." && !onPath.has(at); at = dirname(at)) onPath.add(at);
  };
  for (const path of overlay.keys()) {
    if (!path.endsWith(".c")) deep.add(dirname(path));
    lead(dirname(path));
  }
  for (const folder of detours) lead(folder);
  return { onPath, deep };
}

async function mirror(tree: string, view: string, folder: string, real: RealFolders, under = false): Promise<void> {
  const deep = under || real.deep.has(folder);
  await mkdir(join(view, folder), { recursive: true });
  const entries = await readdir(join(tree, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    // A patch may make a folder.
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // A link to a folder on the way to a changed file would lead out of the view: what is written there would be written to the tree.
    if ((entry.isDirectory() && deep) || (real.onPath.has(path) && !entry.isFile())) await mirror(tree, view, path, real, deep);
    // A link is made sooner than a promise of one.
    else symlinkSync(join(tree, path), join(view, path));
  }
}
