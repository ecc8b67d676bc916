/** Patch files → changes by file. docs/patch-files.md says which forms are read, and which are refused. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fail } from "../errors.ts";
import type { FileChange } from "./change.ts";
import { cvesNamed } from "./cves.ts";
import { guessForm, refuseOtherForms } from "./forms.ts";
import { textsOf } from "./mails.ts";
import { scan } from "./scan.ts";

export interface SourcePatch {
  /** File name without folders. */
  name: string;
  bytes: Uint8Array;
  /** From the header: the subject line without its [PATCH] mark, the CVEs that it says it fixes, and others that it names. */
  subject: string | undefined;
  cves: string[];
  mentioned: string[];
  changes: FileChange[];
  /** What of the file was left out, and why. */
  notes: string[];
}

/** No fix is larger: what is bigger was given by mistake. */
const LARGEST = 16 << 20;

/** @throws PATCH_UNREADABLE */
export async function readPatch(path: string): Promise<SourcePatch> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw fail(
      "PATCH_UNREADABLE",
      cause instanceof Error ? cause.message : String(cause),
      { file: path },
      { cause, mend: "Check the path." },
    );
  }
  return parseSourcePatch(bytes, path);
}

/** @throws PATCH_UNREADABLE */
export async function parseSourcePatch(bytes: Uint8Array, path: string): Promise<SourcePatch> {
  if (bytes.length > LARGEST) throw fail("PATCH_UNREADABLE", `${bytes.length} bytes are more than any fix has`, { file: path });
  refuseOtherForms(bytes, path);
  const { texts, notes } = await textsOf(bytes, path);
  const scanned = texts.map((text) => ({ text, ...scan(text, path) }));
  const changes = scanned.flatMap((each) => each.changes);
  if (changes.length === 0) {
    const all = texts.map(({ lines }) => lines.join("\n")).join("\n");
    const { what, mend } = guessForm(all);
    const left = scanned.flatMap((each) => each.notes);
    throw fail("PATCH_UNREADABLE", [`it holds no change: ${what}`, ...left].join("; "), { file: path }, mend === undefined ? {} : { mend });
  }
  const whole = new Set(scanned.filter((each) => each.changes.length > 0).map(({ text }) => text.begins));
  const empty = new Map(
    texts.flatMap(({ begins, subject }) => (begins === undefined || whole.has(begins) ? [] : [[begins, subject ?? ""] as const])),
  );
  return {
    name: basename(path),
    bytes,
    subject: texts.find(({ subject }) => subject !== undefined)?.subject,
    ...cvesNamed(
      scanned.map(({ text }) => text.subject ?? ""),
      scanned.flatMap(({ words }) => words),
    ),
    changes,
    notes: [
      ...notes,
      ...scanned.flatMap((each) => each.notes),
      ...[...empty].map(([begins, subject]) => `${begins}: the mail ${JSON.stringify(subject)} holds no change`),
    ],
  };
}
