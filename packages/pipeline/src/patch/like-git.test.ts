/**
 * Patches as they come, and damaged ones, held against what git and patch(1) do with them: a file that one of them changes is changed in
 * the same way here, or the patch is refused, or what was left out is told.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createTwoFilesPatch } from "diff";
import fc from "fast-check";
import { expect, it } from "vitest";
import { applyPatches } from "./apply.ts";
import { parseSourcePatch } from "./read.ts";

type Files = Record<string, string>;

const NAMES = ["fs/a.c", "fs/b.c", "c.h"];

/** Functions of a few statements, many of which are alike. */
const sourceArb = fc
  .array(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 3, maxLength: 9 }), { minLength: 3, maxLength: 5 })
  .map((functions) =>
    functions.map((body, i) => `static int f${i}(void)\n{\n${body.map((n) => `\tx = ${n};\n`).join("")}\treturn 0;\n}\n`).join("\n"),
  );

const editArb = fc.array(fc.record({ at: fc.nat(60), remove: fc.nat(2), add: fc.nat(2) }), { minLength: 1, maxLength: 3 });

function edited(text: string, edits: readonly { at: number; remove: number; add: number }[]): string {
  const lines = text.split("\n").slice(0, -1);
  for (const [i, { at, remove, add }] of edits.entries())
    lines.splice(at % lines.length, remove, ...Array.from({ length: add }, (_, j) => `\tnew(${i}, ${j});`));
  return lines.map((line) => `${line}\n`).join("");
}

/** The heading of a hunk as git writes it. */
function headed(patch: string, before: string): string {
  const lines = before.split("\n");
  return patch.replace(/^(@@ -(\d+).* @@)$/gm, (_, header: string, start: string) => {
    const heading = lines.slice(0, Math.max(0, Number(start) - 1)).findLast((line) => /^[a-z]/.test(line));
    return heading === undefined ? header : `${header} ${heading}`;
  });
}

const mail = (n: number, message: string, patch: string): string =>
  `From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH ${n}/2] it\n`.concat(
    `\n${message}\n---\n x | 1 +\n\n${patch}-- \n2.39.2\n\n`,
  );

function encode(text: string, encoding: string): string {
  const [head = "", ...rest] = text.split("\n\n");
  const body = rest.join("\n\n");
  const out =
    encoding === "base64"
      ? `${(
          Buffer.from(body)
            .toString("base64")
            .match(/.{1,76}/g) ?? []
        ).join("\n")}\n`
      : body.replace(/[=\t]| $/gm, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
  return `${head}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: ${encoding}\n\n${out}`;
}

const FORMS = {
  plain: (patches: string[]) => patches.join(""),
  git: (patches: string[]) =>
    patches
      .map(
        (each) =>
          `${each.replace(/^--- a\/(\S+)\n/, (line, name: string) => `diff --git a/${name} b/${name}\nindex 1..2 100644\n${line}`)}`,
      )
      .join(""),
  svn: (patches: string[]) => patches.map((each) => `Index: ${/^--- a\/(\S+)/.exec(each)?.[1]}\n=====\n${each}`).join(""),
  mails: (patches: string[]) => patches.map((each, i) => mail(i + 1, "It was wrong:\n\n@@ -1,2 +1,2 @@\n-x\n", each)).join(""),
  quoting: (patches: string[]) => patches.map((each, i) => mail(i + 1, each.replaceAll(/^/gm, "  "), each)).join(""),
  base64: (patches: string[]) => patches.map((each, i) => encode(mail(i + 1, "It was wrong.", each), "base64")).join(""),
  printable: (patches: string[]) => patches.map((each, i) => encode(mail(i + 1, "It was wrong.", each), "quoted-printable")).join(""),
  returns: (patches: string[]) =>
    patches
      .map((each, i) => mail(i + 1, "It was wrong.", each))
      .join("")
      .replaceAll("\n", "\r\n"),
} satisfies Record<string, (patches: string[]) => string>;

/** What happens to patch files on their way: of a line and a number. */
const DAMAGE: readonly ((lines: string[], at: number, n: number) => void)[] = [
  (lines, at) => lines.splice(at, 1),
  (lines, at) => lines.splice(at, 0, lines[at] ?? ""),
  (lines, at, n) => lines.splice(at, 1, (lines[at] ?? "").slice(0, n % 20) + (lines[at] ?? "").slice((n % 20) + 1)),
  (lines, at) => lines.splice(at, 1, ` ${lines[at] ?? ""}`),
  (lines, at) => lines.splice(at, 1, (lines[at] ?? "").replaceAll("\t", "        ")),
  (lines, at) => lines.splice(at, 1, (lines[at] ?? "").trimEnd()),
  (lines, at, n) => lines.splice(at, 1, (lines[at] ?? "").replace(/\d+/, String(n % 30))),
  (lines, at, n) => lines.splice(at, 0, ["", "text", "-- ", "+x", "---", "@@ -1 +1 @@"][n % 6] ?? ""),
  (lines, at) => lines.splice(at),
  (lines, at, n) => lines.splice(at, n % 8),
];

function damaged(text: string, damages: readonly { kind: number; near: number; n: number }[]): string {
  const lines = text.split("\n");
  for (const { kind, near, n } of damages) {
    // Most of it where it matters: near the headers of files and hunks.
    const heads = lines.flatMap((line, i) => (/^(?:@@|---|\+\+\+|diff|Index)/.test(line) ? [i] : []));
    const at = near % 3 === 0 ? near % lines.length : (heads[near % Math.max(1, heads.length)] ?? 0) + (n % 3);
    DAMAGE[kind % DAMAGE.length]?.(lines, at % lines.length, n);
  }
  return lines.join("\n");
}

function inFolder<T>(files: Files, work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "suture-test-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every file there now: a damaged header can make git move one. */
const contents = (folder: string): Files =>
  Object.fromEntries(
    readdirSync(join(folder, "tree"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(join(folder, "tree"), path), readFileSync(path, "utf8")]),
  );

const environment = { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir(), GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C" };

const succeeds = (folder: string, argv: readonly string[], input?: string): string | undefined => {
  const { status, stdout } = spawnSync(argv[0] ?? "", argv.slice(1), {
    cwd: join(folder, "tree"),
    input,
    env: environment,
    encoding: "utf8",
  });
  return status === 0 ? stdout : undefined;
};

const within = (files: Files): Files => Object.fromEntries(Object.entries(files).map(([name, text]) => [`tree/${name}`, text]));

/** @returns the files as git leaves them; undefined where it refuses */
function byGit(files: Files, patch: string): Files | undefined {
  return inFolder({ ...within(files), patch, "mails/x": "" }, (folder) => {
    const parts = /^From /.test(patch)
      ? succeeds(folder, ["git", "mailsplit", "-o../mails", "../patch"]) === undefined
        ? []
        : readdirSync(join(folder, "mails")).filter((name) => name !== "x")
      : undefined;
    if (parts === undefined) return succeeds(folder, ["git", "apply", "../patch"]) === undefined ? undefined : contents(folder);
    if (parts.length === 0) return undefined;
    for (const part of parts.sort()) {
      const read = succeeds(folder, ["git", "mailinfo", "../message", "../diff"], readFileSync(join(folder, "mails", part), "utf8"));
      if (read === undefined || succeeds(folder, ["git", "apply", "../diff"]) === undefined) return undefined;
    }
    return contents(folder);
  });
}

function byPatch(files: Files, patch: string): Files | undefined {
  const argv = ["patch", "-p1", "--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "-r", "-", "-i", "../patch"];
  return inFolder({ ...within(files), patch }, (folder) => (succeeds(folder, argv) === undefined ? undefined : contents(folder)));
}

async function here(files: Files, patch: string): Promise<{ files: Files; notes: string[] } | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "suture-test-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const applied = await applyPatches(folder, [await parseSourcePatch(Buffer.from(patch), "fix.patch")]);
    const changed = Object.fromEntries(applied.files.map(({ path, after }) => [path, after]));
    return { files: { ...files, ...changed }, notes: applied.notes.map(({ text }) => text) };
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("PATCH_")) return undefined;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const RUNS = 200;

it("changes what git and patch change, or refuses", async () => {
  const count = { read: 0, git: 0, patch: 0 };
  const files = fc.tuple(sourceArb, sourceArb, sourceArb);
  const damageArb = fc.array(fc.record({ kind: fc.nat(100), near: fc.nat(100), n: fc.nat(100) }), { maxLength: 2 });
  const form = fc.constantFrom(...(Object.keys(FORMS) as (keyof typeof FORMS)[]));
  const property = fc.asyncProperty(
    files,
    fc.tuple(editArb, editArb),
    form,
    damageArb,
    fc.nat(4),
    async (texts, edits, kind, damages, shift) => {
      const before: Files = Object.fromEntries(NAMES.map((name, i) => [name, texts[i] ?? ""]));
      const patches = edits.flatMap((each, i) => {
        const name = NAMES[i] ?? "";
        const old = before[name] ?? "";
        const now = edited(old, each);
        return old === now
          ? []
          : [
              headed(
                createTwoFilesPatch(`a/${name}`, `b/${name}`, old, now, undefined, undefined, { context: 3 }).replace(/^=+\n/, ""),
                old,
              ),
            ];
      });
      fc.pre(patches.length > 0);
      const patch = damaged(FORMS[kind](patches), damages);
      // The source may have lines that the patch does not know of.
      const source = Object.fromEntries(
        Object.entries(before).map(([name, text]) => [name, shift === 1 ? `int more;\n\n\n${text}` : text]),
      );
      const ours = await here(source, patch);
      const [git, gnu] = [byGit(source, patch), byPatch(source, patch)];
      if (git !== undefined) count.git++;
      if (gnu !== undefined) count.patch++;
      if (damages.length === 0 && shift !== 1) expect(ours?.files, patch).toEqual(git);
      if (ours === undefined) return;
      count.read++;
      const told = ours.notes.some((note) => /left out|holds no change/.test(note));
      for (const other of [git, told ? undefined : gnu])
        for (const name of Object.keys({ ...source, ...other }))
          if (other !== undefined && other[name] !== source[name]) expect(ours.files[name], patch).toBe(other[name]);
    },
  );
  await fc.assert(property, { numRuns: RUNS });
  // It is no test if hardly anything is read.
  for (const each of Object.values(count)) expect(each).toBeGreaterThan(RUNS / 5);
}, 120_000);
