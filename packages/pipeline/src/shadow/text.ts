/** Expressions in a text of C, found by brackets and names alone: where one is not certain, it is said so. */

const HIDDEN = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;

/** The same text, of the same length, with spaces for comments and constants of characters. */
export function masked(text: string): string {
  return text.replace(HIDDEN, (hidden) => hidden.replace(/[^\n]/g, " "));
}

/** @param line and column as the compiler counts them, from 1 */
export function indexOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  return start + column - 1;
}

export function lineOf(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

const CLOSED: Record<string, string> = { "(": ")", "[": "]", "{": "}" };
const OPENED: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

/** What closes the bracket at `open`. */
export function closeOf(mask: string, open: number): number | undefined {
  const stack: string[] = [];
  for (let at = open; at < mask.length; at++) {
    const c = mask[at] ?? "";
    const closed = CLOSED[c];
    if (closed !== undefined) stack.push(closed);
    else if (c in OPENED) {
      if (stack.pop() !== c) return undefined;
      if (stack.length === 0) return at;
    }
  }
  return undefined;
}

/** What opens the bracket at `close`. */
export function openOf(mask: string, close: number): number | undefined {
  const stack: string[] = [];
  for (let at = close; at >= 0; at--) {
    const c = mask[at] ?? "";
    const opened = OPENED[c];
    if (opened !== undefined) stack.push(opened);
    else if (c in CLOSED) {
      if (stack.pop() !== c) return undefined;
      if (stack.length === 0) return at;
    }
  }
  return undefined;
}

/** The end of what is not space before `at`. A line that is continued goes on. */
export function skipBack(mask: string, at: number): number {
  let end = at;
  while (end > 0 && /[\s\\]/.test(mask[end - 1] ?? "")) end--;
  return end;
}

export function skipOn(mask: string, at: number): number {
  let start = at;
  while (start < mask.length && /[\s\\]/.test(mask[start] ?? "")) start++;
  return start;
}

export function wordBefore(mask: string, end: number): string {
  return /\w+$/.exec(mask.slice(Math.max(0, end - 200), end))?.[0] ?? "";
}

const NOT_OPERANDS = new Set(
  "return case else do goto if while for switch sizeof typeof __typeof__ typeof_member _Alignof __alignof__ default in".split(" "),
);

/** Where the postfix expression begins that ends at `end`: names, members, indices and calls in a row. Undefined where it is not certain. */
export function startOfOperand(mask: string, end: number): number | undefined {
  let at = skipBack(mask, end);
  for (;;) {
    const c = mask[at - 1] ?? "";
    if (c === ")" || c === "]") {
      const open = openOf(mask, at - 1);
      if (open === undefined) return undefined;
      const before = skipBack(mask, open);
      const word = wordBefore(mask, before);
      const isBehind = /[\w)\]]/.test(mask[before - 1] ?? "");
      if (c === "]") {
        if (!isBehind || NOT_OPERANDS.has(word)) return undefined;
        at = before;
        continue;
      }
      if (!isBehind || word === "return") return open;
      // if (x) (y)->z, a cast, or what is called: only the last has a name there.
      if (word === "" || NOT_OPERANDS.has(word)) return undefined;
      at = before - word.length;
    } else if (/\w/.test(c)) {
      const word = wordBefore(mask, at);
      if (NOT_OPERANDS.has(word) || /^\d/.test(word)) return undefined;
      at -= word.length;
    } else return undefined;
    const before = skipBack(mask, at);
    if (mask.slice(before - 2, before) === "->") at = skipBack(mask, before - 2);
    else if (mask[before - 1] === "." && mask[before - 2] !== ".") at = skipBack(mask, before - 1);
    else return at;
  }
}

/** Where the expression ends that begins at `start`: before what separates it from others. */
export function endOfExpression(mask: string, start: number): number | undefined {
  let questions = 0;
  for (let at = start; at < mask.length; at++) {
    const c = mask[at] ?? "";
    if (c in CLOSED) {
      const close = closeOf(mask, at);
      if (close === undefined) return undefined;
      at = close;
    } else if (c === "?") questions++;
    else if (c === ":" && questions-- === 0) return at;
    else if (/[;,)\]}]/.test(c)) return at;
  }
  return undefined;
}

export interface Call {
  name: string;
  /** Of its name. */
  start: number;
  open: number;
  close: number;
}

/** The calls in whose arguments `at` lies, the innermost first; parentheses without a name before them have none. */
export function callsAround(mask: string, at: number): Call[] {
  const calls: Call[] = [];
  let depth = 0;
  for (let i = at - 1; i >= 0; i--) {
    const c = mask[i] ?? "";
    if (/[)\]}]/.test(c)) depth++;
    else if (/[([{]/.test(c)) {
      if (depth-- > 0) continue;
      depth = 0;
      if (c === "{") return calls;
      if (c === "[") continue;
      const close = closeOf(mask, i);
      if (close === undefined) return calls;
      const end = skipBack(mask, i);
      const name = wordBefore(mask, end);
      calls.push({ name, start: end - name.length, open: i, close });
    } else if (c === ";" && depth === 0) return calls;
  }
  return calls;
}

/** The spans of what stands between the commas of a call. */
export function argumentsOf(mask: string, { open, close }: Pick<Call, "open" | "close">): { start: number; end: number }[] {
  const spans: { start: number; end: number }[] = [];
  let start = open + 1;
  for (let at = start; at <= close; at++) {
    const c = mask[at] ?? "";
    if (c in CLOSED) at = closeOf(mask, at) ?? close;
    else if (c === "," || at === close) {
      const from = skipOn(mask, start);
      spans.push({ start: from, end: Math.max(from, skipBack(mask, at)) });
      start = at + 1;
    }
  }
  return spans;
}

export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** Edits that do not overlap. */
export function edited(text: string, edits: readonly Edit[]): string {
  let out = "";
  let done = 0;
  for (const { start, end, text: by } of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    out += text.slice(done, start) + by;
    done = end;
  }
  return out + text.slice(done);
}

/** Of one text in place of the other's span, with its lines. */
export function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
