/** Changes of C text at known places. */
import type { CFile, CFunction } from "./c-file.ts";
import type { Token } from "./c-tokens.ts";
import type { Claim, Edit, Subject, Word } from "./edit.ts";

export interface Change {
  at: number;
  end: number;
  text: string;
}

export const insert = (at: number, text: string): Change => ({ at, end: at, text });

/** All at once; places are those of the text as it was. */
export function change(text: string, changes: readonly Change[]): string {
  let out = "";
  let done = 0;
  for (const { at, end, text: by } of [...changes].sort((a, b) => a.at - b.at || a.end - b.end)) {
    if (at < done) throw new Error(`two changes meet at ${at}`);
    out += text.slice(done, at) + by;
    done = end;
  }
  return out + text.slice(done);
}

/** All uses of a name as a variable or function: no members, no labels of initializers, in code and in directives alike. */
export function uses(file: CFile, name: string): Token[] {
  const { tokens } = file.scan;
  return tokens.filter(({ kind, text }, i) => kind === "word" && text === name && !["->", "."].includes(tokens[i - 1]?.text ?? ""));
}

/** Whether macros of the file name it: their text is no code that could be changed token by token. */
export function inDirectives(file: CFile, name: string): boolean {
  const word = new RegExp(`\\b${name}\\b`);
  return file.scan.directives.some(({ text }) => word.test(text));
}

export function rename(file: CFile, name: string, by: string): Change[] {
  return uses(file, name).map(({ at, end }) => ({ at, end, text: by }));
}

export function isFree(file: CFile, name: string): boolean {
  return !new RegExp(`\\b${name}\\b`).test(file.text);
}

/** Functions of the running kernel that can be replaced, are compiled as such, and are no macros' work. */
export function runTime({ file, facts }: Subject): CFunction[] {
  return file.functions.filter(
    ({ name, isInit, isMacro }) =>
      !isInit && !isMacro && facts.functions.get(name)?.hasEntry === true && facts.functions.get(name)?.init !== true,
  );
}

/** Code that does nothing, but is there. */
export const NOP = '\tasm volatile("nop" ::: "memory");\n';

/** At the start of a function's body. */
export function enter(one: CFunction, code: string): Change {
  return insert(one.bodyAt, `\n${code.replace(/\n$/, "")}`);
}

export function edit(
  subject: Subject,
  what: string,
  changes: readonly Change[],
  more: { claims?: Claim[]; news?: string[]; word?: Word } = {},
): Edit {
  const { path, file } = subject;
  return {
    what,
    files: [{ path, before: file.text, after: change(file.text, changes) }],
    claims: more.claims ?? [],
    news: more.news ?? [],
    ...(more.word && { word: more.word }),
  };
}

/** Where a declaration for all that follows can stand: before the first function, behind the last #include that is in no #if. */
export function afterIncludes(file: CFile): number {
  let depth = 0;
  let at = 0;
  const first = file.functions[0]?.at ?? file.text.length;
  for (const { text, end, at: start } of file.scan.directives) {
    if (start > first) break;
    if (/^#\s*if/.test(text)) depth++;
    else if (/^#\s*endif/.test(text)) depth--;
    else if (depth === 0 && /^#\s*include/.test(text)) at = end + 1;
  }
  return at;
}
