/**
 * A patch file → the texts in it that are read: the whole file, or what the mails of a mailbox say once they are decoded. Bodies that are
 * written as they are keep every byte; encoded ones are decoded to UTF-8.
 */
import PostalMime, { type Attachment, decodeWords } from "postal-mime";
import { fail } from "../errors.ts";
import { refuseOtherForms } from "./forms.ts";

export interface Text {
  lines: string[];
  /** It begins with what a mail says: git and patch read no change in it. */
  mail: boolean;
  /** Where the mail that it is of begins, if it is of one. */
  begins: string | undefined;
  subject: string | undefined;
  /** Where a line is, for people. */
  placeOf(line: number): string;
  /** The character set that the text was decoded from, if not UTF-8: bytes that are no ASCII may be meant otherwise. */
  charset: string | undefined;
}

export interface Texts {
  texts: Text[];
  notes: string[];
}

/** The line that begins a mail in a mailbox: of git's, or with an address and a date. */
const FROM = /^From (?:[0-9a-f]{12,} |\S+.*\b\d{1,2}:\d\d(?::\d\d)?\b.*\b\d{4}\b)/;
const HEADER = /^[A-Za-z][\w-]*:(?:\s|$)/;
/** A field, or a line that goes on with one. As git has it, the first line that is neither begins the body, be it empty or not. */
const IN_HEADER = /^(?:[A-Za-z][\w-]*:|[ \t]+\S|>?From )/;
const OF_MAIL =
  /^(?:From|Subject|Date|Message-ID|MIME-Version|Content-Type|Content-Transfer-Encoding|Received|Return-Path|Delivered-To|Description):/im;

/** @throws PATCH_UNREADABLE */
export async function textsOf(bytes: Uint8Array, path: string): Promise<Texts> {
  // latin1 keeps every byte: sources are not all UTF-8.
  const lines = Buffer.from(bytes)
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .split("\n");
  const starts = [0, ...lines.flatMap((line, i) => (i > 0 && FROM.test(line) ? [i] : []))];
  const found: Texts = { texts: [], notes: [] };
  for (const [i, start] of starts.entries()) {
    const part = lines.slice(start, starts[i + 1]);
    // What the next mail's line ends is a line, too.
    if (starts[i + 1] !== undefined) part.push("");
    const { texts, notes } = await textsOfMail(part, start, path);
    found.texts.push(...texts);
    found.notes.push(...notes);
  }
  return found;
}

async function textsOfMail(lines: string[], start: number, path: string): Promise<Texts> {
  const placeOf = (line: number): string => `line ${start + line + 1}`;
  const envelope = FROM.test(lines[0] ?? "") ? 1 : 0;
  const first = lines.findIndex((line, i) => i >= envelope && line.trim() !== "");
  const end = lines.findIndex((line, i) => i > first && !IN_HEADER.test(line));
  const header = lines.slice(Math.max(first, 0), end < 0 ? lines.length : end).map((line) => line.replace(/\r$/, ""));
  const isMail = envelope > 0 || (HEADER.test(header[0] ?? "") && OF_MAIL.test(header.join("\n")));
  const plain = {
    lines: withoutReturns(lines),
    mail: isMail,
    begins: isMail ? placeOf(0) : undefined,
    placeOf,
    charset: undefined,
  };
  if (!isMail) return { texts: [{ ...plain, subject: undefined }], notes: [] };
  const fields = fieldsOf(header);
  const subject = subjectOf(fields.get("subject"));
  const type = fields.get("content-type") ?? "text/plain";
  const charset = /charset="?([\w-]+)/i.exec(type)?.[1]?.toLowerCase();
  const isPlain =
    /^(?:text\/plain|text\/x-\w+)\b/i.test(type) &&
    !/format="?flowed/i.test(type) &&
    !/utf-?(?:16|32|7)/.test(charset ?? "") &&
    /^(?:7bit|8bit|binary)?$/i.test(fields.get("content-transfer-encoding")?.trim() ?? "");
  if (isPlain) return { texts: [{ ...plain, subject }], notes: [] };
  const body = end < 0 ? [] : lines.slice(lines[end]?.trim() === "" ? end + 1 : end);
  return decoded([...header, "", ...body].join("\n"), { path, subject, charset, at: placeOf(0) });
}

interface Mail {
  path: string;
  subject: string | undefined;
  charset: string | undefined;
  /** The line that it begins in. */
  at: string;
}

async function decoded(source: string, { path, subject, charset, at }: Mail): Promise<Texts> {
  const where = { file: path };
  const email = await PostalMime.parse(Buffer.from(source, "latin1")).catch((cause: unknown) => {
    throw fail("PATCH_UNREADABLE", `${at}: the mail cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, where, {
      cause,
    });
  });
  const texts: Text[] = [];
  const notes: string[] = [];
  if (email.html === undefined || email.text?.trim()) {
    const text = email.text ?? "";
    if (text.includes("\ufffd"))
      throw fail("PATCH_UNREADABLE", `${at}: the mail has bytes that are not of its character set (${charset ?? "none is named"})`, where, {
        mend: "Save the mail as it was sent (lore and patchwork have it), or make the patch anew: git format-patch.",
      });
    const lines = Buffer.from(text, "utf8").toString("latin1").split("\n");
    const placeOf = (line: number): string => `line ${line + 1} of the decoded mail that begins in ${at}`;
    const other = charset === undefined || /^(?:utf-?8|us-ascii)$/.test(charset) ? undefined : charset;
    texts.push({ lines: withoutReturns(lines), mail: true, begins: at, subject, placeOf, charset: other });
  } else
    throw fail("PATCH_UNREADABLE", `${at}: the mail is in HTML, in which the white space of a patch is lost`, where, {
      mend: "Take the patch as plain text: the archive of the list, or git format-patch.",
    });
  for (const attachment of email.attachments) {
    const name = attachment.filename ?? attachment.mimeType;
    const content = bytesOf(attachment);
    if (/^application\/(?:pgp|(?:x-)?pkcs7)-signature$/.test(attachment.mimeType)) continue;
    if (!mayBePatch(attachment, content)) {
      notes.push(`${at}: the mail's attachment ${name} (${attachment.mimeType}) is no patch, and was left out`);
      continue;
    }
    refuseOtherForms(content, path, `${at}: the mail's attachment ${name}`);
    const inner = await textsOf(content, path);
    const placeOf = (line: number, of: Text): string => `${of.placeOf(line)} of the attachment ${name} to the mail that begins in ${at}`;
    texts.push(
      ...inner.texts.map((text) => ({
        ...text,
        begins: at,
        subject: text.subject ?? subject,
        placeOf: (line: number) => placeOf(line, text),
      })),
    );
    notes.push(...inner.notes);
  }
  return { texts, notes };
}

function mayBePatch({ mimeType, filename }: Attachment, content: Uint8Array): boolean {
  if (/^text\/(?!html|calendar)/.test(mimeType) || /\.(?:patch|diff|mbox|eml)(?:\.\w+)?$/i.test(filename ?? "")) return true;
  return /^(?:diff --|\+\+\+ |Index: )/m.test(Buffer.from(content).toString("latin1"));
}

function bytesOf({ content }: Attachment): Uint8Array {
  return typeof content === "string" ? Buffer.from(content) : new Uint8Array(content);
}

/** Lines of a text that was sent with CR LF; a source's own CR stays where the patch's headers have none. */
function withoutReturns(lines: string[]): string[] {
  const sent = lines.some((line) => /^(?:--- |\+\+\+ |@@ -|diff --git ).*\r$/.test(line));
  return sent ? lines.map((line) => line.replace(/\r$/, "")) : lines;
}

/** The fields of a header in lower case; one may go on in lines that begin with a space. The first of a name counts. */
function fieldsOf(header: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [, name = "", value = ""] of header.join("\n").matchAll(/^([A-Za-z][\w-]*):(.*(?:\n[ \t].*)*)/gm))
    if (!fields.has(name.toLowerCase())) fields.set(name.toLowerCase(), value.replace(/\n[ \t]+/g, " ").trim());
  return fields;
}

/** Without its [PATCH] mark. */
function subjectOf(field: string | undefined): string | undefined {
  const subject = decodeWords(Buffer.from(field ?? "", "latin1").toString("utf8"))
    .replace(/^(?:\[[^\]]*\]\s*)+/, "")
    .trim();
  return subject === "" ? undefined : subject;
}
