/** Every form of patch file with what is done with it: docs/patch-files.md shows this table, and a test goes through it. */
import { gzipSync } from "node:zlib";

export interface PatchForm {
  form: string;
  /** "read": fs/x.c becomes CHANGED. "told": the same, with a note. "refused": with PATCH_UNREADABLE or PATCH_DOES_NOT_APPLY. */
  done: "read" | "refused" | "told";
  /** Of the message of the refusal, or of the note. */
  says?: string;
  patch: string | Uint8Array;
  /** The text of the file, where it is another one than SOURCE. */
  becomes?: string;
}

const lines = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `\tx = ${from + i};`);

/** fs/x.c: two functions with 20 statements each. */
export const SOURCE = ["int first(void)", "{", ...lines(1, 20), "}", "", "int second(int a)", "{", ...lines(21, 40), "}", ""].join("\n");
export const CHANGED = SOURCE.replace("\tx = 10;\n", "\tx = 10;\n\tx = 100;\n");

const HUNK = "@@ -10,6 +10,7 @@ int first(void)\n \tx = 8;\n \tx = 9;\n \tx = 10;\n+\tx = 100;\n \tx = 11;\n \tx = 12;\n \tx = 13;\n";
const PLAIN = `--- a/fs/x.c\n+++ b/fs/x.c\n${HUNK}`;
const GIT = `diff --git a/fs/x.c b/fs/x.c\nindex 1234567..89abcde 100644\n${PLAIN}`;
const FROM = "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n";
const HEAD = "From: A B <a@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH 1/2] fs: mend it\n";
const BODY = `Text of the fix.\n---\n fs/x.c | 1 +\n 1 file changed, 1 insertion(+)\n\n${GIT}-- \n2.39.2\n\n`;
const MAIL = `${FROM}${HEAD}\n${BODY}`;
const base64 = (text: string): string =>
  `${(
    Buffer.from(text)
      .toString("base64")
      .match(/.{1,76}/g) ?? []
  ).join("\n")}\n`;
const printable = (text: string): string =>
  text
    .split("\n")
    .map((line) =>
      line
        .replace(/[=\t\x80-\xff]|[ ]$/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)
        .replace(/^(.{40})(.{35,})$/, "$1=\n$2"),
    )
    .join("\n");
const encoded = (encoding: string, body: string, charset = "UTF-8"): string =>
  `${FROM}${HEAD}MIME-Version: 1.0\nContent-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: ${encoding}\n\n${body}`;
const multipart = (type: string, ...parts: string[]): string =>
  `${FROM}${HEAD}MIME-Version: 1.0\nContent-Type: multipart/${type}; boundary="=-x1"\n\n${parts.map((part) => `--=-x1\n${part}`).join("\n")}\n--=-x1--\n`;
const OTHER = "diff --git a/fs/y.c b/fs/y.c\n";
const utf16 = (text: string): Uint8Array => Buffer.from(text, "utf16le");
const wrap = (message: string): string => `${FROM}${HEAD}\n${message}\n${BODY.slice(BODY.indexOf("---\n"))}`;

export const PATCH_FORMS: readonly PatchForm[] = [
  // What git and diff write.
  { form: "`git diff`, `git show`", done: "read", patch: `commit 0123\nAuthor: A\n\n    fs: mend it\n\n${GIT}` },
  { form: "`git format-patch`, with its signature", done: "read", patch: MAIL },
  { form: "the same without the line `From `", done: "read", patch: `${HEAD}\n${BODY}` },
  {
    form: "`diff -u`, with dates behind the names",
    done: "read",
    patch: `--- linux-6.1/fs/x.c.orig\t2024-01-01 10:00:00.000000000 +0100\n+++ linux-6.1/fs/x.c\t2024-01-02 10:00:00.000000000 +0100\n${HUNK}`,
  },
  { form: "names without a/ and b/ (-p0)", done: "read", patch: PLAIN.replaceAll(/ [ab]\//g, " ") },
  {
    form: "`Index:` of Subversion, CVS and quilt",
    done: "read",
    patch: `Index: fs/x.c\n${"=".repeat(67)}\n--- fs/x.c\t(revision 5)\n+++ fs/x.c\t(working copy)\n${HUNK}`,
  },
  {
    form: "`Index:` with the path, and a diff that has only the file's name (old CVS)",
    done: "read",
    patch: `Index: fs/x.c\nRCS file: /cvs/fs/x.c,v\nretrieving revision 1.1\ndiff -u -r1.1 -r1.2\n--- x.c\t1 Jan 2024 10:00:00 -0000\t1.1\n+++ x.c\t2 Jan 2024 10:00:00 -0000\t1.2\n${HUNK}`,
  },
  {
    form: "a header of Debian's before the diff (DEP-3)",
    done: "read",
    patch: `Description: mend it\n - one\n + two\nOrigin: upstream\n---\n${PLAIN}`,
  },
  {
    form: "names in quotation marks, with octal escapes",
    done: "read",
    patch: `diff --git "a/fs/\\170.c" "b/fs/\\170.c"\n--- "a/fs/\\170.c"\n+++ "b/fs/\\170.c"\n${HUNK}`,
  },
  { form: "lines that end with CR LF", done: "read", patch: MAIL.replaceAll("\n", "\r\n") },
  {
    form: "context lines whose only space was lost",
    done: "read",
    patch: `--- a/fs/x.c\n+++ b/fs/x.c\n@@ -21,5 +21,6 @@\n \tx = 19;\n \tx = 20;\n }\n\n+int between;\n int second(int a)\n`,
    becomes: SOURCE.replace("}\n\nint second", "}\n\nint between;\nint second"),
  },
  {
    form: "a line without a newline at the end of a file",
    done: "read",
    patch: `--- a/fs/x.c\n+++ b/fs/x.c\n@@ -44,4 +44,4 @@ int second(int a)\n \tx = 38;\n \tx = 39;\n \tx = 40;\n-}\n+} /**/\n\\ No newline at end of file\n`,
    becomes: SOURCE.replace(/}\n$/, "} /**/"),
  },
  { form: "a mark of UTF-8 at the beginning", done: "read", patch: `\xef\xbb\xbf${PLAIN}` },
  // Mails.
  {
    form: "a mailbox of several mails, with `>From ` for what looks like their beginning",
    done: "read",
    patch: `${wrap(">From the beginning it was wrong.")}${HEAD.replace("From: ", `${FROM}From: `).replace("1/2", "2/2")}\nNo more.\n---\ndiff --git a/fs/x.c b/fs/x.c\n--- a/fs/x.c\n+++ b/fs/x.c\n@@ -12,3 +12,3 @@ int first(void)\n \tx = 10;\n-\tx = 100;\n+\tx = 200;\n \tx = 11;\n-- \n2.39.2\n`,
    becomes: CHANGED.replace("100", "200"),
  },
  {
    form: "a mailbox as archives of lists give it (address and date in the line `From `)",
    done: "read",
    patch: `From mboxrd@z Thu Jan  1 00:00:00 1970\nReturn-Path: <x@y>\nReceived: by a\n\tfor b\n${HEAD}\n${BODY}`,
  },
  { form: "a mail with a body in quoted-printable", done: "read", patch: encoded("quoted-printable", printable(BODY)) },
  { form: "a mail with a body in base64", done: "read", patch: encoded("base64", base64(BODY)) },
  {
    form: "the same in UTF-16, or any other character set",
    done: "read",
    patch: encoded("base64", `${Buffer.from(BODY, "utf16le").toString("base64")}\n`, "utf-16le"),
  },
  {
    form: "a mail of several parts, with the patch in the text or attached",
    done: "read",
    patch: multipart(
      "mixed",
      "Content-Type: text/plain; charset=us-ascii\n\nHere it is.\n",
      `Content-Type: text/x-patch; name="fix.patch"\nContent-Disposition: attachment; filename="fix.patch"\nContent-Transfer-Encoding: base64\n\n${base64(MAIL)}`,
    ),
  },
  {
    form: "a signed mail (PGP/MIME)",
    done: "read",
    patch: multipart(
      "signed",
      `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n${printable(BODY)}`,
      "Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\nabc=\n-----END PGP SIGNATURE-----\n",
    ),
  },
  {
    form: "a mail with text and HTML: the text",
    done: "read",
    patch: multipart(
      "alternative",
      `Content-Type: text/plain; charset=utf-8\n\n${BODY}`,
      "Content-Type: text/html; charset=utf-8\n\n<p>Text</p>\n",
    ),
  },
  {
    form: "a mail whose text may be wrapped (format=flowed), if the patch comes out whole",
    done: "read",
    patch: `${FROM}${HEAD}Content-Type: text/plain; charset=utf-8; format=flowed\n\n${BODY.replaceAll(/^ /gm, "  ")}`,
  },
  {
    form: "a mail in HTML only",
    done: "refused",
    says: "the mail is in HTML",
    patch: `${FROM}${HEAD}Content-Type: text/html\n\n<pre>${PLAIN}</pre>\n`,
  },
  {
    form: "a mail with bytes that are not of its character set",
    done: "refused",
    says: "bytes that are not of its character set",
    patch: encoded("quoted-printable", printable(BODY.replace("Text", "T=E4xt")).replace("=3DE4", "=E4")),
  },
  {
    form: "new lines with letters that are no ASCII, in a mail in another set than UTF-8",
    done: "refused",
    says: "the new line has letters that are no ASCII, in a mail in iso-8859-1",
    patch: encoded("quoted-printable", printable(BODY.replace("x = 100;", "x = 100; /* ä */")).replace(/=E4/g, "=E4"), "ISO-8859-1"),
  },
  {
    form: "a mail without a change in a mailbox that has some (cover letter, answer)",
    done: "told",
    says: 'the mail "fs: mend it" holds no change',
    patch: `${FROM}${HEAD}\nThis series mends it.\n\n> @@ -1 +1 @@\n> -x\n\n${MAIL}`,
  },
  {
    form: "an attachment that is no patch",
    done: "told",
    says: "is no patch",
    patch: multipart(
      "mixed",
      `Content-Type: text/plain\n\n${BODY}`,
      "Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n",
    ),
  },
  {
    form: "an attachment that is compressed",
    done: "refused",
    says: "is compressed with gzip",
    patch: multipart(
      "mixed",
      "Content-Type: text/plain\n\nHere.\n",
      `Content-Type: application/gzip; name="fix.patch.gz"\nContent-Disposition: attachment; filename="fix.patch.gz"\nContent-Transfer-Encoding: base64\n\n${gzipSync(PLAIN).toString("base64")}\n`,
    ),
  },
  {
    form: "an indented diff in what a mail says, or beside a patch",
    done: "told",
    says: "begins a diff that is indented",
    patch: wrap(`It was:\n\n${PLAIN.replaceAll(/^/gm, "    ")}`),
  },
  {
    form: "a hunk alone in what a mail says",
    done: "told",
    says: "stands in what the mail says",
    patch: wrap("It was:\n\n@@ -1,2 +3,4 @@\n x\n"),
  },
  // What is named and refused.
  { form: "an empty file", done: "refused", says: "it is empty", patch: "\n \n" },
  {
    form: "a file that is compressed (gzip, xz, bzip2, zstd, lz4, lzma, zip, 7z) or an archive",
    done: "refused",
    says: "compressed with gzip",
    patch: gzipSync(PLAIN),
  },
  { form: "text in UTF-16 or UTF-32, with or without a mark", done: "refused", says: "text in UTF-16", patch: utf16(PLAIN) },
  { form: "a page in HTML", done: "refused", says: "a page in HTML", patch: `<!DOCTYPE html>\n<html><pre>${PLAIN}</pre></html>\n` },
  { form: "words without a change", done: "refused", says: "it holds no change", patch: "hello\n" },
  { form: "a series file of quilt", done: "refused", says: "series file of quilt", patch: "# stable\nfix-one.patch\nfix-two.patch -p1\n" },
  {
    form: "a context diff (`diff -c`)",
    done: "refused",
    says: "begins a context diff",
    patch: `*** a/fs/x.c\n--- b/fs/x.c\n***************\n*** 10,12 ****\n--- 10,13 ----\n  \tx = 8;\n+ \tx = 100;\n`,
  },
  {
    form: "a diff without context (`diff`)",
    done: "refused",
    says: "normal diff",
    patch: "diff fs/x.c.orig fs/x.c\n12a13\n> \tx = 100;\n",
  },
  { form: "an ed script (`diff -e`)", done: "refused", says: "ed script", patch: "12a\n\tx = 100;\n.\n" },
  {
    form: "a combined diff (`diff --cc`, `@@@`) of a merge",
    done: "refused",
    says: 'line 11: "diff --cc fs/x.c" is of a combined diff',
    patch: `${PLAIN}diff --cc fs/x.c\nindex 1,2..3\n--- a/fs/x.c\n+++ b/fs/x.c\n@@@ -1,1 -1,1 +1,2 @@@\n  int first(void)\n++x\n`.replace(
      "+\tx = 100;\n",
      "+\tx = 100;\n",
    ),
  },
  {
    form: "a patch that was signed as a text (`- --- a/x.c`)",
    done: "refused",
    says: "signed as a text",
    patch: `-----BEGIN PGP SIGNED MESSAGE-----\n\n${PLAIN.replaceAll(/^-/gm, "- -")}`,
  },
  {
    form: "a diff with a terminal's colours, also behind another",
    done: "refused",
    says: "a terminal's colours",
    patch: `${PLAIN}${PLAIN.replaceAll(/^(.+)$/gm, "\u001b[1m$1\u001b[m")}`,
  },
  {
    form: "a file in uuencode",
    done: "refused",
    says: "in uuencode",
    patch: `${PLAIN}begin 644 y.patch\nM+2TM(&$O9G,O<')O8R]L;V%D879G+F,*\n\`\nend\n`,
  },
  {
    form: "what `diff -q` says of a source (`Files a/x.c and b/x.c differ`)",
    done: "refused",
    says: "does not hold how",
    patch: `${PLAIN}Files a/fs/y.c and b/fs/y.c differ\n`,
  },
  {
    form: "a diff of which every line is indented",
    done: "refused",
    says: "its diff is indented",
    patch: PLAIN.replaceAll(/^(?=.)/gm, "  "),
  },
  {
    form: "quoted-printable or base64 without the mail's header",
    done: "refused",
    says: "quoted-printable without the mail's header",
    patch: "Text =\nof it=20\n",
  },
  {
    form: "a change in binary, a renamed, copied or deleted file, a symbolic link, a submodule",
    done: "refused",
    says: "renames a file",
    patch: `${GIT}diff --git a/fs/y.c b/fs/z.c\nsimilarity index 100%\nrename from fs/y.c\nrename to fs/z.c\n`,
  },
  {
    form: "the same of a file that no kernel is made of (Documentation)",
    done: "told",
    says: "deletes a file that no kernel is made of",
    patch: `${GIT}diff --git a/Documentation/x.rst b/Documentation/x.rst\ndeleted file mode 100644\nindex 1..0\n--- a/Documentation/x.rst\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n`,
  },
  {
    form: "another mode of a file, and no other change of it",
    done: "told",
    says: "gets another mode",
    patch: `diff --git a/scripts/a.sh b/scripts/a.sh\nold mode 100644\nnew mode 100755\n${GIT}`,
  },
  // Damage.
  {
    form: "a file's header without a hunk",
    done: "refused",
    says: 'line 13: "diff --git a/fs/y.c b/fs/y.c" is followed by no change',
    patch: `${GIT}${OTHER}index 1..2 100644\n`,
  },
  {
    form: "a header of a hunk that is damaged",
    done: "refused",
    says: "is no header of a hunk",
    patch: `${GIT}${OTHER}--- a/fs/y.c\n+++ b/fs/y.c\n@ -1,1 +1,2 @@\n x\n+y\n`,
  },
  {
    form: "the same behind a hunk that is whole",
    done: "refused",
    says: 'line 13: "@ -20,1 +20,2 @@" is a damaged header of a hunk',
    patch: `${GIT}@ -20,1 +20,2 @@\n \tx = 18;\n+y\n`,
  },
  { form: "a hunk without a file's header", done: "refused", says: "has no header (--- and +++)", patch: HUNK },
  { form: "a hunk that ends early", done: "refused", says: "the hunk ends early", patch: PLAIN.slice(0, PLAIN.indexOf(" \tx = 12")) },
  {
    form: "a hunk with more lines than its header says",
    done: "refused",
    says: "is behind a hunk that has all the lines",
    patch: `${PLAIN} \tx = 14;\n+\tx = 200;\n`,
  },
  {
    form: "a hunk with a line that was wrapped",
    done: "refused",
    says: "is no line of a hunk",
    patch: PLAIN.replace(" \tx = 12;", " \tx =\n12;"),
  },
  {
    form: "tabs or spaces that were changed on the way",
    done: "refused",
    says: "with other white space",
    patch: PLAIN.replaceAll("\t", "        "),
  },
  {
    form: "`Index:` without a diff",
    done: "refused",
    says: '"Index: fs/y.c" is followed by no unified diff',
    patch: `${PLAIN}Index: fs/y.c\n`,
  },
  {
    form: "names in `diff --git` and `---` that differ",
    done: "refused",
    says: "is not what the line diff --git before it names",
    patch: GIT.replace("--- a/fs/x.c", "--- a/fs/y.c"),
  },
  {
    form: "a diff without its `---` or `+++`",
    done: "refused",
    says: "has no line --- before it",
    patch: `${PLAIN}-- a/fs/y.c\n+++ b/fs/y.c\n@@ -1 +1,2 @@\n x\n+y\n`.replace("-- a/fs/y.c\n", ""),
  },
  // Where hunks go.
  {
    form: "hunks that have moved, where they fit in one place, in the function that they name",
    done: "told",
    says: "hunk 1 of fs/x.c went in 5 lines further down",
    patch: PLAIN.replace("-10,6 +10,7", "-5,6 +5,7"),
  },
  {
    form: "hunks that have moved and fit in several places",
    done: "refused",
    says: "has moved, and fits in 2 places: lines 23 (first), 47 (second)",
    patch: "--- a/fs/x.c\n+++ b/fs/x.c\n@@ -30,1 +30,1 @@\n-}\n+} /**/\n",
  },
  {
    form: "hunks that have moved into another function than they name",
    done: "refused",
    says: "its header names second",
    patch: PLAIN.replace("-10,6 +10,7 @@ int first(void)", "-35,6 +35,7 @@ int second(int a)"),
  },
  {
    form: "hunks without context",
    done: "refused",
    says: "has no context",
    patch: "--- a/fs/x.c\n+++ b/fs/x.c\n@@ -12,0 +13 @@\n+\tx = 100;\n",
  },
  { form: "hunks that apply only with fuzz", done: "refused", says: "does not apply", patch: PLAIN.replace("x = 8;", "x = 88;") },
];

const DONE = { read: "read", told: "read, and told", refused: "refused" } as const;

/** The table of docs/patch-files.md. */
export function formsTable(): string {
  const rows = PATCH_FORMS.map(
    ({ form, done, says }) => `| ${form} | ${DONE[done]}${says === undefined ? "" : `: "${says.replaceAll("|", "\\|")}"`} |`,
  );
  return ["| form | what is done with it |", "| --- | --- |", ...rows].join("\n");
}
