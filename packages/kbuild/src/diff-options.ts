/** What the differ has to know of the kernel. */
import type { DiffOptions } from "@suture/diff";
import type { Owner } from "@suture/livepatch";
import type { KernelContext } from "./context.ts";
import type { ObjectCommand } from "./make/commands.ts";

/** @param owner the part of the kernel that has the object */
export function diffOptions(kernel: KernelContext, command: ObjectCommand, owner: Owner): DiffOptions {
  const build = buildOf(kernel, command);
  return {
    layouts: kernel.layouts,
    build,
    // Jump labels and static calls are set up when the livepatch is loaded: before a module that it is for may be there.
    keepEntry: ({ key, original }) => {
      if (!build.module) return true;
      if (original !== undefined || owner.global(key, command.object) !== undefined) return false;
      return kernel.symbolSources.kernel.exports.get(key)?.module === "vmlinux";
    },
  };
}

/** What decides which sections of an object the kernel keeps. */
export function buildOf({ config }: KernelContext, { owner }: ObjectCommand): DiffOptions["build"] {
  return { module: owner !== "vmlinux", memoryHotplug: config.enabled("CONFIG_MEMORY_HOTPLUG") };
}
