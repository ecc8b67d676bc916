/**
 * Text of a patch file → the changes in it. Each line that begins a change for git or patch is read or refused with its place: a header
 * without hunks, a hunk without a header, a damaged line between. What a mail says before its patch is no patch for git, and is none here.
 */
import { fail } from "../errors.ts";
import { CANNOT, type FileChange } from "./change.ts";
import { isHunkHeader, isNearlyHeader, readHunk } from "./hunk.ts";
import type { Text } from "./mails.ts";
import { isPathLike, nameIn, namesOfGit } from "./names.ts";

export interface Scanned {
  changes: FileChange[];
  notes: string[];
  /** What the text says outside of its changes. */
  words: string[];
}

/** Lines between `diff --git` and the hunks. */
const OF_GIT =
  /^(?:old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename (?:from|to|old|new)|(?:dis)?similarity index|index) /;

const DEV_NULL = "/dev/null";

/** How patch(1) and diff -N say that there is no file: the time before all times. */
const NEVER = /\t1970-01-0[12] |\t1969-12-31 |\tThu Jan +1 \d\d:\d\d:\d\d 1970/;

/** @throws PATCH_UNREADABLE */
export function scan(text: Text, from: string): Scanned {
  return new Scanner(text, from).scan();
}

/** A line that is refused for what it is, wherever it stands. @param next the lines behind it */
interface Refused {
  form: RegExp;
  next?: readonly RegExp[];
  why: string;
  mend?: string;
  /** Refused also where a mail says something before its patch: patch(1) would read it there. */
  inMessage: boolean;
}

const UNIFIED = "Make a unified diff: diff -u, or git diff.";

const REFUSED: readonly Refused[] = [
  {
    form: /^diff --(?:cc|combined) |^@@@+ -\d/,
    why: "is of a combined diff, as git shows a merge",
    mend: "Take the diff against one parent: git show -m --first-parent, or git format-patch of the commits that were merged.",
    inMessage: false,
  },
  { form: /^\*\*\* \S/, next: [/^--- \S/, /^\*{15}/], why: "begins a context diff", mend: UNIFIED, inMessage: true },
  { form: /^\*{15}/, next: [/^\*\*\* \d+(?:,\d+)? \*{4}/], why: "begins a hunk of a context diff", mend: UNIFIED, inMessage: true },
  {
    form: /^\d+(?:,\d+)?[acd]\d+(?:,\d+)?$/,
    next: [/^[<>] /],
    why: "begins a hunk of a diff without context (a normal diff)",
    mend: UNIFIED,
    inMessage: false,
  },
  {
    form: /^Content-Transfer-Encoding:\s*(?:base64|quoted-printable)/i,
    why: "is of a mail whose header is not read",
    mend: "Save the whole mail with its header, or decode it with `git mailinfo`.",
    inMessage: true,
  },
  {
    form: /^- --- \S/,
    next: [/^(?:- )?\+\+\+ \S/],
    why: "is of a patch that was signed as a text, which changes lines that begin with -",
    mend: "Take the signature away first: gpg --decrypt.",
    inMessage: true,
  },
  {
    form: /^Only in \S+: \S+\.(?:[chS]|inc|lds)$/,
    why: "says that a file is there once, and the patch does not hold it",
    mend: "Make the patch with diff -N.",
    inMessage: false,
  },
  {
    form: /^Files \S+ and \S+\.(?:[chS]|inc|lds) differ$/,
    why: "says that a file differs, and the patch does not hold how",
    mend: UNIFIED,
    inMessage: false,
  },
  {
    // The character is ESC.
    form: /^[^ -~]\[[\d;]*m(?:diff |--- |\+\+\+ |@@ )/,
    why: "is of a diff with a terminal's colours",
    mend: "Make it without: git diff --no-color.",
    inMessage: true,
  },
  {
    form: /^begin [0-7]{3,4} \S+$/,
    next: [/^[!-M][ -`]+$/],
    why: "begins a file in uuencode",
    mend: "Decode it with uudecode.",
    inMessage: true,
  },
  {
    form: /^(?:rename|copy) (?:from|to) \S+$|^(?:deleted|new) file mode \d{6}$|^GIT binary patch$/,
    why: "has no line `diff --git` before it",
    inMessage: false,
  },
  { form: /^Submodule \S+ [0-9a-f]{7,}/, why: `${CANNOT.submodule}`, inMessage: false },
];

class Scanner {
  readonly #lines: readonly string[];
  readonly #text: Text;
  readonly #from: string;
  readonly #changes: FileChange[] = [];
  readonly #notes: string[] = [];
  readonly #words: string[] = [];
  /** In what a mail says before its patch: git reads no change there. */
  #inMessage: boolean;
  /** Behind "-- ", or at the end of a mail. */
  #inSignature = false;
  /** Directly behind a hunk, and behind one at all. */
  #touches = false;
  #behind = false;
  /** The line `Index:` that waits for its header. */
  #index: { name: string; line: number } | undefined;

  constructor(text: Text, from: string) {
    this.#text = text;
    this.#from = from;
    this.#lines = text.lines;
    this.#inMessage = text.mail;
  }

  scan(): Scanned {
    for (let at = 0; at < this.#lines.length; ) at = this.#step(at);
    this.#endIndex();
    return { changes: this.#changes, notes: this.#notes, words: this.#words };
  }

  /** @returns the line to go on with */
  #step(at: number): number {
    const line = this.#line(at);
    // Where git's mailinfo takes the patch to begin.
    if (/^(?:diff -|Index: |---(?:$| \S|\s+$))/.test(line)) this.#inMessage = false;
    if (line.startsWith("diff --git ")) return this.#git(at);
    if (line.startsWith("--- ") && this.#line(at + 1).startsWith("+++ ")) return this.#plain(at);
    const indented = this.#indented(at);
    if (indented > at) return indented;
    this.#refuseForms(at);
    if (isHunkHeader(line)) this.#loneHunk(at);
    else if (line.startsWith("+++ ") && isPathLike(line.slice(4))) this.#loneNewName(at);
    else if (!this.#inMessage) this.#free(at);
    if (/^--\s?$/.test(line)) this.#inSignature = true;
    if (!/^[ \t+-]/.test(line) || this.#inSignature) this.#touches = false;
    if (!this.#behind) this.#words.push(line);
    return at + 1;
  }

  #refuseForms(at: number): void {
    const refused = REFUSED.find(
      ({ form, next = [], inMessage }) =>
        (inMessage || !this.#inMessage) && form.test(this.#line(at)) && next.every((each, i) => each.test(this.#line(at + 1 + i))),
    );
    if (refused !== undefined) throw this.#refuse(at, `"${this.#line(at).slice(0, 60)}" ${refused.why}`, refused.mend);
  }

  #loneHunk(at: number): void {
    if (!this.#inMessage)
      throw this.#refuse(at, `the hunk "${this.#line(at).slice(0, 60)}" has no header (--- and +++) that says which file it changes`);
    this.#notes.push(`${this.#text.placeOf(at)} looks like a hunk, but stands in what the mail says, where git reads no change: left out`);
  }

  #loneNewName(at: number): void {
    if (this.#inMessage && !isHunkHeader(this.#line(at + 1))) return;
    throw this.#refuse(at, `"${this.#line(at).slice(0, 60)}" has no line --- before it`);
  }

  /** A line between changes, where git and patch skip what they do not know. */
  #free(at: number): void {
    const line = this.#line(at);
    if (line.startsWith("Index: ")) {
      this.#endIndex();
      const name = nameIn(line.slice(7));
      if (name !== undefined && isPathLike(line.slice(7))) this.#index = { name, line: at };
      return;
    }
    const binary = /^Binary files (.+) and (.+) differ$/.exec(line);
    if (binary !== null) {
      this.#index = undefined;
      const [, old = "", now = ""] = binary;
      this.#changes.push(this.#change(at, { old, new: now }, { cannot: CANNOT.binary }));
    } else if (line.startsWith("--- ") && isPathLike(line.slice(4)))
      throw this.#refuse(at, `"${line.slice(0, 60)}" has no line +++ behind it`);
    else if (isNearlyHeader(line)) throw this.#refuse(at, `"${line.slice(0, 60)}" is a damaged header of a hunk`);
    else if (
      this.#behind &&
      !this.#inSignature &&
      /^[+-]/.test(line) &&
      !/^--\s?$/.test(line) &&
      (this.#touches || /^(?:\+|-[^- ])/.test(line))
    )
      throw this.#refuse(at, `"${line.slice(0, 60)}" is behind a hunk that has all the lines that its header says`);
  }

  /**
   * patch(1) takes the indentation away; git does not, and a mail quotes so.
   * @returns the line behind such a diff; `at` where none begins
   */
  #indented(at: number): number {
    const [, indent] = /^([ \t]+)--- \S/.exec(this.#line(at)) ?? [];
    if (indent === undefined || !this.#line(at + 1).startsWith(`${indent}+++ `) || !this.#line(at + 2).startsWith(`${indent}@@ -`))
      return at;
    this.#notes.push(`${this.#text.placeOf(at)} begins a diff that is indented, which git does not read: left out`);
    let next = at + 3;
    while (next < this.#lines.length && (this.#line(next).startsWith(indent) || this.#line(next) === "")) next++;
    return next;
  }

  /** A change with git's header. */
  #git(at: number): number {
    const names = namesOfGit(this.#line(at).slice("diff --git ".length));
    const extended: string[] = [];
    let next = at + 1;
    for (; OF_GIT.test(this.#line(next)); next++) extended.push(this.#line(next));
    const says = (form: RegExp): boolean => extended.some((line) => form.test(line));
    const bodied = this.#line(next).startsWith("--- ") && this.#line(next + 1).startsWith("+++ ");
    const cannot = says(/^rename /)
      ? CANNOT.renames
      : says(/^copy /)
        ? CANNOT.copies
        : says(/ 160000$/)
          ? CANNOT.submodule
          : says(/ 120000$/)
            ? CANNOT.link
            : says(/^deleted /)
              ? CANNOT.deletes
              : undefined;
    if (bodied) {
      const end = this.#plain(next, { names, cannot, at });
      return end;
    }
    this.#endIndex();
    this.#begin();
    if (/^(?:GIT binary patch|Binary files .* differ)$/.test(this.#line(next))) {
      this.#changes.push(this.#change(at, names, { cannot: CANNOT.binary }));
      return next + 1;
    }
    if (cannot !== undefined) this.#changes.push(this.#change(at, names, { cannot }));
    else if (says(/^new file mode /))
      this.#changes.push(this.#change(at, names === undefined ? undefined : { old: DEV_NULL, new: names.new }, {}));
    else if (says(/^old mode /) && says(/^new mode /))
      this.#notes.push(`${this.#text.placeOf(at)}: ${names?.new ?? "a file"} gets another mode, which changes no code: left out`);
    else throw this.#refuse(at, `"${this.#line(at).slice(0, 80)}" is followed by no change (--- and +++, and hunks) that can be read`);
    return next;
  }

  /** A change with the lines --- and +++, and what stands before them by git. */
  #plain(at: number, git?: { names: { old: string; new: string } | undefined; cannot: string | undefined; at: number }): number {
    const [oldLine, newLine] = [this.#line(at), this.#line(at + 1)];
    const [old, now] = [nameIn(oldLine.slice(4)), nameIn(newLine.slice(4))];
    if (old === undefined || now === undefined) throw this.#refuse(at, `"${oldLine.slice(0, 60)}" names no file`);
    if (git?.names !== undefined)
      for (const [name, said] of [
        [old, git.names.old],
        [now, git.names.new],
      ] as const)
        if (name !== said && name !== DEV_NULL) throw this.#refuse(at, `${name} is not what the line diff --git before it names: ${said}`);
    const hunks = [];
    let next = at + 2;
    while (isHunkHeader(this.#line(next))) {
      const read = readHunk(this.#lines, next, this.#text.placeOf);
      if ("why" in read) throw this.#refuse(read.line, read.why, damageMend(this.#line(read.line)));
      this.#checkCharset(read.hunk.lines, next);
      hunks.push(read.hunk);
      next = read.next;
    }
    this.#refuseForms(next);
    if (hunks.length === 0)
      throw this.#refuse(next, `"${this.#line(next).slice(0, 60)}" is no header of a hunk (@@ -1,2 +1,2 @@), but comes behind --- and +++`);
    const [only] = hunks.length === 1 ? hunks : [];
    const isNew = old === DEV_NULL || (NEVER.test(oldLine) && only?.old.length === 0);
    const deletes = now === DEV_NULL || (NEVER.test(newLine) && only?.new.length === 0) || (only?.newStart === 0 && only.new.length === 0);
    const cannot = git?.cannot ?? (deletes ? CANNOT.deletes : hunks.some(isSubmodule) ? CANNOT.submodule : undefined);
    const change = this.#change(git?.at ?? at, { old: isNew ? DEV_NULL : old, new: deletes ? DEV_NULL : now }, { cannot });
    this.#changes.push({ ...change, hunks });
    this.#index = undefined;
    this.#begin();
    this.#touches = true;
    return next;
  }

  /** What comes next is not of what was before. */
  #begin(): void {
    this.#inMessage = false;
    this.#inSignature = false;
    this.#behind = true;
    this.#touches = false;
  }

  #change(at: number, names: { old: string; new: string } | undefined, { cannot }: { cannot?: string | undefined }): FileChange {
    if (names === undefined) throw this.#refuse(at, "the names of the files cannot be told apart");
    const name = (text: string): string | undefined => (text === DEV_NULL ? undefined : text);
    const base = {
      from: this.#from,
      at: this.#text.placeOf(at),
      oldName: name(names.old),
      newName: name(names.new),
      indexName: this.#index?.name,
    };
    return { ...base, cannot, hunks: [] };
  }

  #endIndex(): void {
    if (this.#index === undefined) return;
    throw this.#refuse(this.#index.line, `"Index: ${this.#index.name}" is followed by no unified diff of that file`, UNIFIED);
  }

  /** What a mailer made of letters that are no ASCII is not known: in lines that go into the source that matters. */
  #checkCharset(lines: readonly string[], at: number): void {
    const { charset } = this.#text;
    if (charset === undefined) return;
    const i = lines.findIndex((line) => line.startsWith("+") && /[\x80-\xff]/.test(line));
    if (i >= 0)
      throw this.#refuse(
        at + 1 + i,
        `the new line has letters that are no ASCII, in a mail in ${charset}`,
        "Take the patch as the list's archive has it, or git format-patch.",
      );
  }

  #line(at: number): string {
    return this.#lines[at] ?? "";
  }

  #refuse(at: number, why: string, mend?: string) {
    return fail("PATCH_UNREADABLE", `${this.#text.placeOf(at)}: ${why}`, { file: this.#from }, mend === undefined ? {} : { mend });
  }
}

function isSubmodule({ lines }: { lines: readonly string[] }): boolean {
  return lines.some((line) => /^[+-]Subproject commit [0-9a-f]{40}/.test(line));
}

/** What a line that should be of a hunk looks as if it had gone through. */
function damageMend(line: string): string | undefined {
  if (/=(?:20|3D|09)?$|=3D/.test(line))
    return "It looks quoted-printable: save the whole mail with its header, or decode it with `git mailinfo`.";
  if (/^\S/.test(line) && !/^(?:diff|Index:|---|\+\+\+|From |@@)/.test(line))
    return "A mailer may have wrapped a long line: take the patch from the list's archive, or git format-patch.";
  return undefined;
}
