/** Files of a source that say something about the kernel, but are not in it. */

const OF_KERNEL =
  /^(Documentation|tools|samples|LICENSES|usr)\/|^(MAINTAINERS|CREDITS|README|COPYING)$|\.(rst|txt|yaml)$|(^|\/)\.(gitignore|mailmap)$/;

/** The same for the folder of a module. */
const OF_MODULE = /(^|\/)(README|COPYING|LICENSE|dkms\.conf|\.gitignore)$|\.(md|rst|txt|yaml)$/;

export function isNoCode(of: "kernel" | "module"): (path: string) => boolean {
  const form = of === "kernel" ? OF_KERNEL : OF_MODULE;
  return (path) => form.test(path);
}
