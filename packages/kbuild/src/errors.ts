import { defineErrors } from "@suture/errors";
import { sourcesErrors } from "@suture/sources";

export const kbuildErrors = defineErrors({
  BUILD_KERNEL: {
    cause: "The parts of the kernel that is built for do not belong together, or one is missing.",
    mend: "Take image, modules and source tree of one and the same kernel.",
  },
  BUILD_NO_TYPES: {
    cause: "The kernel's image has no types (CONFIG_DEBUG_INFO_BTF), and the compiler could not write down those of its headers.",
    mend: "Use gcc 12 or newer, which knows -gbtf, or build the kernel with CONFIG_DEBUG_INFO_BTF.",
  },
  BUILD_KBUILD: {
    cause: "The kernel's own build rules did not say how an object is compiled.",
    mend: "Read what make printed. The source tree must be one that is ready to build modules.",
  },
  BUILD_COMPILE: {
    cause: "The compiler or objtool refused the patched source.",
    mend: "Mend the fix: it does not compile for this kernel.",
  },
  BUILD_SEVERAL_OWNERS: {
    cause: "The object is linked into several modules, or both into the kernel and a module.",
    mend: "Suture cannot tell which copy to patch: report it with the object's name.",
  },
  BUILD_VIEW: {
    cause: "A changed header is included by a path on which the compiler finds the original.",
    mend: "Report it with the patch: this is a limit of how Suture shows the compiler the changed source.",
  },
  BUILD_UNPROVEN: {
    cause: "An object that the patch affects is not what the kernel runs: source, configuration or compiler differ from the kernel's.",
    mend: "Read the likely cause. Take the source package and compiler that the kernel was built with; --unproven builds a module all the same, for experts.",
  },
  PROVE_NO_OBJECT: {
    cause: "The kernel is not built from that object or C file, in its configuration.",
    mend: "Name a path of the kernel's source that ends with .o or .c; --sample chooses some.",
  },
  BUILD_OVERRIDDEN: {
    cause: "The patch changes a weak function, and the kernel runs another function of the same name instead.",
    mend: "Nothing has to be patched if the other function does not have the fault; otherwise fix that one.",
  },
  BUILD_UNPLACED: {
    cause: "Patched code needs a variable or function of its own object, and the proof does not show where the kernel has it.",
    mend: "Change the fix so that the named symbol is not needed, or report it with the inputs.",
  },
  BUILD_LINK: {
    cause: "The kernel's own tools (modpost, ld) refused the livepatch module.",
    mend: "Read what they printed; report it with the inputs if the fix is right.",
  },
  OUTSIDE_KBUILD: {
    cause: "The kernel's build did not say how the modules in this folder are compiled.",
    mend: "Give, with --module-source, the folder that `make -C KERNEL M=FOLDER modules` builds them in: the one with their Kbuild file or Makefile.",
  },
  OUTSIDE_MODULE: {
    cause: "A module's file does not belong to the source that was given, or to this kernel.",
    mend: "Give, with --module, the .ko file that is loaded on the machine (`modinfo -n NAME`), and with --module-source the source that it was built from.",
  },
});

/** Its own refusals, and those of the packages below that it finds itself, too. */
export const { fail } = defineErrors({ ...sourcesErrors.kinds, ...kbuildErrors.kinds });
