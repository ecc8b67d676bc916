/**
 * What is otherwise between two texts of one type: the members or enumerators by name. Who names none of those is compiled as before, as long as all others
 * lie where they lay; that types which lie otherwise are refused is held where compiled code uses them.
 */

/** Of a structure or enumeration with its braces, tokens with one space between. @returns undefined where that cannot be told by names */
export function changedMembers(old: string, now: string): string[] | undefined {
  const [one, other] = [partsOf(old), partsOf(now)];
  if (one === undefined || other === undefined || one.head !== other.head || one.end !== other.end) return undefined;
  return /\benum\b/.test(one.head) ? enumerators(one.body, other.body) : members(one.body, other.body);
}

function partsOf(text: string): { head: string; body: string; end: string } | undefined {
  const [open, close] = [text.indexOf("{"), text.lastIndexOf("}")];
  return open < 0 || close < open
    ? undefined
    : { head: text.slice(0, open), body: text.slice(open + 1, close), end: text.slice(close + 1) };
}

function members(old: string, now: string): string[] | undefined {
  const counts = new Map<string, number>();
  for (const item of old.split(/[;{}]/)) counts.set(item.trim(), (counts.get(item.trim()) ?? 0) + 1);
  for (const item of now.split(/[;{}]/)) counts.set(item.trim(), (counts.get(item.trim()) ?? 0) - 1);
  const changed = [...counts].filter(([, count]) => count !== 0).map(([item]) => item);
  // What is left is in the same order.
  if (without(old, changed) !== without(now, changed)) return undefined;
  const names: string[] = [];
  for (const item of changed) {
    const own = declared(item);
    if (own === undefined) return undefined;
    names.push(...own);
  }
  return [...new Set(names)];
}

function without(body: string, items: readonly string[]): string {
  return body
    .split(/([;{}])/)
    .map((item) => (items.includes(item.trim()) ? "" : item.trim()))
    .join(" ")
    .replace(/(?:; )+ */g, "; ")
    .replace(/\s+/g, " ")
    .replace(/(?:; )+/g, "; ")
    .trim();
}

/** `int a , * b [ 3 ]`: a, b. `int ( * f ) ( int x )`: f. `unsigned c : 1`: c. */
function declared(item: string): string[] | undefined {
  if (item === "") return [];
  const pointer = /^[\w\s*]*\( \* (?:const )?(\w+) (?:\[[^\]]*\] )?\) \(/.exec(item)?.[1];
  if (pointer !== undefined) return [pointer];
  if (/[()]/.test(item)) return undefined;
  const names = item.split(",").map((part) => /^(?:.*[\s*])?([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*(?::.*)?$/.exec(part.trim())?.[1]);
  // A tag alone, `struct inner` before its braces, declares no member.
  if (/^(?:struct|union|enum)(?: \w+)?$/.test(item) || names.some((name) => name === undefined)) return undefined;
  return names as string[];
}

function enumerators(old: string, now: string): string[] | undefined {
  const [one, other] = [valuesOf(old), valuesOf(now)];
  if (one === undefined || other === undefined) return undefined;
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
}

/** By what each is set to, or how far it is from one that is. */
function valuesOf(body: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let base = "";
  let distance = 0;
  for (const item of body.split(/,(?![^(]*\))/)) {
    if (item.trim() === "") continue;
    const [, name, value] = /^\s*([A-Za-z_]\w*)\s*(?:=\s*(.+?))?\s*$/.exec(item) ?? [];
    if (name === undefined) return undefined;
    [base, distance] = value === undefined ? [base, distance + 1] : [value, 0];
    found.set(name, `${base} ${distance}`);
  }
  return found;
}
