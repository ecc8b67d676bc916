/** Members that a fix adds to structures that were there before. */
import { sha256 } from "@suture/files";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { blank, closeOf, edited, lineOf, masked } from "./text.ts";

export interface NewMember {
  /** The file that defines the structure. */
  file: string;
  line: number;
  /** Tag of the structure. */
  type: string;
  name: string;
  /** As the fix declares it, without the semicolon. */
  declaration: string;
  /** In the fixed text, with the semicolon. */
  start: number;
  end: number;
  /** The number of its shadow variables, the same in each livepatch that has this member. */
  id: number;
}

/** Where a structure is defined in a text. */
export interface Definition {
  type: string;
  /** Of the word `struct`. */
  start: number;
  open: number;
  close: number;
  /** Behind the semicolon. */
  end: number;
}

const DEFINITION = /\bstruct\s+(\w+)\s*\{/g;

export function definitionsIn(mask: string): Definition[] {
  const found: Definition[] = [];
  for (const match of mask.matchAll(DEFINITION)) {
    const open = match.index + match[0].length - 1;
    const close = closeOf(mask, open);
    const semicolon = close === undefined ? -1 : mask.indexOf(";", close);
    if (close === undefined || semicolon < 0) continue;
    found.push({ type: match[1] ?? "", start: match.index, open, close, end: semicolon + 1 });
  }
  return found;
}

interface Statement {
  text: string;
  start: number;
  end: number;
}

/** What is declared in it, not in what is nested. */
function statementsOf(mask: string, { open, close }: Definition): Statement[] {
  const found: Statement[] = [];
  let start = open + 1;
  for (let at = start; at < close; at++) {
    if (/[{([]/.test(mask[at] ?? "")) at = closeOf(mask, at) ?? close;
    else if (mask[at] === "#") {
      const end = mask.indexOf("\n", at);
      at = end < 0 ? close : end;
      start = at + 1;
    } else if (mask[at] === ";") {
      const from = start + (/^\s*/.exec(mask.slice(start, at))?.[0].length ?? 0);
      found.push({ text: mask.slice(from, at).replace(/\s+/g, " ").trim(), start: from, end: at + 1 });
      start = at + 1;
    }
  }
  return found;
}

/** TYPE.MEMBER */
export function nameOf({ type, name }: Pick<NewMember, "type" | "name">): string {
  return `${type}.${name}`;
}

/** All that a fix adds. */
export function newMembers(files: readonly ChangedFile[]): NewMember[] {
  return files.flatMap(({ path, before, after }) => {
    if (before === undefined || !/\.[ch]$/.test(path)) return [];
    const old = masked(before);
    const mask = masked(after);
    // Of those that are defined once for each way to configure a kernel, all that any has.
    const known = new Map<string, Set<string>>();
    for (const one of definitionsIn(old))
      known.set(one.type, new Set([...(known.get(one.type) ?? []), ...statementsOf(old, one).map(({ text }) => text)]));
    return definitionsIn(mask).flatMap((definition): NewMember[] => {
      const { type } = definition;
      const had = known.get(type);
      if (had === undefined) return [];
      return statementsOf(mask, definition).flatMap(({ text, start, end }): NewMember[] => {
        if (had.has(text)) return [];
        const name = declared(text);
        if (name === undefined) return [];
        // Of another type than before: that is no new one.
        if ([...had].some((other) => declared(other) === name)) return [];
        const id = Number.parseInt(sha256(`${path} struct ${type}.${name}`).slice(0, 12), 16);
        return [{ file: path, line: lineOf(after, start), type, name, declaration: after.slice(start, end - 1), start, end, id }];
      });
    });
  });
}

/** The name that a declaration of a member gives. */
function declared(text: string): string | undefined {
  return (
    /\(\s*\*\s*(\w+)\s*\)\s*\(/.exec(text)?.[1] ?? /(\w+)\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?(?:\s__\w+(?:\([^()]*\))?)*$/.exec(text)?.[1]
  );
}

/**
 * Those that are meant.
 * @param names TYPE.MEMBER, or `all`
 * @throws BUILD_SHADOW_MEMBER, BUILD_HOLE
 */
export function chosenMembers(
  files: readonly ChangedFile[],
  names: ReadonlySet<string>,
  code: "BUILD_SHADOW_MEMBER" | "BUILD_HOLE" = "BUILD_SHADOW_MEMBER",
): NewMember[] {
  const found = newMembers(files);
  for (const name of names) {
    if (name === "all") continue;
    const same = found.filter((one) => nameOf(one) === name);
    if (same.length === 1) continue;
    const why =
      same.length > 1
        ? `${same.map(({ file }) => file).join(" and ")} each add one of that name`
        : found.length === 0
          ? "the fix adds no member to a structure that was there before"
          : `the fix adds ${found.map(nameOf).join(", ")}`;
    throw fail(code, why, { symbol: name });
  }
  const chosen = names.has("all") ? found : found.filter((one) => names.has(nameOf(one)));
  for (const { declaration, file, line, ...one } of chosen) {
    // Of a pointer to a function the commas are its parameters'.
    const why = declaration.replace(/\([^()]*\)(?=[^()]*;?$)/, "").includes(",")
      ? "it is declared together with others"
      : declaration.includes("[")
        ? "it is an array"
        : /[{}]/.test(declaration) || (/\b(?:struct|union)\b/.test(declaration) && !declaration.includes("*"))
          ? "it is a structure or union of its own"
          : undefined;
    if (why !== undefined) throw fail(code, why, { file: `${file}:${line}`, symbol: nameOf(one) });
  }
  return chosen;
}

/** The text without the members; its lines are where they were. */
export function withoutMembers(text: string, members: readonly NewMember[]): string {
  let out = text;
  for (const { start, end } of members) out = out.slice(0, start) + blank(out.slice(start, end)) + out.slice(end);
  return out;
}

/** Objects that are copied over others are found by a member that may not be written. */
export function readOnly(text: string, type: string): string {
  const definition = definitionsIn(masked(text)).find((one) => one.type === type);
  if (definition === undefined) return text;
  return edited(text, [{ start: definition.open + 1, end: definition.open + 1, text: " const struct { } suture_whole;" }]);
}
