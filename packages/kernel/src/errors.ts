import { defineErrors } from "@suture/errors";

const RECOPY = "The file is cut off or damaged: copy it again, or reinstall the kernel package that it came from.";

export const kernelErrors = defineErrors({
  KERNEL_UNREADABLE: {
    cause: "A file of the kernel cannot be opened or read, or is no regular file.",
    mend: "Check the path and that you may read it.",
  },
  KERNEL_TOO_BIG: {
    cause: "A file of the kernel, or what it unpacks to, is larger than any kernel is.",
    mend: "Give the kernel's own file; this one is something else or damaged.",
  },
  KERNEL_NOT_AN_IMAGE: {
    cause: "The file is neither an x86-64 bzImage (vmlinuz) nor an uncompressed vmlinux.",
    mend: "Give the /boot/vmlinuz-RELEASE of the kernel, or its uncompressed vmlinux.",
  },
  KERNEL_TRUNCATED: {
    cause: "A part of the kernel image that its header describes reaches past the file's end.",
    mend: RECOPY,
  },
  KERNEL_BAD_HEADER: {
    cause: "A field of the bzImage setup header has a value that the boot protocol does not allow.",
    mend: RECOPY,
  },
  KERNEL_BAD_PAYLOAD: {
    cause: "The compressed part of a file does not unpack, or not to the size that the file gives.",
    mend: RECOPY,
  },
  KERNEL_COMPRESSION_UNSUPPORTED: {
    cause: "A file is packed in a way that Suture does not unpack.",
    mend: "Unpack it by hand and give the uncompressed file (for an image: vmlinux, by scripts/extract-vmlinux of the kernel's source).",
  },
  KERNEL_UNPACKER_MISSING: {
    cause: "The program that unpacks this kind of compression is not installed.",
    mend: "Install it: apt-get install xz-utils zstd bzip2.",
  },
  KERNEL_BAD_IMAGE: {
    cause: "The image's ELF file is well formed, but no kernel is laid out like that.",
    mend: "Give the image of an x86-64 Linux kernel; if it is one, report this with the kernel's release.",
  },
  KERNEL_BAD_RELOCATIONS: {
    cause: "The relocation table after the image's ELF file is not well formed.",
    mend: RECOPY,
  },
  KERNEL_NO_KALLSYMS: {
    cause: "No kallsyms table was found in the image.",
    mend: "The kernel must be built with CONFIG_KALLSYMS=y and relative offsets, as every distribution's is.",
  },
  KERNEL_BAD_KALLSYMS: {
    cause: "The image's kallsyms table was found but does not decode to a list of symbols that fits the image.",
    mend: "The image is damaged, or of a kernel that lays kallsyms out in a new way: report this with the kernel's release.",
  },
  KERNEL_BAD_NOTE: {
    cause: "An ELF note is not well formed, or the build-id is not there.",
    mend: "The kernel must be linked with --build-id, as every distribution's is; otherwise the file is damaged.",
  },
  KERNEL_NO_BANNER: {
    cause: "The image holds no Linux version banner, or one of another release than its header gives.",
    mend: RECOPY,
  },
  KERNEL_FOREIGN_SYMBOL: {
    cause: "A symbol of one symbol table was looked for in another.",
    mend: "This is a fault in Suture: report it with the command and its inputs.",
  },
  KERNEL_BAD_TABLE: {
    cause: "The symbols that mark the start and end of a table of the kernel do not enclose a part of the image.",
    mend: RECOPY,
  },
  KERNEL_CACHE_DAMAGED: {
    cause: "The cached form of a kernel image changed on disk after it was written. It has been removed.",
    mend: "Run the command again: the image is decoded anew. Check the disk if this happens more than once.",
  },
  KERNEL_BAD_BTF: {
    cause: "The type information (BTF) of the image or module is not well formed.",
    mend: RECOPY,
  },
  KERNEL_BAD_CONFIG: {
    cause: "A line of a kernel configuration is not what kconfig writes.",
    mend: "Give the configuration that the kernel was built with, e.g. /boot/config-RELEASE.",
  },
  KERNEL_BAD_SYMVERS: {
    cause: "A line of Module.symvers is not what modpost writes.",
    mend: "Give the Module.symvers of the kernel's headers package.",
  },
  KERNEL_BAD_MODULE: {
    cause: "A file is not a kernel module, or its .modinfo is not well formed.",
    mend: "Give a .ko file of the kernel, packed or not.",
  },
  KERNEL_SYMPOS_AMBIGUOUS: {
    cause: "The kernel numbers the symbols of that name in two ways, before and after the module's init ran.",
    mend: "This function cannot be patched by name; patch its callers, or report the module.",
  },
});

export const fail = kernelErrors.fail;
