/** All that is known of the kernel that is built for, opened once for a run. Close it in the end. */
import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TypeLayouts } from "@suture/diff";
import { sweepKept } from "@suture/files";
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
import { Answers, type KernelView, moduleName, moduleOwner, type Owner, type SymbolSources, vmlinuxOwner } from "@suture/livepatch";
import type { Target } from "@suture/sources";
import type { Task } from "@suture/task";
import type { Compiler } from "./compile.ts";
import { compilerFacts } from "./compiler.ts";
import { fail } from "./errors.ts";
import { kernelTypes } from "./kernel-types.ts";
import { layoutsOf } from "./layouts.ts";
import { type Recipe, recipeOf } from "./link/recipe.ts";
import { buildPathOf } from "./make/build-path.ts";
import { type Commands, commandsOf } from "./make/commands.ts";
import { includesOf } from "./make/includes.ts";
import { namesIn, outsideCommands } from "./make/outside.ts";
import { type Overlay, SourceView } from "./view/view.ts";

/** Opened modules that are held. One with what the proof knows of it takes some megabytes, and is soon read again. */
const MODULES_HELD = 4;

/** Bytes that are worth keeping, by folder of the cache. */
const KEPT: Readonly<Record<string, number>> = { objects: 4 * 2 ** 30, kbuild: 2 ** 30, images: 2 * 2 ** 30, "release/verdicts": 2 ** 28 };

/** What tells one build of a module from another. */
interface ModuleIdentity {
  name: string;
  buildId?: string;
  srcversion?: string;
}

export class KernelContext {
  readonly target: Target;
  /** The directory that keeps what later runs can use. */
  readonly cache: string;
  readonly image: KernelImage;
  /** Types that were made since the image has none. */
  readonly #ownTypes: Btf | undefined;
  readonly config: KernelConfig;
  readonly commands: Commands;
  readonly recipe: Recipe;
  /** First line of the compiler's --version. */
  readonly compiler: string;
  /** That compiler, and where the objects are that it made. */
  readonly tools: Compiler;
  readonly symbolSources: SymbolSources;
  /** The folder of modules outside of the kernel's tree, if it is those that are worked on, not the kernel. */
  readonly outside: string | undefined;
  /** Where compilers run. */
  readonly #cwd: string;
  readonly #names: string;
  /** Path of each module of the kernel by its name. */
  readonly #modulePaths: ReadonlyMap<string, string>;
  /** What was last used comes last. */
  readonly #modules = new Map<string, KernelModule>();
  /** Modules outside of the kernel's tree that are worked on. */
  readonly #outside = new Map<string, KernelModule>();
  readonly #identities = new Map<string, ModuleIdentity>();
  #original: SourceView | undefined;
  /** What modules export, as far as it was asked for by `openExporters`. */
  readonly #exporters = new Map<string, Answers>();

  private constructor(
    parts: Pick<KernelContext, "target" | "cache" | "image" | "config" | "commands" | "outside" | "recipe" | "compiler" | "tools">,
    types: Btf | undefined,
    exported: () => ReadonlyMap<string, Export>,
    modulePaths: ReadonlyMap<string, string>,
    { cwd, names }: { cwd: string; names: string } = { cwd: parts.target.tree, names: "" },
  ) {
    this.target = parts.target;
    this.cache = parts.cache;
    this.image = parts.image;
    this.#ownTypes = types;
    this.config = parts.config;
    this.commands = parts.commands;
    this.outside = parts.outside;
    this.#cwd = cwd;
    this.#names = names;
    this.recipe = parts.recipe;
    this.compiler = parts.compiler;
    this.tools = parts.tools;
    this.#modulePaths = modulePaths;
    // Functions that are moved one by one have no distance from each other.
    const buildId = parts.config.enabled("CONFIG_FG_KASLR") ? undefined : parts.image.buildIdPlace;
    const kernel: KernelView = {
      symbols: parts.image.symbols,
      get exports() {
        return exported();
      },
      buildId,
    };
    this.symbolSources = { kernel, vmlinux: vmlinuxOwner(kernel.symbols), module: (name) => this.#exporter(name) };
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
    // First: a tree of another kernel should not cost its build rules.
    const image = await openImage(task, target.image, { cache: join(cache, "images") });
    try {
      return await KernelContext.#readRest(task, target, cache, image);
    } catch (error) {
      image.close();
      throw error;
    }
  }

  static async #readRest(task: Task, target: Target, cache: string, image: KernelImage): Promise<KernelContext> {
    if (image.release !== target.release)
      throw fail("BUILD_KERNEL", `the image is of ${image.release}, the tree of ${target.release}`, { file: target.image });
    for (const [folder, mostBytes] of Object.entries(KEPT)) await sweepKept(join(cache, folder), { mostBytes });
    const folder = join(cache, "kbuild");
    const compiler = await compilerFacts(task, target.compiler, folder);
    const [config, symvers, commands, recipe, modules] = await task.together([
      () => readFile(target.config, "utf8"),
      () => readFile(target.symvers, "utf8"),
      (part) => commandsOf(part, target, folder, compiler.identity),
      (part) => recipeOf(part, target, folder, compiler.identity),
      async () => (target.modules === undefined ? new Map<string, string>() : modulePaths(target.modules)),
    ]);
    const types = await kernelTypes(task, image, target, folder, compiler.identity);
    const own = KernelConfig.parse(config, target.config);
    const under = commands.under({ buildPath: buildPathOf(image, own, target.tree), writesBtf: compiler.writesBtf });
    const tools = { ...compiler, cache: join(cache, "objects") };
    const parts = { target, cache, image, config: own, commands: under, recipe, compiler: compiler.version, tools };
    let exports: ReadonlyMap<string, Export> | undefined;
    // While a compiler runs, not before.
    const exported = (): ReadonlyMap<string, Export> => {
      exports ??= parseSymvers(symvers, target.symvers);
      return exports;
    };
    return new KernelContext({ ...parts, outside: undefined }, types, exported, modules);
  }

  /**
   * The same kernel, with modules outside of its tree as what is worked on. It is closed with this one.
   * @param files of the modules as they are loaded
   * @throws OUTSIDE_KBUILD, OUTSIDE_MODULE, KERNEL_*
   */
  async outsideOf(task: Task, folder: string, files: readonly string[]): Promise<KernelContext> {
    return task.stage("module", async (stage) => {
      const source = await realpath(folder).catch((cause: unknown) => {
        throw fail("OUTSIDE_KBUILD", "there is no such folder", { file: folder }, { cause });
      });
      const { commands, cwd } = await outsideCommands(task, this.target, this.commands, source);
      const { owners } = commands;
      const inputs = [...this.target.inputs];
      const modules = new Map<string, KernelModule>();
      for (const file of files) {
        const module = await openModule(task, file);
        const release = module.modinfo.get("vermagic")?.[0]?.split(" ")[0];
        if (release !== this.target.release)
          throw fail("OUTSIDE_MODULE", `it was built for ${release ?? "no kernel"}, not for ${this.target.release}`, { file });
        if (!owners.has(module.name))
          throw fail("OUTSIDE_MODULE", `${folder} is the source of ${[...owners].join(", ")}, not of ${module.name}`, { file });
        modules.set(module.name, module);
        inputs.push({ kind: "module", name: basename(file), sha256: module.sha256 });
      }
      const { image, config, recipe, compiler, tools, cache } = this;
      const target = { ...this.target, inputs };
      const parts = { target, cache, image, config, commands, outside: source, recipe, compiler, tools };
      const place = { cwd, names: await namesIn(source) };
      const context = new KernelContext(parts, this.#ownTypes, () => this.symbolSources.kernel.exports, this.#modulePaths, place);
      for (const [name, module] of modules) {
        context.#outside.set(name, module);
        context.#identities.set(name, identityOf(name, module));
      }
      stage.result(`${[...modules.keys()].join(", ")}: ${commands.objects.length} objects`);
      return context;
    });
  }

  /** The folder whose files patches change. */
  get sourceRoot(): string {
    return this.outside ?? this.target.tree;
  }

  /** The source as it is. Nobody changes it while this runs. */
  get original(): SourceView {
    this.#original ??= SourceView.of(this.sourceRoot, this.#cwd, this.#names);
    return this.#original;
  }

  /** The source with files of it changed. Dispose of it. */
  async changed(task: Task, overlay: Overlay): Promise<SourceView> {
    return task.stage("view", async (stage) => {
      stage.result(`${overlay.size} files changed`);
      if (this.outside !== undefined) return SourceView.make(this.outside, overlay, this.commands.detours, this.#cwd);
      stage.note("reading what includes what");
      const graph = await includesOf(task, this.target, join(this.cache, "kbuild"), overlay);
      const through = new Set(this.commands.detours);
      const groups = this.commands.byIncludeFolders();
      for (const [done, { folders }] of groups.entries()) {
        stage.progress(done, groups.length, "include paths");
        for (const folder of graph.detours([...overlay.keys()], folders)) through.add(folder);
        await task.pause();
      }
      stage.note("linking the source");
      return SourceView.make(this.target.tree, overlay, [...through]);
    });
  }

  close(): void {
    this.image.close();
  }

  /** The kernel's types. */
  get btf(): Btf {
    const types = this.#ownTypes ?? this.image.btf;
    if (types === undefined) throw new Error("an image without types was opened without others");
    return types;
  }

  get layouts(): TypeLayouts {
    return layoutsOf(this.btf);
  }

  /** "vmlinux" or a module. An owner holds its module. @throws BUILD_KERNEL */
  async owner(task: Task, name: string): Promise<Owner> {
    return name === "vmlinux" ? this.symbolSources.vmlinux : moduleOwner(await this.module(task, name));
  }

  hasModule(name: string): boolean {
    return this.#modulePaths.has(name);
  }

  /** Opens a module of the kernel, for as long as the caller holds it. @throws BUILD_KERNEL */
  async module(task: Task, name: string): Promise<KernelModule> {
    const known = this.#outside.get(name) ?? this.#modules.get(name);
    if (known !== undefined) return this.#hold(name, known);
    const path = this.#modulePaths.get(name);
    if (path === undefined)
      throw fail("BUILD_KERNEL", `the kernel's packages have no module ${name}`, {
        file: this.target.modules ?? this.target.image,
        symbol: name,
      });
    const module = await openModule(task, path);
    this.#identities.set(name, identityOf(name, module));
    return this.#hold(name, module);
  }

  #hold(name: string, module: KernelModule): KernelModule {
    if (this.#outside.has(name)) return module;
    this.#modules.delete(name);
    this.#modules.set(name, module);
    const [oldest] = this.#modules.keys();
    if (oldest !== undefined && this.#modules.size > MODULES_HELD) this.#modules.delete(oldest);
    return module;
  }

  /** Looks up what modules export of these, so that `symbolSources.module` knows it. @throws BUILD_KERNEL */
  async openExporters(task: Task, names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const exported = this.symbolSources.kernel.exports.get(name);
      if (exported === undefined || exported.module === "vmlinux") continue;
      const module = moduleName(basename(exported.module));
      const answers = this.#exporters.get(module) ?? new Answers(module);
      this.#exporters.set(module, answers);
      if (!answers.knows(name)) answers.ask(await this.owner(task, module), name, module);
    }
  }

  /** It must have been opened. */
  moduleIdentity(name: string): ModuleIdentity {
    return this.#identities.get(name) ?? { name };
  }

  #exporter(name: string): Owner {
    const owner = this.#exporters.get(name);
    if (owner === undefined) throw fail("BUILD_KERNEL", `module ${name} was not opened`, { symbol: name });
    return owner;
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

function identityOf(name: string, { buildId, modinfo }: KernelModule): ModuleIdentity {
  const srcversion = modinfo.get("srcversion")?.[0];
  return { name, ...(buildId === undefined ? {} : { buildId }), ...(srcversion === undefined ? {} : { srcversion }) };
}
