/** What waits, is under way, or was settled once, when new code comes: each as words where a change forgets it. */

const WAKES = /\b(?:wake_up\w*|swake_up\w*|rcuwait_wake_up|complete(?:_all)?)\s*\(\s*([^;{}]*?)\)\s*;/g;
const CONTAINERS = /\b(?:container_of|from_timer|timer_container_of)\s*\(([^;{}()]*),([^;{}()]*),\s*([\w.[\]]+)\s*\)/g;
const SETTLED = /\b(?:setup_)?(?:clear|set|force)_cpu_(?:cap|bug)\w*\s*\(/;

/** Who waits already is woken by nobody. */
export function wokenNoMore(old: readonly string[], now: readonly string[]): string | undefined {
  const [before, after] = [old, now].map((all) => wakesIn(all.join(";"))) as [Map<string, string>, Map<string, string>];
  for (const [what, text] of before) if (!after.has(what)) return `${text} goes, and somebody may wait for it already`;
  return undefined;
}

/** By what they wake, how it is written. */
function wakesIn(code: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [text, given = ""] of code.matchAll(WAKES)) {
    const what = /(\w+)\s*(?:,|$)/.exec(given.replace(/\[[^\]]*\]/g, "").trim())?.[1];
    if (what !== undefined) found.set(what, text.replace(/\s*;$/, ""));
  }
  return found;
}

/** What was set up by one member of an object is taken for another of it. */
export function reckonedFrom(old: readonly string[], now: readonly string[]): string | undefined {
  for (const [at, code] of old.entries()) {
    const after = new Map(containersIn(now[at] ?? ""));
    for (const [of, member] of containersIn(code)) {
      const other = after.get(of);
      if (other !== undefined && other !== member) return `an object is reckoned from its ${other}, and was from its ${member}`;
    }
  }
  return undefined;
}

/** What for (a type, or the variable that it is to be), and from which member. */
function containersIn(code: string): [string, string][] {
  return [...code.matchAll(CONTAINERS)].map(([text, first = "", second = "", member = ""]) => [
    (text.startsWith("container_of") ? second : first).trim(),
    member,
  ]);
}

/** Which features a processor has was settled when it came up. */
export function settledBefore(old: readonly string[], now: readonly string[]): string | undefined {
  const isIn = (all: readonly string[]): boolean => all.some((code) => SETTLED.test(code));
  return isIn(now) && !isIn(old) ? "features of the processors are set, which were looked at when they came up" : undefined;
}
