/** Parts of the kernel's source that people know by name: `mm`, `fs/ext4`, `drivers/net`. */

/** Folders whose folders are parts of their own. */
const OF_PARTS: ReadonlySet<string> = new Set(["arch", "drivers", "fs", "net", "sound", "security", "tools"]);

/** Each once, in the order of names. */
export function subsystemsOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map(subsystemOf))].sort();
}

function subsystemOf(path: string): string {
  const [first = "", second] = path.split("/").slice(0, -1);
  return OF_PARTS.has(first) && second !== undefined ? `${first}/${second}` : first;
}
