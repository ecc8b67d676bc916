/** Sections of the kernel by their names, and symbols. */

/** The numbers of types are filled in after the link, and sorted; what they are of, the names of the section's symbols say. */
export function isFilledLater(section: string): boolean {
  return section === ".BTF_ids";
}

/** Sections whose code is gone when the kernel has booted, the module is loaded, or is going. */
export function isInitOnly(section: string): boolean {
  return /^\.(init|exit|meminit|memexit|cpuinit|devinit|head)\b/.test(section);
}

/** Second names that the build takes out of the kernel's symbol table: of tables of devices, for modpost. Source: scripts/mksysmap. */
export function isLeftOut(symbol: string): boolean {
  return symbol.startsWith("__mod_device_table__");
}
