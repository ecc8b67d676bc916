import { defineErrors } from "@suture/errors";

export const buildErrors = defineErrors({
  PATCH_UNREADABLE: {
    cause:
      "The file holds something that Suture does not read as a change: no unified diff, a damaged hunk or header, a mail that cannot be decoded, or a binary, renaming or deleting change. Nothing is left out in silence.",
    mend: "Give a unified diff, as `git format-patch`, `git diff` or `diff -u` writes it. docs/patch-files.md lists what is read.",
  },
  PATCH_DOES_NOT_APPLY: {
    cause:
      "A hunk of the patch is not found in the kernel's source, or it has moved and does not fit in exactly one place, in the function that its header names. All its lines must be there exactly.",
    mend: "Take the fix as it was backported to this kernel's series, or adapt it to the source of exactly this version.",
  },
  PATCH_NOT_FOR_KERNEL: {
    cause: "The patch changes a file that this kernel is not built from, in its configuration and architecture.",
    mend: "The kernel does not have the fault, or the fix is for another configuration: leave that file out of the patch.",
  },
  PATCH_NOT_C: {
    cause:
      "The patch changes something that cannot be replaced function by function: assembly, build rules, configuration, linker scripts, or what a program of the kernel's build reads; or a header that one of them includes, and that it reads otherwise then.",
    mend: "Take that file out of the patch if the fix works without it; otherwise boot a fixed kernel.",
  },
  BUILD_NOTHING_CHANGED: {
    cause: "All objects that the patch affects compile to the same code as before.",
    mend: "There is nothing to patch: the change is to comments, to code that this configuration leaves out, or has no effect.",
  },
  BUILD_NOT_AT_RUN_TIME: {
    cause: "All that the patch changes runs or is read only while the kernel boots, or never.",
    mend: "There is nothing to patch in a running kernel: boot a fixed one. If what ran at boot has to be put right in the running kernel, a callback can do it (docs/authoring.md#callbacks, docs/authoring.md#changed-initial-values).",
  },
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
  BUILD_OTHER_PROGRAM: {
    cause:
      "The fix changes only a program that the kernel's image carries as data (the vDSO, purgatory, code of the boot), or a header on which such a program and the kernel agree. No livepatch reaches it.",
    mend: "Leave that part out of the fix, or boot a fixed kernel.",
  },
  BUILD_SEALED: {
    cause:
      "The fix keeps the address of a function that the kernel only calls by name. With IBT the kernel has taken away the landing pad of that function: an indirect call to it would stop the machine.",
    mend: "Call the function from a new one in the fix, and keep the address of that.",
  },
  BUILD_BAD_DWARF: {
    cause:
      "The debug information of an object is damaged, or of a kind that is not understood; the types of its variables cannot be compared.",
    mend: "Build the objects with gcc and -gdwarf-5, without -gz and -gsplit-dwarf; if it is one of Suture's own, report it with the inputs.",
  },
  BUILD_FOLDED: {
    cause:
      "After the fix nothing in the file writes a variable that the kernel has, so the compiler reads its initial value; the running kernel's may hold another.",
    mend: "Read it with READ_ONCE() where the fix needs what it holds, or take it out of the fix. If its initial value is right for the new code, say so with --accept-layout NAME.",
  },
  BUILD_RENUMBERED: {
    cause:
      "Enumerators, or macros that are the like, stand for other values than before; variables and structures of the running kernel hold the old ones.",
    mend: "Keep the values as they are, and give new names values that none had. If no data of the running kernel hold an old value, say so with --accept-layout NAME.",
  },
  BUILD_LAYOUT: {
    cause:
      "The patch changes how a structure lies in memory, or of which type a variable is, and the running kernel has such, made by the old code.",
    mend: "Keep the structure as it is and hold the new state in a shadow variable (docs/authoring.md#new-fields), or boot a fixed kernel. If nothing of the old kind is ever met by the new code (it lives on the stack of replaced functions only), say so with --accept-layout NAME.",
  },
  PROVE_NO_OBJECT: {
    cause: "The kernel is not built from that object or C file, in its configuration.",
    mend: "Name a path of the kernel's source that ends with .o or .c; --sample chooses some.",
  },
  BUILD_REBUILD: {
    cause: "A function that is to be replaced by itself cannot be, or what --rebuild names is not one object or function.",
    mend: "Name it as OBJECT (fs/pipe.o) for all functions that can be replaced, or as OBJECT:FUNCTION.",
  },
  BUILD_WIDE: {
    cause:
      "Patched code has a branch of two bytes on a module's static key, or a shift by a constant that is filled in at boot; compiled with room for reading the key or variable, the object comes out otherwise.",
    mend: "Reorganise the fix so that the named function does not ask the static key (a tracepoint asks one too) or reads it at run time (docs/authoring.md#static-keys), or write the livepatch by hand.",
  },
  BUILD_MOVED: {
    cause:
      "The fix gives an object a function or variable that the running kernel has from another object, and what the kernel has can neither be used nor replaced for all who use it.",
    mend: "Leave the function or variable in the file where it was, with the same type and initial value, and declare it in the other; or give what is really new another name.",
  },
  BUILD_DEFINED_TWICE: {
    cause: "The fix adds a global function or variable whose name something else that it is linked or loaded with defines already.",
    mend: "Give the new one another name, or make it static.",
  },
  BUILD_READ_ONLY: {
    cause: "Patched code begins to write a variable that the running kernel has made read-only: __ro_after_init or const.",
    mend: "Hold what is to be written in a new variable with another name.",
  },
  BUILD_ALIGNMENT: {
    cause: "The fix wants a variable to be aligned more than the running kernel's is.",
    mend: "Leave the variable as it is, and make a new one with another name for what needs the alignment.",
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
  BUILD_NAME: {
    cause: "The name cannot be a module's name.",
    mend: "Use letters, digits, - and _, at most 40, with --name.",
  },
  PATCH_CONFLICT: {
    cause: "A patch changes a place that another patch of the same livepatch has changed.",
    mend: "Make the later patch against the source with the earlier one applied, or make one patch of the two.",
  },
  BUILD_UPON: {
    cause:
      "A livepatch cannot be built upon the one that was given: it is damaged, for another kernel, or not made by this version of Suture.",
    mend: "Give the livepatch that is loaded, as Suture built it; or give all patches again, with --replace.",
  },
  EXTRACT_FUNCTION: {
    cause: "A function cannot be taken out of the kernel's source as the beginning of a livepatch.",
    mend: "Name one or more functions of one C file: FUNCTION, or FILE.c:FUNCTION.",
  },
  AUTHORED_SOURCE: {
    cause: "What --from names is no source of a livepatch that Suture can build.",
    mend: "Give a C file, or a folder of them, that says by <suture.h> what it replaces (docs/authoring.md), or that registers itself with klp_enable_patch().",
  },
  AUTHORED_DECLARATION: {
    cause: "A declaration of <suture.h> says something that cannot be.",
    mend: "Correct it; docs/authoring.md has them all.",
  },
  AUTHORED_TWICE: {
    cause: "Two declarations replace the same function, or give the same callback of the same object.",
    mend: "Make one function of the two.",
  },
  AUTHORED_SIGNATURE: {
    cause:
      "A function has other parameters than the kernel's that it replaces or is declared to be, or returns something else: calls would read what nobody has passed.",
    mend: "Give it exactly the parameters and the type that the kernel's has.",
  },
  AUTHORED_MISSING: {
    cause: "A function or variable that a livepatch names is not in the kernel that it is built for.",
    mend: "Correct the name, or build for the kernel that has it.",
  },
  AUTHORED_AMBIGUOUS: {
    cause: "Several functions or variables of the kernel have the name that a livepatch uses.",
    mend: "Say which file's is meant: SUTURE_REPLACE_IN or SUTURE_SYMBOL of <suture.h>.",
  },
  AUTHORED_NOT_REPLACEABLE: {
    cause: "The kernel cannot redirect calls of the function.",
    mend: "Replace the functions that call it instead.",
  },
  AUTHORED_EARLY: {
    cause: "A static key, static call or alternative of a module is used in code that is loaded before that module may be.",
    mend: "Ask the key at run time: static_key_enabled(&key). See docs/authoring.md#static-keys.",
  },
  ARCHIVE_NO_APT: {
    cause: "The machine has no apt, and kernels are found through it.",
    mend: "Use a Debian system, or give a prepared tree.",
  },
  ARCHIVE_NO_LISTS: {
    cause: "apt has no package lists on this machine, and they could not be fetched.",
    mend: "Run as root: apt-get update",
  },
  ARCHIVE_NO_HEADERS: {
    cause: "The archive does not have the headers or build tools of this kernel (any more).",
    mend: "Choose a kernel for which `suture kernels` shows sources and headers, and boot it.",
  },
  ARCHIVE_DOWNLOAD: {
    cause: "apt could not download a package.",
    mend: "Read what apt printed. If a package is not found, the lists are old: run `apt-get update` as root.",
  },
  ARCHIVE_DAMAGED: {
    cause: "A package that was downloaded is not the one that the archive's signed index describes.",
    mend: "Run it again. If it stays, the mirror or a proxy hands out something else: use another one.",
  },
  ARCHIVE_UNEXPECTED: {
    cause: "A kernel package does not hold the files that such packages hold.",
    mend: "Report it with the package's name and version.",
  },
  KERNEL_NOT_PATCHABLE: {
    cause: "The kernel was built without something that livepatching needs.",
    mend: "Boot a kernel that has it: Debian's amd64 kernels do. `suture doctor --kernel RELEASE` lists all that is missing.",
  },
  KERNEL_NOT_FOUND: {
    cause: "There is no kernel with that release in the archive.",
    mend: "`suture kernels` lists those that can be built for. If it should be there, the lists are old: run `apt-get update` as root.",
  },
  SOURCE_NOT_FOUND: {
    cause: "The archive does not have the source that this kernel was built from (any more).",
    mend: "Choose a kernel for which `suture kernels` shows the source, and boot it.",
  },
  SOURCE_NO_FEATURESET: {
    cause: "The kernel is built with patches (rt) that only Debian's source package holds, and no mirror of this machine has that.",
    mend: "Name a mirror with source packages of this version in /etc/apt/sources.list, or choose a kernel without such patches.",
  },
  SOURCE_COMPILER_MISSING: {
    cause: "The compiler that the kernel was built with is not installed.",
    mend: "Install it with apt-get; its name is the package's.",
  },
  SOURCE_CONFIG: {
    cause: "A configuration of this kernel is on the machine, and cannot be read.",
    mend: "Make the file readable for this user, or run it as root.",
  },
  SOURCE_TREE: {
    cause: "The kernel's source could not be made ready to compile objects.",
    mend: "Read what was printed; report it with the kernel's release if the disk and the packages are sound.",
  },
  TREE_NOT_A_KERNEL: {
    cause: "What was given as a kernel's source tree is none.",
    mend: "Give the folder in which the kernel was configured and built, with --tree.",
  },
  TREE_NO_SOURCE: {
    cause: "The tree has the kernel's headers, but not its C files: it is a headers package, which is for building modules only.",
    mend: "For a kernel of Debian's leave --tree out and name it with --kernel: its source is fetched. Otherwise unpack the kernel's source package, copy .config and Module.symvers from the headers into it, and run `make olddefconfig modules_prepare` there.",
  },
  TREE_NOT_PREPARED: {
    cause: "The tree has the kernel's source, but was not made ready to compile in.",
    mend: "Run in it: make olddefconfig modules_prepare",
  },
  TREE_NO_SYMVERS: {
    cause: "The tree has no Module.symvers, which says what the kernel exports, and to which module it belongs.",
    mend: "Build the kernel in the tree, or copy the Module.symvers of exactly this kernel into it.",
  },
  TREE_NO_IMAGE: {
    cause: "It is not known which file is the kernel's image.",
    mend: "Give it with --image: the vmlinuz that is booted.",
  },
  TREE_COMPILER: {
    cause: "The tree is configured for a compiler that Suture does not build with: LLVM, or one that it does not name.",
    mend: "Build the kernel with gcc, boot it, and give that tree. LLVM is not supported yet: nothing of what Suture knows of gcc's objects was shown to hold for its.",
  },
  TREE_MAKE: {
    cause: "What was given for make with --make cannot be used.",
    mend: "Give variables that the kernel was built with, as NAME=VALUE: --make KCFLAGS=-O3.",
  },
  OUTSIDE_KBUILD: {
    cause: "The kernel's build did not say how the modules in this folder are compiled.",
    mend: "Give, with --module-source, the folder that `make -C KERNEL M=FOLDER modules` builds them in: the one with their Kbuild file or Makefile.",
  },
  OUTSIDE_MODULE: {
    cause: "A module's file does not belong to the source that was given, or to this kernel.",
    mend: "Give, with --module, the .ko file that is loaded on the machine (`modinfo -n NAME`), and with --module-source the source that it was built from.",
  },
  SCRATCH_FULL: {
    cause: "The disk of the folder for temporary files is full, or a quota is used up.",
    mend: "Make room, or set TMPDIR to a directory on a larger disk.",
  },
  SCRATCH_UNWRITABLE: {
    cause: "The folder for temporary files is not there or cannot be written.",
    mend: "Set TMPDIR to a directory that this user can write.",
  },
  SCRATCH_PATH: {
    cause: "The kernel's build cannot work in the folder for temporary files, nor in the cache: make and the shell divide such paths.",
    mend: "Set TMPDIR to a directory whose path has letters, digits and / . _ + @ ~ - only.",
  },
  CACHE_PATH: {
    cause: "The kernel's build cannot work in the cache's directory: make and the shell divide such paths.",
    mend: "Set XDG_CACHE_HOME to a directory whose path has letters, digits and / . _ + @ ~ - only.",
  },
  CACHE_FULL: {
    cause: "The disk of the cache is full, or a quota is used up. A kernel takes about 2 GB.",
    mend: "Make room, or set XDG_CACHE_HOME to a directory on a larger disk. Nothing half-made was left behind.",
  },
  CACHE_UNWRITABLE: {
    cause: "The cache's directory cannot be written.",
    mend: "Make it writable for this user, or set XDG_CACHE_HOME to another directory.",
  },
});

export const fail = buildErrors.fail;
