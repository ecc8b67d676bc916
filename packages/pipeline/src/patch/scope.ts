/**
 * What of a C file declares something that outlives a call: all that lies outside of functions, and of their bodies static variables, what they declare
 * as others', and types. If that is the same before and after a patch, no type of live data can have changed, and the costlier comparison of types is
 * not needed.
 */

/** Whether a patch of this file may change a type: true for everything but C files of which only statements of functions changed. */
export function mayChangeTypes(path: string, before: string | undefined, after: string): boolean {
  return !path.endsWith(".c") || before === undefined || declarationsOf(before) !== declarationsOf(after);
}

/** What stands before a function's body: its parameters, and perhaps attributes. */
const FUNCTION = /\)\s*(__\w+\s*(\([^()]*\)\s*)?)*$/;

/** What stands before the members of a type without a name: attributes may end with a parenthesis, too. */
const TYPE = /\b(?:struct|union|enum)\s*(?:__\w+\s*(?:\((?:[^()]|\([^()]*\))*\)\s*)?)*$/;

/** In a body, what begins the members of a type, or the initial value of a static variable. */
const KEPT_BRACE = /\b(?:static|typedef|extern)\b|\b(?:struct|union|enum)\b[^()=]*$/;

/** In a body, what outlives the call without braces. */
const KEPT = /\b(?:static|typedef|extern)\b/;

/**
 * Declarations and directives, without comments, with spaces made one. Functions are left out with their heads, and with the statements of their
 * bodies. A text whose braces do not match, as far as this can tell, comes back whole: nothing in it is taken for a function.
 */
export function declarationsOf(text: string): string {
  const out: string[] = [];
  /** In a body: what has been read since the last statement ended, and how many braces of a declaration are open in it. */
  let statement = "";
  let inside = 0;
  /** It has such braces. */
  let hasBraces = false;
  const body = (token: string): void => {
    if (token === "{" && (hasBraces || KEPT_BRACE.test(statement))) {
      hasBraces = true;
      inside++;
      statement += token;
    } else if (token === "}" && inside > 0) {
      inside--;
      statement += token;
    } else if (token !== "{" && token !== "}" && (token !== ";" || inside > 0)) statement += token;
    else {
      if (token === ";" && (hasBraces || KEPT.test(statement))) out.push(statement.replace(/\s+/g, " ").trim());
      statement = "";
      hasBraces = false;
    }
  };
  /** What has been read since the last declaration ended. */
  let declaration = "";
  let depth = 0;
  let inFunction = false;
  /** How many braces were open where each #if began: its branches all start from there. */
  const branches: number[] = [];
  for (const token of tokens(text)) {
    if (token.startsWith("#")) {
      out.push(token);
      const word = /^#\s*(\w*)/.exec(token)?.[1];
      if (word === "if" || word === "ifdef" || word === "ifndef") branches.push(depth);
      else if (word === "else" || word === "elif") depth = branches.at(-1) ?? depth;
      else if (word === "endif") branches.pop();
    } else if (token === "{") {
      if (depth === 0) inFunction = FUNCTION.test(declaration) && !TYPE.test(declaration);
      depth++;
      if (!inFunction) declaration += token;
      else if (depth > 1) body(token);
    } else if (token === "}") {
      if (depth === 0) return text;
      depth--;
      if (!inFunction) declaration += token;
      else if (depth === 0) {
        declaration = "";
        statement = "";
        hasBraces = false;
        inside = 0;
        inFunction = false;
      } else body(token);
    } else if (!inFunction) declaration += token;
    else body(token);
    if (token === ";" && depth === 0) {
      out.push(declaration.replace(/\s+/g, " ").trim());
      declaration = "";
    }
  }
  if (depth !== 0) return text;
  out.push(declaration.replace(/\s+/g, " ").trim());
  return out.join("\n");
}

/** A text of C as a compiler sees it, but for how its lines lie. */
export function withoutComments(text: string): string {
  return [...tokens(text)].join("").replace(/\s+/g, " ").trim();
}

/** Directives whole, braces and semicolons by themselves, the rest in pieces; comments become spaces. */
function* tokens(text: string): Generator<string> {
  const form =
    /\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=^[ \t]*)#(?:\\\n|[^\n])*|[{};]|[^{};"'/#]+|[/#"']/gm;
  for (const [token] of text.matchAll(form)) yield token.startsWith("/*") || token.startsWith("//") ? " " : token;
}
