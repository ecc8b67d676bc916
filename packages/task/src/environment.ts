/** The environment of child processes. */

/**
 * What leads compilers, make and the kernel's build elsewhere without being said in a command: what they make would be of who asks, and what is kept of it
 * is for whoever asks next. Words for make are given to the command.
 */
const LEADING =
  /^(?:C_INCLUDE_PATH|CPATH|CPLUS_INCLUDE_PATH|OBJC_INCLUDE_PATH|COMPILER_PATH|LIBRARY_PATH|GCC_\w+|COLLECT_\w+|DEPENDENCIES_OUTPUT|SUNPRO_DEPENDENCIES|MAKEFLAGS|GNUMAKEFLAGS|MFLAGS|MAKEFILES|MAKELEVEL|MAKEOVERRIDES|K[AC]FLAGS|KCPPFLAGS|KRUSTFLAGS|(?:CFLAGS|AFLAGS|LDFLAGS)_(?:KERNEL|MODULE)|KBUILD_\w+|KCONFIG_\w+|KERNELRELEASE|KERNELVERSION|LOCALVERSION|ARCH|SRCARCH|SUBARCH|CROSS_COMPILE|LLVM(?:_IAS)?)$/;

/** With LC_ALL=C: what programs print is read. */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, string>> = {},
): Record<string, string | undefined> {
  const kept = Object.entries(own).filter(([name]) => !LEADING.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: "C", ...more };
}
