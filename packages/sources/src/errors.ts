import { defineErrors } from "@suture/errors";

export const sourcesErrors = defineErrors({
  ARCHIVE_NO_APT: {
    cause: "The machine has no apt, and kernels are found through it.",
    mend: "Use a Debian system, or give a prepared tree.",
  },
  ARCHIVE_NO_LISTS: {
    cause: "apt has no package lists on this machine, and they could not be fetched.",
    mend: "Run as root: apt-get update",
  },
  ARCHIVE_NO_MIRROR: {
    cause: "apt's sources name no mirror of Debian's archive, from which kernels of other suites could be had.",
    mend: "Name one in /etc/apt/sources.list.d, or give a prepared tree with --tree.",
  },
  ARCHIVE_NO_KEYRING: {
    cause: "Debian's keys, by which apt verifies the lists of a suite, are not on this machine.",
    mend: "Run as root: apt-get install debian-archive-keyring",
  },
  ARCHIVE_SUITE: {
    cause: "The package lists of a suite that this machine's apt does not know could not be fetched.",
    mend: "Read what apt said; the machine's mirror has to be reachable once. What is ready in the cache needs no network.",
  },
  ARCHIVE_UNVERIFIED: {
    cause: "No key of Debian's on this machine vouches for the package lists of a suite.",
    mend: "Run as root: apt-get install debian-archive-keyring, for newer keys. If it stays, the mirror or a proxy hands out something else.",
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
    mend: "`suture kernels --all` lists those that can be built for: archives drop older ones. If it should be there, the lists are old: run `apt-get update` as root. For one that the archive has dropped, give a tree prepared from its source: --tree (docs/kernels.md).",
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
  SOURCE_HOST_COMPILER: {
    cause: "The machine has no compiler for the programs that a kernel's build makes for itself.",
    mend: "Run as root: apt-get install gcc libc6-dev",
  },
  SOURCE_CONFIG: {
    cause: "A configuration of this kernel is on the machine, and cannot be read.",
    mend: "Make the file readable for this user, or run it as root.",
  },
  SOURCE_TREE: {
    cause: "The kernel's source could not be made ready to compile objects.",
    mend: "Read what was printed; report it with the kernel's release if the disk and the packages are sound.",
  },
  TOOLCHAIN_PACKAGE: {
    cause: "The archive does not have a kernel's compiler, or something that it runs with (any more).",
    mend: "Install the compiler with apt-get where the machine has it; otherwise choose a newer kernel.",
  },
  TOOLCHAIN_BROKEN: {
    cause: "A compiler that was unpacked into the cache is not complete or does not run here.",
    mend: "Report it with what was printed. Where the machine's Debian has that compiler, apt-get install it: it is then used.",
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

export const fail = sourcesErrors.fail;
