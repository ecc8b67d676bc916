/** C text cut into tokens that know where they stand. Nothing is preprocessed; comments and directives are told apart from the rest. */

export interface Token {
  kind: "word" | "number" | "string" | "punct";
  text: string;
  at: number;
  end: number;
}

export interface Span {
  text: string;
  at: number;
  end: number;
}

export interface Scan {
  /** All, also those of #else branches. */
  tokens: Token[];
  /** Without those of #else branches and of `#if 0`: braces of these match. */
  main: Token[];
  directives: Span[];
}

const FORM =
  /\/\*[\s\S]*?(?:\*\/|$(?![\s\S]))|\/\/[^\n]*|(?<=^[ \t]*)#(?:\\\n|\/\*[\s\S]*?\*\/|[^\n])*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|->|\+\+|--|<<=|>>=|\.\.\.|[-+*/%&|^!=<>]=|&&|\|\||<<|>>|\S/gm;

export function scan(text: string): Scan {
  const result: Scan = { tokens: [], main: [], directives: [] };
  /** Of each open #if, whether the branch is one that is left out. */
  const branches: boolean[] = [];
  for (const match of text.matchAll(FORM)) {
    const token = match[0];
    const at = match.index;
    const end = at + token.length;
    if (token.startsWith("/*") || token.startsWith("//")) continue;
    if (token.startsWith("#") && token.length > 1) {
      result.directives.push({ text: token, at, end });
      const word = /^#\s*(\w*)/.exec(token)?.[1] ?? "";
      if (word.startsWith("if")) branches.push(/^#\s*if\s+0\b/.test(token));
      else if (word === "else" || word === "elif") branches[branches.length - 1] = true;
      else if (word === "endif") branches.pop();
      continue;
    }
    const one: Token = { kind: kindOf(token), text: token, at, end };
    result.tokens.push(one);
    if (!branches.includes(true)) result.main.push(one);
  }
  return result;
}

function kindOf(token: string): Token["kind"] {
  if (/^[A-Za-z_]/.test(token)) return "word";
  if (/^\.?\d/.test(token)) return "number";
  return /^["']/.test(token) && token.length > 1 ? "string" : "punct";
}

const CLOSES: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

/** The index of the token that closes the one at `open`; the last one if none does. */
export function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const { text } = tokens[i] as Token;
    if (text in CLOSES) depth++;
    else if (text === ")" || text === "]" || text === "}") depth--;
    if (depth === 0) return i;
  }
  return tokens.length - 1;
}

/** Cut at a token that is outside of all brackets. */
export function splitAt(tokens: readonly Token[], separator: string): Token[][] {
  const parts: Token[][] = [[]];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.text === separator) {
      parts.push([]);
      continue;
    }
    const close = token.text in CLOSES ? closing(tokens, i) : i;
    parts.at(-1)?.push(...tokens.slice(i, close + 1));
    i = close;
  }
  return parts;
}
