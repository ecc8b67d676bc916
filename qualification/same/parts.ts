/** Where two modules differ that ought to be the same: sections, and of the manifest its members. */
import { readElf } from "@suture/elf";

/**
 * The sum of an object with debug information: gcc writes types (.BTF) in an order that depends on where its memory lies, and DWARF holds the name of the
 * folder for scratch files. The code that is carried is in the module itself.
 */
export const PATCHED_SUMS = "manifest: objects.patched";
/** The sum of the livepatch below: whether that one is the same is told by itself. */
export const UPON_SUM = "manifest: inputs, livepatch";
const MANIFEST = ".suture";

export function differingParts(one: Uint8Array, other: Uint8Array): string[] {
  const [before, now] = [partsOf(one), partsOf(other)];
  return [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name)).sort();
}

function partsOf(bytes: Uint8Array): Map<string, string> {
  const parts = new Map<string, string>();
  for (const { name, type, flags, data, nobitsSize } of readElf(bytes, "module").sections)
    if (name !== MANIFEST) add(`section ${name}`, `${type} ${flags} ${nobitsSize} ${Buffer.from(data).toString("base64")}`);
    else
      for (const [key, value] of Object.entries(JSON.parse(Buffer.from(data).toString().replace(/\0*$/, "")) as Record<string, unknown>))
        if (key === "objects")
          for (const { patched, ...more } of value as ({ patched: string } & object)[]) {
            add("manifest: objects", JSON.stringify(more));
            add(PATCHED_SUMS, patched);
          }
        else if (key === "inputs")
          for (const { kind, name: file, sha256 } of value as { kind: string; name: string; sha256: string }[]) {
            add("manifest: inputs", `${kind} ${file} ${kind === "livepatch" ? "" : sha256}`);
            if (kind === "livepatch") add(UPON_SUM, sha256);
          }
        else add(`manifest: ${key}`, JSON.stringify(value));
  return parts;

  /** Sections may have one name. */
  function add(name: string, text: string): void {
    parts.set(name, `${parts.get(name) ?? ""}${text}\n`);
  }
}
