/** Patch files → changes by file. Reads git format-patch (also several in one mailbox), git diff and plain unified diffs, -p0 and -p1. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { parsePatch, type StructuredPatch } from "diff";
import { fail } from "../errors.ts";

/** What a patch does to one file of the source. */
export interface FileChange {
  /** The patch file, for errors. */
  from: string;
  /** As the patch writes them; undefined for /dev/null. */
  oldName: string | undefined;
  newName: string | undefined;
  patch: StructuredPatch;
}

export interface SourcePatch {
  /** File name without folders. */
  name: string;
  bytes: Uint8Array;
  /** From the header: the subject line without its [PATCH] mark, and the CVE ids that it names. */
  subject: string | undefined;
  cves: string[];
  changes: FileChange[];
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
export function parseSourcePatch(bytes: Uint8Array, path: string): SourcePatch {
  if (bytes.length > LARGEST) throw fail("PATCH_UNREADABLE", `${bytes.length} bytes are more than any fix has`, { file: path });
  // latin1 keeps every byte: sources are not all UTF-8.
  const lines = Buffer.from(bytes).toString("latin1").replaceAll("\r\n", "\n").split("\n");
  const { kept, header } = sift(lines);
  let parsed: StructuredPatch[];
  try {
    parsed = parsePatch(kept.join("\n"));
  } catch (cause) {
    throw fail("PATCH_UNREADABLE", cause instanceof Error ? cause.message : String(cause), { file: path }, { cause });
  }
  refuseSpecial(kept, path);
  const changes = parsed.filter((patch) => patch.hunks.length > 0).map((patch) => change(patch, path));
  if (changes.length === 0) throw fail("PATCH_UNREADABLE", "it holds no change: no hunk (@@ ... @@) was found", { file: path });
  const text = Buffer.from(header.join("\n"), "latin1").toString("utf8");
  return { name: basename(path), bytes, subject: subjectOf(text), cves: cvesOf(text), changes };
}

/** The lines without mail signatures ("-- " and what follows, outside of hunks), and those before the first change. */
function sift(lines: readonly string[]): { kept: string[]; header: string[] } {
  const kept: string[] = [];
  const header: string[] = [];
  let left = { old: 0, new: 0 };
  let inSignature = false;
  let seen = false;
  for (const line of lines) {
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (left.old > 0 || left.new > 0) {
      if (line.startsWith("-")) left.old--;
      else if (line.startsWith("+")) left.new--;
      else if (!line.startsWith("\\")) left = { old: left.old - 1, new: left.new - 1 };
    } else if (hunk !== null) left = { old: Number(hunk[1] ?? 1), new: Number(hunk[2] ?? 1) };
    else if (line === "-- ") inSignature = true;
    if (/^(From [0-9a-f]{12,}|diff --git |--- )/.test(line)) inSignature = false;
    if (/^(diff --git |--- \S)/.test(line)) seen = true;
    if (!seen) header.push(line);
    if (!inSignature) kept.push(line);
  }
  return { kept, header };
}

const SPECIAL: readonly [RegExp, string][] = [
  [/^(GIT binary patch|Binary files .* differ)/, "a binary change"],
  [/^(rename|copy) (from|to) /, "a renamed or copied file"],
  [/^deleted file mode /, "a deleted file"],
  [/^new file mode 120000/, "a symbolic link"],
];

function refuseSpecial(lines: readonly string[], path: string): void {
  lines.forEach((line, i) => {
    const special = SPECIAL.find(([form]) => form.test(line));
    if (special !== undefined) throw fail("PATCH_UNREADABLE", `line ${i + 1} is ${special[1]}: ${line}`, { file: path });
  });
}

function change(patch: StructuredPatch, from: string): FileChange {
  const name = (text: string | undefined): string | undefined => (text === undefined || text === "/dev/null" ? undefined : text);
  const oldName = name(patch.oldFileName);
  const newName = name(patch.newFileName);
  if (newName === undefined) throw fail("PATCH_UNREADABLE", `it deletes ${oldName ?? "a file"}`, { file: from });
  return { from, oldName, newName, patch };
}

/** Mail headers may go on in a line that starts with a space. */
function subjectOf(header: string): string | undefined {
  const match = /^Subject:[ \t]*(.*(?:\n[ \t]+.*)*)/m.exec(header);
  const subject = match?.[1]
    ?.replace(/\n[ \t]+/g, " ")
    .replace(/^(\[[^\]]*\]\s*)+/, "")
    .trim();
  return subject === undefined || subject === "" ? undefined : subject;
}

function cvesOf(header: string): string[] {
  return [...new Set(header.match(/\bCVE-\d{4}-\d{4,7}\b/g) ?? [])].sort();
}
