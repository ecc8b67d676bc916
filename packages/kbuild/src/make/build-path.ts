/**
 * Where the kernel's build had the source. What UBSAN says of a place in the source names the file as the compiler opened it, and no option
 * turns that into another name: where a kernel was built outside of its source tree, it is a whole path. The kernel's own texts tell which.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { KernelConfig, KernelImage } from "@suture/kernel";

/** Texts that are looked at; a kernel with UBSAN has thousands. */
const ENOUGH = 400;

/** Undefined where compiled code does not say it. @param tree has the kernel's source */
export function buildPathOf(image: KernelImage, config: KernelConfig, tree: string): string | undefined {
  if (!config.enabled("CONFIG_UBSAN")) return undefined;
  const counts = new Map<string, number>();
  for (const section of image.sections.filter(({ name, nobits }) => name === ".rodata" && !nobits)) {
    const text = Buffer.from(image.read(section.address, section.size) ?? []).toString("latin1");
    let looked = 0;
    for (const [, path = ""] of text.matchAll(/(?<=\0)(\/[\w.+~:@/-]+\.[ch])(?=\0)/g)) {
      if (looked++ === ENOUGH) break;
      const folder = folderBefore(path, tree);
      if (folder !== undefined) counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
  }
  // Generated headers may have been elsewhere.
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0];
}

/** What stands before the path of a file of the tree. */
function folderBefore(path: string, tree: string): string | undefined {
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1))
    if (existsSync(join(tree, path.slice(at + 1)))) return path.slice(0, at);
  return undefined;
}

/** What the build makes is not where the source is. */
const GENERATED = /^(?:arch\/[^/]+\/)?include\/(?:generated|config)\//;

/** A preprocessed source, of which each part says that it is from a file of the tree in that folder. */
export function asBuiltIn(folder: string, preprocessed: string): string {
  return preprocessed.replace(/^(# \d+ )"([^"\n]*)"/gm, (line, start: string, path: string) => {
    const name = path.replace(/^(?:\.\/)+/, "");
    return name === "" || /^[/<]/.test(name) || GENERATED.test(name) ? line : `${start}"${folder}/${name}"`;
  });
}
