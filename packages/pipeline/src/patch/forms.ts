/** Files that are no text of a patch: named for what they are, with what makes a patch of them. */
import { fail } from "../errors.ts";

interface Form {
  /** As one says it: "it is ...". */
  what: string;
  mend: string;
  is(bytes: Uint8Array): boolean;
}

const starts =
  (...magic: number[]) =>
  (bytes: Uint8Array): boolean =>
    magic.every((byte, i) => bytes[i] === byte);

const unpack = (command: string): string => `Unpack it first: ${command}`;

/** Every second byte of plain text in UTF-16 is 0. */
const zerosAt = (bytes: Uint8Array, from: 0 | 1): boolean => {
  const sample = bytes.subarray(0, 200);
  return sample.length >= 4 && sample.filter((byte, i) => i % 2 === from && byte === 0).length * 4 > sample.length;
};

export const FORMS: readonly Form[] = [
  { what: "empty", mend: "Give the file that the patch was saved to.", is: (bytes) => bytes.every((byte) => byte <= 0x20) },
  { what: "compressed with gzip", mend: unpack("gzip -d < FILE > fix.patch"), is: starts(0x1f, 0x8b) },
  { what: "compressed with xz", mend: unpack("xz -d < FILE > fix.patch"), is: starts(0xfd, 0x37, 0x7a, 0x58, 0x5a) },
  {
    what: "compressed with bzip2",
    mend: unpack("bzip2 -d < FILE > fix.patch"),
    is: (bytes) => starts(0x42, 0x5a, 0x68)(bytes) && starts(0x31, 0x41, 0x59)(bytes.subarray(4)),
  },
  { what: "compressed with zstd", mend: unpack("zstd -d < FILE > fix.patch"), is: starts(0x28, 0xb5, 0x2f, 0xfd) },
  { what: "compressed with lz4", mend: unpack("lz4 -d < FILE > fix.patch"), is: starts(0x04, 0x22, 0x4d, 0x18) },
  { what: "compressed with lzma", mend: unpack("xz --format=lzma -d < FILE > fix.patch"), is: starts(0x5d, 0x00, 0x00) },
  {
    what: "a zip archive",
    mend: unpack("unzip FILE"),
    is: (bytes) => starts(0x50, 0x4b, 0x03, 0x04)(bytes) || starts(0x50, 0x4b, 0x05, 0x06)(bytes),
  },
  { what: "a 7z archive", mend: unpack("7z x FILE"), is: starts(0x37, 0x7a, 0xbc, 0xaf) },
  {
    what: "a tar archive",
    mend: unpack("tar xf FILE"),
    is: (bytes) => Buffer.from(bytes.subarray(257, 262)).toString("latin1") === "ustar",
  },
  {
    what: "a bundle of git's",
    mend: "Fetch from it, and make patches: git format-patch.",
    is: (bytes) => /^# v\d git bundle/.test(head(bytes)),
  },
  {
    what: "text in UTF-32",
    mend: "Make UTF-8 of it: iconv -f UTF-32 -t UTF-8 < FILE > fix.patch",
    is: (bytes) => starts(0xff, 0xfe, 0, 0)(bytes) || starts(0, 0, 0xfe, 0xff)(bytes),
  },
  {
    what: "text in UTF-16",
    mend: "Make UTF-8 of it: iconv -f UTF-16 -t UTF-8 < FILE > fix.patch (UTF-16LE or UTF-16BE where it begins with no mark)",
    is: (bytes) => starts(0xff, 0xfe)(bytes) || starts(0xfe, 0xff)(bytes) || zerosAt(bytes, 0) || zerosAt(bytes, 1),
  },
  { what: "a program or an object, not a text", mend: "Give the source patch.", is: starts(0x7f, 0x45, 0x4c, 0x46) },
  { what: "no text: it has bytes of zero", mend: "Give the patch as text.", is: (bytes) => bytes.includes(0) },
  {
    what: "a page in HTML, not the patch itself",
    mend: "Save the patch as plain text: cgit has it behind `patch`, GitHub at the commit's address with .patch, lore behind `raw`.",
    is: (bytes) => /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b/i.test(head(bytes)),
  },
];

function head(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 500)).toString("latin1");
}

/** @throws PATCH_UNREADABLE */
export function refuseOtherForms(bytes: Uint8Array, path: string, what = "it"): void {
  const form = FORMS.find(({ is }) => is(bytes));
  if (form !== undefined) throw fail("PATCH_UNREADABLE", `${what} is ${form.what}`, { file: path }, { mend: form.mend });
}

interface Guess {
  what: string;
  mend: string;
  form: RegExp;
}

/** Texts in which nothing was found that git or patch would read: what they may be. */
const GUESSES: readonly Guess[] = [
  {
    what: "its diff is indented, which git does not read",
    mend: "Take the spaces before its lines away.",
    form: /^([ \t]+)--- \S.*\n\1\+\+\+ \S.*\n\1@@ -/m,
  },
  {
    what: "its diff is quoted, as in an answer to a mail",
    mend: "Take the mail that is answered, not the answer.",
    form: /^(?:> ?)+(?:\+\+\+ \S|@@ -\d)/m,
  },
  { what: "it is an ed script", mend: "Make a unified diff: diff -u.", form: /^\d+(?:,\d+)?[acd]\n(?:[\s\S]*\n)?\.$|^\d+(?:,\d+)?d$/m },
  {
    what: "it is a series file of quilt, which names patches",
    mend: "Give the patches that it names, in that order.",
    form: /^(?:\s*(?:#.*)?\n)*(?:(?:#.*|\S+\.(?:patch|diff)(?: -p\d)?|\s*)\n?)+$/,
  },
  {
    what: "it is quoted-printable without the mail's header",
    mend: "Save the whole mail, with its header; or decode it with `git mailinfo`.",
    form: /=(?:20|3D|09)\b|=\n/,
  },
  {
    what: "it is base64 without the mail's header",
    mend: "Save the whole mail, with its header; or decode it: base64 -d.",
    form: /^\s*(?:[A-Za-z0-9+/]{40,}\r?\n)+[A-Za-z0-9+/]*={0,2}\s*$/,
  },
];

export function guessForm(text: string): { what: string; mend?: string } {
  const guess = GUESSES.find(({ form }) => form.test(text));
  return guess ?? { what: "no hunk (@@ ... @@) was found" };
}
