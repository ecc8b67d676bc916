/** What the header of a hunk names: the function (or table, or type) that the lines below it are in, as git and diff -p find it. */

/** A line that begins one of C, and the same without labels: diff -p knows none of the latter. */
const BEGINS = /^[A-Za-z_$]/;
const LABEL = /^[A-Za-z_]\w*:/;

/** The line that a hunk at `place` (from 0) would be headed with; undefined at the top of a file. */
export function headingAt(lines: readonly string[], place: number): string | undefined {
  return lines
    .slice(0, place)
    .findLast((line) => BEGINS.test(line) && !LABEL.test(line))
    ?.trim();
}

/** Whether a hunk at `place` is where its heading says. What is no name of anything says nothing. */
export function agrees(heading: string, lines: readonly string[], place: number): boolean {
  if (heading === "" || LABEL.test(heading) || named(heading) === undefined) return true;
  const found = headingAt(lines, place);
  if (found === undefined) return false;
  const plain = (text: string): string => text.replace(/\s+/g, " ").trim();
  // Tools cut long headings off.
  return plain(found).startsWith(plain(heading)) || named(found) === named(heading);
}

/** The name that a line begins: of a function, of what a macro makes, of a type, of a variable. */
export function named(line: string): string | undefined {
  const [, name = "", first = ""] = /(\w+)\s*\(\s*(\w*)/.exec(line) ?? [];
  // SYSCALL_DEFINE3(read, ...
  if (/^[A-Z][A-Z0-9_]+$/.test(name)) return `${name}(${first})`;
  if (name !== "") return name;
  const [, type] = /\b((?:struct|union|enum)\s+\w+)\s*\{?\s*$/.exec(line) ?? [];
  if (type !== undefined) return type.replace(/\s+/, " ");
  return /(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=.*|[;{])?\s*$/.exec(line)?.[1];
}
