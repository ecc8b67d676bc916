/**
 * What of a C file lies outside of functions. If that is the same before and after a patch, no type can have changed, and the costlier
 * comparison of types is not needed.
 */

/** Whether a patch of this file may change a type: true for everything but C files of which only functions changed. */
export function mayChangeTypes(path: string, before: string | undefined, after: string): boolean {
  return !path.endsWith(".c") || before === undefined || outsideOfFunctions(before) !== outsideOfFunctions(after);
}

/** Declarations and directives, without comments, with spaces made one. Functions are left out with their heads. */
export function outsideOfFunctions(text: string): string {
  const out: string[] = [];
  /** What has been read since the last declaration ended. */
  let declaration = "";
  let depth = 0;
  let inFunction = false;
  for (const token of tokens(text)) {
    if (token.startsWith("#")) out.push(token);
    else if (token === "{") {
      if (depth === 0) inFunction = /\)\s*(__\w+\s*(\([^()]*\)\s*)?)*$/.test(declaration);
      depth++;
      if (!inFunction) declaration += token;
    } else if (token === "}") {
      depth = Math.max(0, depth - 1);
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
  out.push(declaration.replace(/\s+/g, " ").trim());
  return out.join("\n");
}

/** Directives whole, braces and semicolons by themselves, the rest in pieces; comments become spaces. */
function* tokens(text: string): Generator<string> {
  const form =
    /\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=^[ \t]*)#(?:\\\n|[^\n])*|[{};]|[^{};"'/#]+|[/#"']/gm;
  for (const [token] of text.matchAll(form)) yield token.startsWith("/*") || token.startsWith("//") ? " " : token;
}
