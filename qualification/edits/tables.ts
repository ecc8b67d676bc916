/** Variables whose address is given away: tables of operations, descriptions. What is in them others come to. */
import type { CFunction, CVariable } from "./c-file.ts";
import type { Token } from "./c-tokens.ts";
import type { Subject } from "./edit.ts";
import { inDirectives, runTime, uses } from "./text.ts";

interface Member {
  variable: CVariable;
  /** What stands behind `.member =` by itself. */
  value: Token;
}

/** By its address, or by its name alone: `module_driver(one)`. */
function isGivenAway(tokens: readonly Token[], i: number, name: string): boolean {
  const [before, after] = [tokens[i - 1]?.text ?? "", tokens[i + 1]?.text ?? ""];
  if (tokens[i]?.text !== name) return false;
  const isHanded = ["(", ","].includes(before) && [")", ","].includes(after) && !/^(?:sizeof|ARRAY_SIZE)$/.test(tokens[i - 2]?.text ?? "");
  return before === "&" || isHanded;
}

/** Values of members of the file's tables that the running kernel has. */
export function members({ file, facts }: Subject): Member[] {
  const { main, tokens } = file.scan;
  return file.variables.flatMap((variable) => {
    const { initial, name } = variable;
    const section = facts.variables.get(name)?.section ?? "";
    if (initial === undefined || !/^\.(?:data|rodata)/.test(section) || section.includes("percpu") || inDirectives(file, name)) return [];
    if (variable.isStatic && !tokens.some((_, i) => isGivenAway(tokens, i, name))) return [];
    return main.flatMap((value, i) => {
      const isInside = value.at >= initial.at && value.end <= initial.end;
      const isValue = main[i - 1]?.text === "=" && main[i - 3]?.text === "." && [",", "}"].includes(main[i + 1]?.text ?? "");
      return isInside && isValue ? [{ variable, value }] : [];
    });
  });
}

/** Static functions whose one use is the value of such a member: `.open = one,`. */
export function inTables(subject: Subject): (Member & { one: CFunction })[] {
  const { file, facts } = subject;
  const all = members(subject);
  return runTime(subject).flatMap((one) => {
    const [use, ...others] = uses(file, one.name).filter(({ at }) => at !== one.nameAt);
    const member = all.find(({ value }) => value.at === use?.at);
    if (!one.isStatic || member === undefined || others.length > 0 || inDirectives(file, one.name)) return [];
    // The compiler may have read the table for others.
    return [...facts.functions].some(([name, { refers }]) => name !== one.name && refers.has(one.name)) ? [] : [{ ...member, one }];
  });
}

/** A function's text under another name, with the body as it is but for what comes first. */
export function copyOf({ file }: Subject, one: CFunction, name: string, first = ""): string {
  const { text } = file;
  return `${text.slice(one.at, one.nameAt)}${name}${text.slice(one.nameAt + one.name.length, one.bodyAt)}${first}${text.slice(one.bodyAt, one.end)}`;
}
