/**
 * Whether a kernel can be live-patched, by its configuration. Source: kernel/livepatch/Kconfig, HAVE_RELIABLE_STACKTRACE of arch/ARCH/Kconfig,
 * kernel/livepatch/core.c (klp_have_reliable_stack) and kernel/module/kallsyms.c.
 */
import { type Arch, archs } from "@suture/arch";
import type { KernelConfig } from "./config.ts";

export interface Obstacle {
  /** The option as it should be: CONFIG_X=y. */
  option: string;
  /** "bad" keeps the kernel from being live-patched; "limited" takes something away. */
  outcome: "bad" | "limited";
  why: string;
}

interface Rule {
  /** One of these must be set. */
  anyOf?: readonly string[] | undefined;
  /** None of these may be. */
  noneOf?: readonly string[];
  outcome: Obstacle["outcome"];
  why: string;
}

const rules = (arch: Arch | undefined): readonly Rule[] => [
  {
    anyOf: archs.map(({ kbuild }) => kbuild.option),
    outcome: "bad",
    why: `only ${archs.map(({ name }) => name).join(" and ")} kernels are known here`,
  },
  { anyOf: ["CONFIG_MODULES"], outcome: "bad", why: "a livepatch is a module" },
  { anyOf: ["CONFIG_SYSFS"], outcome: "bad", why: "livepatches are controlled through /sys/kernel/livepatch" },
  { anyOf: ["CONFIG_KALLSYMS_ALL"], outcome: "bad", why: "a livepatch finds the kernel's variables by name" },
  {
    anyOf: ["CONFIG_DYNAMIC_FTRACE_WITH_REGS", "CONFIG_DYNAMIC_FTRACE_WITH_ARGS"],
    outcome: "bad",
    why: "functions are replaced through their ftrace entries (CONFIG_FUNCTION_TRACER)",
  },
  { noneOf: ["CONFIG_TRIM_UNUSED_KSYMS"], outcome: "bad", why: "a livepatch uses exports that no other module used" },
  { anyOf: ["CONFIG_LIVEPATCH"], outcome: "bad", why: "the kernel has no livepatch core" },
  {
    anyOf: arch?.kbuild.reliableStacks,
    outcome: "bad",
    why: "without reliable stack traces kernel threads are never moved to the new code, and no transition ends",
  },
  {
    noneOf: ["CONFIG_CC_IS_CLANG", "CONFIG_LTO_CLANG"],
    outcome: "bad",
    why: "nothing of what is known of gcc's objects was shown to hold for those of LLVM",
  },
  { anyOf: ["CONFIG_MODULE_UNLOAD"], outcome: "limited", why: "a livepatch can be disabled, but never removed" },
  { noneOf: ["CONFIG_MODULE_SIG_FORCE"], outcome: "limited", why: "livepatches must be signed by a key that the kernel knows" },
  {
    noneOf: ["CONFIG_GCC_PLUGIN_LATENT_ENTROPY", "CONFIG_RANDSTRUCT", "CONFIG_GCC_PLUGIN_RANDSTRUCT"],
    outcome: "limited",
    why: "random numbers go into each build: only the very tree that the kernel was built in can be proven, or none",
  },
  {
    anyOf: ["CONFIG_DEBUG_INFO_BTF"],
    outcome: "limited",
    why: "the kernel brings no types: they are taken from its headers, by gcc 12 or newer",
  },
];

/** The processor that it is for; undefined for one of which nothing is known. */
export function archOfConfig(config: KernelConfig): Arch | undefined {
  return archs.find(({ kbuild }) => config.enabled(kbuild.option));
}

/** What stands in the way, the worst first; empty for a kernel that all can be done with. */
export function livepatchObstacles(config: KernelConfig): Obstacle[] {
  const found = rules(archOfConfig(config)).flatMap(({ anyOf, noneOf = [], outcome, why }): Obstacle[] => {
    if (anyOf !== undefined && !anyOf.some((option) => config.enabled(option)))
      return [{ option: anyOf.map((option) => `${option}=y`).join(" or "), outcome, why }];
    return noneOf.filter((option) => config.enabled(option)).map((option) => ({ option: `${option}=n`, outcome, why }));
  });
  return found.sort((a, b) => Number(b.outcome === "bad") - Number(a.outcome === "bad"));
}
