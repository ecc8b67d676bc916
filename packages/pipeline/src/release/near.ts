/** Which files have to do with each other by where they lie. */

/** In one folder, or one below the other's, that is not of the whole kernel. */
export function areNear(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => path.slice(0, path.lastIndexOf("/") + 1)) as [string, string];
  const outer = a.length < b.length ? a : b;
  return outer.split("/").length > 2 && a.startsWith(outer) && b.startsWith(outer) && !outer.startsWith("include/");
}
