/** All that is known of the kernel that is built for, opened once for a run. Close it in the end. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TypeLayouts } from "@suture/diff";
import {
  type Btf,
  type Export,
  KernelConfig,
  type KernelImage,
  type KernelModule,
  openImage,
  openModule,
  parseSymvers,
} from "@suture/kernel";
import { type KernelView, moduleName, moduleOwner, type Owner, vmlinuxOwner, type World } from "@suture/livepatch";
import { run, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import { type Commands, commandsOf } from "./kbuild/commands.ts";
import { kernelTypes } from "./kernel-types.ts";
import { layoutsOf } from "./layouts.ts";
import { type Recipe, recipeOf } from "./link/recipe.ts";
import type { Target } from "./target.ts";

export class KernelContext {
  readonly target: Target;
  /** The directory that keeps what later runs can use. */
  readonly cache: string;
  readonly image: KernelImage;
  readonly btf: Btf;
  readonly config: KernelConfig;
  readonly commands: Commands;
  readonly recipe: Recipe;
  /** First line of the compiler's --version. */
  readonly compiler: string;
  readonly world: World;
  /** Path of each module of the kernel by its name. */
  readonly #modulePaths: ReadonlyMap<string, string>;
  readonly #modules = new Map<string, KernelModule>();

  private constructor(
    parts: Pick<KernelContext, "target" | "cache" | "image" | "btf" | "config" | "commands" | "recipe" | "compiler">,
    symvers: ReadonlyMap<string, Export>,
    modulePaths: ReadonlyMap<string, string>,
  ) {
    this.target = parts.target;
    this.cache = parts.cache;
    this.image = parts.image;
    this.btf = parts.btf;
    this.config = parts.config;
    this.commands = parts.commands;
    this.recipe = parts.recipe;
    this.compiler = parts.compiler;
    this.#modulePaths = modulePaths;
    const kernel: KernelView = { symbols: parts.image.symbols, exports: symvers };
    this.world = { kernel, vmlinux: vmlinuxOwner(kernel.symbols), module: (name) => this.#ownerOf(name) };
  }

  /** @throws BUILD_KERNEL, BUILD_KBUILD, KERNEL_* */
  static async open(task: Task, target: Target, cache: string): Promise<KernelContext> {
    return task.stage("kernel", async (stage) => {
      const kernel = await KernelContext.#read(task, target, cache);
      stage.result(`${kernel.image.release}, build-id ${kernel.image.buildId.slice(0, 12)}`);
      return kernel;
    });
  }

  static async #read(task: Task, target: Target, cache: string): Promise<KernelContext> {
    const [image, config, symvers, version, commands, recipe, modules] = await Promise.all([
      openImage(task, target.image, { cache: join(cache, "images") }),
      readFile(target.config, "utf8"),
      readFile(target.symvers, "utf8"),
      run(task, [target.compiler, "--version"]),
      commandsOf(task, target, join(cache, "kbuild")),
      recipeOf(task, target, join(cache, "kbuild")),
      target.modules === undefined ? new Map<string, string>() : modulePaths(target.modules),
    ]);
    if (image.release !== target.release)
      throw fail("BUILD_KERNEL", `the image is of ${image.release}, the tree of ${target.release}`, { file: target.image });
    const btf = await kernelTypes(task, image, target, join(cache, "kbuild"));
    const compiler = version.stdout.split("\n")[0] ?? "";
    const parts = { target, cache, image, btf, config: KernelConfig.parse(config, target.config), commands, recipe, compiler };
    return new KernelContext(parts, parseSymvers(symvers, target.symvers), modules);
  }

  close(): void {
    this.image.close();
  }

  get layouts(): TypeLayouts {
    return layoutsOf(this.btf);
  }

  /** "vmlinux" or a module, which must have been opened by `module`. */
  owner(name: string): Owner {
    return name === "vmlinux" ? this.world.vmlinux : this.#ownerOf(name);
  }

  hasModule(name: string): boolean {
    return this.#modulePaths.has(name);
  }

  /** Opens a module of the kernel. @throws BUILD_KERNEL */
  async module(task: Task, name: string): Promise<KernelModule> {
    const known = this.#modules.get(name);
    if (known !== undefined) return known;
    const path = this.#modulePaths.get(name);
    if (path === undefined)
      throw fail("BUILD_KERNEL", `the kernel's packages have no module ${name}`, {
        file: this.target.modules ?? this.target.image,
        symbol: name,
      });
    const module = await openModule(task, path);
    this.#modules.set(name, module);
    return module;
  }

  /** Opens the modules that export what modules use, so that `world.module` has them. */
  async openExporters(task: Task, names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const exported = this.world.kernel.exports.get(name);
      if (exported !== undefined && exported.module !== "vmlinux") await this.module(task, moduleName(basename(exported.module)));
    }
  }

  #ownerOf(name: string): Owner {
    const module = this.#modules.get(name);
    if (module === undefined) throw fail("BUILD_KERNEL", `module ${name} was not opened`, { symbol: name });
    return moduleOwner(module);
  }
}

const MODULE_FILE = /\.ko(\.xz|\.zst|\.gz)?$/;

/** All modules below a folder: lib/modules/RELEASE, or a tree that they were built in. Of a name that is there twice the kernel loads that of updates/. */
async function modulePaths(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const walk = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      // The links of an installed kernel's folder lead to its tree.
      if (entry.isDirectory()) await walk(join(at, entry.name));
      else if (MODULE_FILE.test(entry.name)) found.set(moduleName(entry.name.replace(MODULE_FILE, "")), join(at, entry.name));
    }
  };
  await walk(folder);
  return found;
}
