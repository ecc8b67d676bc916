/**
 * A scratch view of the source: the kernel's tree with some files changed, made of symbolic links. Folders that lead to a changed file are
 * real, all else is a link into the tree, which is never written to. A compiler that runs in the view spells all paths as in the tree, so that
 * __FILE__ and the compiled code are the same.
 */
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** Text by path in the tree; latin1. */
export type Overlay = ReadonlyMap<string, string>;

export class SourceView {
  /** The root of the view: the tree itself where nothing is changed. */
  readonly root: string;
  readonly #tree: string;
  readonly #changed: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  readonly #scratch: string | undefined;

  private constructor(root: string, tree: string, changed: ReadonlySet<string>, scratch: string | undefined) {
    this.root = root;
    this.#tree = tree;
    this.#changed = changed;
    this.#names = new Set([...changed].map((path) => basename(path)));
    this.#scratch = scratch;
  }

  /** The tree as it is. */
  static of(tree: string): SourceView {
    return new SourceView(tree, tree, new Set(), undefined);
  }

  /**
   * Remove it with `dispose`.
   * @param detours folders that compilers go through on the way to others: `arch/x86/kvm` in arch/x86/kvm/../../../virt/kvm
   */
  static async make(tree: string, overlay: Overlay, detours: readonly string[] = []): Promise<SourceView> {
    const scratch = await mkdtemp(join(tmpdir(), "suture-view-"));
    const view = new SourceView(join(scratch, "source"), tree, new Set(overlay.keys()), scratch);
    try {
      await mirror(tree, view.root, "", realFolders(overlay, detours));
      for (const [path, text] of overlay) {
        await rm(join(view.root, path), { force: true });
        await mkdir(join(view.root, dirname(path)), { recursive: true });
        await writeFile(join(view.root, path), text, "latin1");
      }
      return view;
    } catch (error) {
      await view.dispose();
      throw error;
    }
  }

  /** The first of `inputs`, paths as a compiler in the view spelled them, that is the original of a changed file. */
  async stray(inputs: readonly string[]): Promise<string | undefined> {
    for (const input of inputs) {
      if (!this.#names.has(basename(input))) continue;
      // Not joined: that would take `..` out of the path without following the link before it.
      const path = await realpath(`${this.root}/${input}`);
      for (const changed of this.#changed)
        if (basename(changed) === basename(input) && path === (await realpath(join(this.#tree, changed)).catch(() => undefined)))
          return changed;
    }
    return undefined;
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
    if (entry.isDirectory() && (deep || real.onPath.has(path))) await mirror(tree, view, path, real, deep);
    else await symlink(join(tree, path), join(view, path));
  }
}
