/** The name of a livepatch. */
import { fail } from "./errors.ts";

/** With `livepatch-` before it, what fits a module's name (MODULE_NAME_LEN). */
const LONGEST = 40;

/**
 * @param given by the user; otherwise the first patch's or source's file name, or the first of what is rebuilt, is made fit
 * @throws BUILD_NAME
 */
export function patchName(given: string | undefined, patches: readonly { name: string }[], rebuild: readonly string[]): string {
  return nameOf(given, patches[0]?.name ?? `rebuild ${rebuild[0]?.replace(/\.[oc](?=:|$)/, "") ?? ""}`);
}

/** @param from a file's name, which is made fit where the user has given none. @throws BUILD_NAME */
function nameOf(given: string | undefined, from: string): string {
  if (given !== undefined) {
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(given) || given.length > LONGEST)
      throw fail("BUILD_NAME", `"${given}" is no name of a livepatch`);
    return given;
  }
  const name = from
    .replace(/\.(patch|diff|txt|mbox|c)$/, "")
    .replace(/^\d{4}-/, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, LONGEST)
    .replace(/-+$/, "");
  if (name === "") throw fail("BUILD_NAME", `no name can be made out of ${from}`);
  return name;
}
