/** What the differ has to know of the kernel. */
import type { DiffOptions } from "@suture/diff";
import type { KernelContext } from "./context.ts";
import type { ObjectCommand } from "./make/commands.ts";

export function diffOptions(kernel: KernelContext, { owner, object }: ObjectCommand): DiffOptions {
  const module = owner !== "vmlinux";
  return {
    layouts: kernel.layouts,
    build: { module, memoryHotplug: kernel.config.enabled("CONFIG_MEMORY_HOTPLUG") },
    // Jump labels and static calls are set up when the livepatch is loaded: before a module that it is for may be there.
    keepEntry: ({ key, original }) => {
      if (!module) return true;
      if (original !== undefined || kernel.owner(owner).global(key, object) !== undefined) return false;
      return kernel.symbolSources.kernel.exports.get(key)?.module === "vmlinux";
    },
  };
}
