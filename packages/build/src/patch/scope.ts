/**
 * What of a C file lies outside of functions. If that is the same before and after a patch, no type can have changed, and the costlier
 * comparison of types is not needed.
 */

/** Whether a patch of this file may change a type: true for everything but C files of which only functions changed. */
export function mayChangeTypes(path: string, before: string | undefined, after: string): boolean {
  return !path.endsWith(".c") || before === undefined || outsideOfFunctions(before) !== outsideOfFunctions(after);
}

/** What stands before a function's body: its parameters, and perhaps attributes. */
const FUNCTION = /\)\s*(__\w+\s*(\([^()]*\)\s*)?)*$/;

/** What stands before the members of a type without a name: attributes may end with a parenthesis, too. */
const TYPE = /\b(?:struct|union|enum)\s*(?:__\w+\s*(?:\((?:[^()]|\([^()]*\))*\)\s*)?)*$/;

/**
 * Declarations and directives, without comments, with spaces made one. Functions are left out with their heads. A text whose braces do not
 * match, as far as this can tell, comes back whole: nothing in it is taken for a function.
 */
export function outsideOfFunctions(text: string): string {
  const out: string[] = [];
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
    } else if (token === "}") {
      if (depth === 0) return text;
      depth--;
      if (!inFunction) declaration += token;
      else if (depth === 0) {
        declaration = "";
        inFunction = false;
      }
    } else if (!inFunction) declaration += token;
    if (token === ";" && depth === 0) {
      out.push(declaration.replace(/\s+/g, " ").trim());
      declaration = "";
    }
  }
  if (depth !== 0) return text;
  out.push(declaration.replace(/\s+/g, " ").trim());
  return out.join("\n");
}

/** Directives whole, braces and semicolons by themselves, the rest in pieces; comments become spaces. */
function* tokens(text: string): Generator<string> {
  const form =
    /\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=^[ \t]*)#(?:\\\n|[^\n])*|[{};]|[^{};"'/#]+|[/#"']/gm;
  for (const [token] of text.matchAll(form)) yield token.startsWith("/*") || token.startsWith("//") ? " " : token;
}
