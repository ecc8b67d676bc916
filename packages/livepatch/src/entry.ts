/** The C that every livepatch module starts with. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** c/ stands beside the one file of the bundle, and beside src/ in a checkout. */
export function entrySource(): string {
  const [bundled, source] = ["c/entry.c", "../c/entry.c"].map((path) => join(import.meta.dirname, path)) as [string, string];
  return readFileSync(existsSync(bundled) ? bundled : source, "utf8");
}
