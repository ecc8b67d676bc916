/** What gcc adds to names, and what stays when it is taken away. */

/** `foo.isra.0.cold` → `foo.isra.cold`, `count.5` → `count`, `__UNIQUE_ID_ddebug404.5` → `__UNIQUE_ID_ddebug`, `__initcall__kmod_x__40_7_f6` → `__initcall__kmod_x__f6`. Two builds number these differently. */
export function stem(name: string): string {
  const plain = name.replace(/\.\d+(?=\.|$)/g, "");
  if (!plain.startsWith("__")) return plain;
  return plain.replace(/^(__UNIQUE_ID_.*?|__BTF_ID__.*?)\d+$/, "$1").replace(/^(__initcall__kmod_.+?__)\d+_\d+_/, "$1");
}

/** Made by gcc out of a function, perhaps with other parameters. */
export function isClone(name: string): boolean {
  return /\.(isra|constprop|part)\b/.test(name);
}

/** The function that a part split off by gcc belongs to: `foo.cold` → `foo`, `foo.isra.0.cold` → `foo.isra.0`. */
export function coldParent(name: string): string | undefined {
  const match = /^(.+)\.cold(\.\d+)?$/.exec(name);
  return match?.[1];
}

/**
 * Static locals that macros make, by the dozen and all with one name: their state is bookkeeping (warned once, rate limit, lock class).
 * A fresh one costs at most one more message, so these need no twin. One without a number is a variable of the file.
 */
const bookkeeping = /^(__already_done|__warned|__print_once|_rs|__key|__msg|__ret_once)\.\d+$/;

export function isBookkeeping(name: string): boolean {
  return bookkeeping.test(name);
}
