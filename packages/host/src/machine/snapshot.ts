/**
 * What the kernel has at one moment: each thing is read once, when it is first asked for. Checks that change nothing share one; whoever has changed
 * something, or has waited, looks anew.
 */
import { type RunningKernel, runningKernel } from "./kernel.ts";
import { type LivePatch, type LoadedModule, type PatchedObject, readLivePatches, readModules, readObjects } from "./livepatches.ts";
import type { Machine } from "./machine.ts";

export class Snapshot {
  readonly machine: Machine;
  #kernel: RunningKernel | undefined;
  #patches: readonly LivePatch[] | undefined;
  #modules: readonly LoadedModule[] | undefined;
  #kallsyms: { bytes: Buffer | undefined } | undefined;
  readonly #objects = new Map<string, readonly PatchedObject[]>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get kernel(): RunningKernel {
    this.#kernel ??= runningKernel(this.machine);
    return this.#kernel;
  }

  /** Livepatches in stack order: the last one's functions are those that run. */
  get patches(): readonly LivePatch[] {
    this.#patches ??= readLivePatches(this.machine, () => this.modules);
    return this.#patches;
  }

  /** Undefined if the kernel has none of that name, or only its module. */
  patch(name: string): LivePatch | undefined {
    return this.patches.find((patch) => patch.name === name);
  }

  /** The one in transition: the kernel has one at a time. */
  get moving(): LivePatch | undefined {
    return this.patches.find(({ transition }) => transition !== undefined);
  }

  /** What a livepatch replaces; nothing if there is none of that name. */
  objects(name: string): readonly PatchedObject[] {
    const objects = this.#objects.get(name) ?? readObjects(this.machine, name);
    this.#objects.set(name, objects);
    return objects;
  }

  /** The newest first. */
  get modules(): readonly LoadedModule[] {
    this.#modules ??= readModules(this.machine);
    return this.#modules;
  }

  module(name: string): LoadedModule | undefined {
    return this.modules.find((module) => module.name === name);
  }

  /** The text of /proc/kallsyms, some ten megabytes; undefined if the kernel does not list its symbols. */
  get kallsyms(): Buffer | undefined {
    this.#kallsyms ??= { bytes: this.machine.bytes("/proc/kallsyms") };
    return this.#kallsyms.bytes;
  }

  /** Names of livepatch modules without effect: disabled or replaced ones. */
  get idle(): string[] {
    const active = new Set(this.patches.map(({ name }) => name));
    return this.modules.filter(({ name, taint }) => taint.includes("K") && !active.has(name)).map(({ name }) => name);
  }
}
