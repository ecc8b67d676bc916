/** Small changes of C source, as fixes and mistakes make them. */

export type EditKind = "constant" | "comparison" | "call" | "string";

export const EDIT_KINDS: readonly EditKind[] = ["constant", "comparison", "call", "string"];

const patterns: Record<EditKind, readonly [RegExp, (match: string) => string][]> = {
  constant: [[/(?<=[=,(+] ?)\b[1-9]\d{0,3}(?=[;,)])/g, (number) => String(Number(number) + 1)]],
  comparison: [
    [/ < (?=\w)/g, () => " <= "],
    [/ > (?=\w)/g, () => " >= "],
    [/ == (?=\w)/g, () => " != "],
    [/ != (?=\w)/g, () => " == "],
  ],
  call: [
    [/\bkfree\(/g, () => "kvfree("],
    [/\bmutex_unlock\(/g, () => "mutex_lock("],
    [/\bmutex_lock\(/g, () => "mutex_unlock("],
    [/\bstrcmp\(/g, () => "strcasecmp("],
    [/\bmemcpy\(/g, () => "memmove("],
    [/\b_?printk\(/g, () => "(void)(printk_deferred)("],
    [/\bwake_up_process\(/g, () => "kick_process("],
    [/\bkstrdup\(/g, () => "kstrdup_const("],
    [/\bsynchronize_rcu\(\)/g, () => "synchronize_rcu_expedited()"],
    [/\bup_read\(/g, () => "down_read("],
    [/\bup_write\(/g, () => "down_write("],
    [/\bkvfree\(/g, () => "vfree("],
    [/\bseq_puts\(/g, () => "(void)seq_path((void *)"],
  ],
  string: [[/(?<=\w\([^"\n]*")[A-Za-z][A-Za-z _:=]{3,}/g, (text) => `${text[0] === "x" ? "y" : "x"}${text.slice(1)}`]],
};

/** The source with one place changed; each time another, in the order in which they stand in the second half of the file first. */
export function* edits(kind: EditKind, source: string): Generator<string> {
  for (const [pattern, change] of patterns[kind]) {
    const found = [...source.matchAll(pattern)].filter(({ index }) => !isNoCode(source, index));
    const middle = Math.floor(found.length / 2);
    for (const { 0: match, index } of [...found.slice(middle), ...found.slice(0, middle)])
      yield source.slice(0, index) + change(match) + source.slice(index + match.length);
  }
}

/** In a line of a comment, a macro, or at the outermost level. */
function isNoCode(source: string, at: number): boolean {
  const line = source.slice(source.lastIndexOf("\n", at) + 1, source.indexOf("\n", at));
  return !/^\t/.test(line) || /^\s*(\*|\/\*|\/\/)/.test(line) || line.endsWith("\\");
}
