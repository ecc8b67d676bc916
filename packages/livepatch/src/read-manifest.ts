import type { ElfObject } from "@suture/elf";
import { type Manifest, manifestSchema } from "@suture/protocol";
import * as v from "valibot";
import { MANIFEST_SECTION } from "./contents.ts";
import { fail } from "./errors.ts";

/** The manifest of a module; undefined if Suture did not make it. */
export function readManifest(elf: ElfObject): Manifest | undefined {
  const section = elf.sections.find((s) => s.name === MANIFEST_SECTION);
  if (section === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(section.data).toString("utf8"));
  } catch (cause) {
    throw fail("KLP_BAD_MODULE", "its manifest is no JSON", { file: elf.file, section: MANIFEST_SECTION }, { cause });
  }
  const checked = v.safeParse(manifestSchema, parsed, { abortEarly: true });
  if (!checked.success) {
    const [issue] = checked.issues;
    const where = v.getDotPath(issue) ?? "the whole";
    throw fail("KLP_BAD_MODULE", `its manifest is not of a form that this version knows: ${where}: ${issue.message}`, {
      file: elf.file,
      section: MANIFEST_SECTION,
    });
  }
  // With the members that a later version may have added.
  return parsed as Manifest;
}
