/** What is otherwise between two texts of one header. */
import { changedMembers } from "@suture/kbuild";
import { type Named, namedIn } from "./named.ts";

export interface Changed {
  /** By name, whether more than code that names it is otherwise with it. */
  names: ReadonlyMap<string, boolean>;
  /** Calls of macros, by the macros and what they are given. */
  calls: readonly Pick<Named, "calls" | "given">[];
  /** Something changed whose effect names do not tell. */
  doubt: boolean;
}

/** @param layoutsHold as of `canDiffer` */
export function changedBetween(before: string, after: string, layoutsHold: boolean): Changed {
  const [old, now] = [namedIn(before), namedIn(after)];
  const names = new Map<string, boolean>();
  const calls: Changed["calls"][number][] = [];
  let doubt = false;
  const counts = new Map<string, number>();
  for (const { text } of old) counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const { text } of now) counts.set(text, (counts.get(text) ?? 0) - 1);
  const otherwise = [...old, ...now].filter(({ text }) => counts.get(text) !== 0);
  const types = new Map<string, Named[]>();
  for (const one of otherwise) if (one.kind === "type") types.set(one.names[0] ?? "", [...(types.get(one.names[0] ?? "") ?? []), one]);
  const told = new Set<Named>();
  for (const [name, [one, other, ...more]] of types) {
    if (!layoutsHold || name === "" || one === undefined || other === undefined || more.length > 0) continue;
    const [was, is] = [tokensOf(one), tokensOf(other)];
    const members = was === undefined || is === undefined ? undefined : changedMembers(was, is);
    if (members === undefined) continue;
    for (const member of members) if (!names.has(member)) names.set(member, false);
    told.add(one).add(other);
  }
  for (const one of otherwise.filter((one) => !told.has(one))) {
    // What is included is looked at as a whole.
    if (one.kind === "include") continue;
    if (one.kind === "call") calls.push(one);
    else if (one.kind === "directive" || one.kind === "code") doubt = true;
    for (const name of one.names) names.set(name, (names.get(name) ?? false) || (one.kind !== "function" && one.kind !== "prototype"));
  }
  return { names, calls, doubt };
}

const TOKEN = /^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif|else|endif)\b(?:\\\n|.)*|[A-Za-z_]\w*|"(?:\\.|[^"\\])*"|[\d.][\w.]*|[^\s\w]/gm;

/**
 * Behind the conditions that it is under. Those that are inside are words of each member that is under them.
 * @returns undefined where more than a member is under one
 */
function tokensOf({ text, lines }: Named): string | undefined {
  const under: string[] = [];
  const tokens = [text.slice(0, text.indexOf("\n"))];
  let isFirst = false;
  for (const [token] of lines.matchAll(TOKEN)) {
    const [, word, rest = ""] = /^\s*#\s*([a-z]+)([\s\S]*)$/.exec(token) ?? [];
    if (word !== undefined) {
      if (!isFirst) return undefined;
      const condition = `${word}_${rest.replace(/\W+/g, (other) => [...other].map((c) => c.charCodeAt(0)).join("_"))}`;
      if (word === "endif") under.pop();
      else if (word === "elif" || word === "else") under.push(`${under.pop()}_${condition}`);
      else under.push(condition);
      continue;
    }
    if (token === "{" && under.length > 0) return undefined;
    if (isFirst) tokens.push(...under);
    tokens.push(token);
    isFirst = /^[;{}]$/.test(token);
  }
  return tokens.join(" ");
}

/** What the #include lines of a text name. */
export function includesIn(text: string): Set<string> {
  return new Set([...text.matchAll(/^[ \t]*#[ \t]*include[ \t]+[<"]([^>"\n]+)[>"]/gm)].map(([, name = ""]) => name));
}
