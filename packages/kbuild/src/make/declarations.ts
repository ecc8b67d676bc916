/**
 * Whether two preprocessed texts of one C file can compile to different code, where they differ in declarations only: a prototype, an inline
 * function or a type that nothing else in the file names makes no code. In doubt they can.
 */

/** @returns false only if all declarations that differ are of names that the rest of the file does not use */
export function canDiffer(before: string, after: string): boolean {
  const [old, now] = [declarationsOf(before), declarationsOf(after)];
  const changed: string[] = [];
  const used = new Set<string>();
  for (const [text, count] of old) {
    if (now.get(text) === count) for (const name of identifiers(text)) used.add(name);
    else changed.push(text);
  }
  for (const [text, count] of now) if (old.get(text) !== count) changed.push(text);
  return changed.some((text) => {
    const names = declaredNames(text);
    return names === undefined || names.some((name) => used.has(name));
  });
}

/** Names that hold the preprocessor's counter, which an inserted line moves: what they name is found by other means. */
const COUNTED = /\b(__UNIQUE_ID_\w*?|__compiletime_assert_|__dummy_\w*?|___addressable_\w*?)\d+\b/g;

const TOKEN = /[A-Za-z_]\w*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[\d.][\w.]*|[^\s\w]/g;

/** Declarations of the file with how often each occurs, tokens with one space between. */
function declarationsOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let tokens: string[] = [];
  let depth = 0;
  const end = (): void => {
    const declaration = tokens.join(" ");
    found.set(declaration, (found.get(declaration) ?? 0) + 1);
    tokens = [];
  };
  let isFunction = false;
  for (const [token] of text.replace(COUNTED, "$1N").matchAll(TOKEN)) {
    if (token === "{" && depth === 0) isFunction = tokens.at(-1) === ")";
    if (token === "{" || token === "(" || token === "[") depth++;
    if (token === "}" || token === ")" || token === "]") depth--;
    tokens.push(token);
    if (depth === 0 && (token === ";" || (token === "}" && isFunction))) end();
  }
  if (tokens.length > 0) end();
  return found;
}

function identifiers(declaration: string): string[] {
  return declaration.match(/(?<![\w"'])[A-Za-z_]\w*/g) ?? [];
}

/** Attributes by which a declaration that nothing names puts something into the object. */
const MAKES_SYMBOL =
  /__attribute(?:__)? \( \((?:[^()]|\([^()]*\))*(?<!\w)(?:__)?(?:used|retain|constructor|destructor|alias|ifunc|section)(?:__)?(?!\w)/;

/** What a declaration declares if it makes no code or data by itself; undefined if it may, or is not understood. */
function declaredNames(declaration: string): string[] | undefined {
  if (MAKES_SYMBOL.test(declaration)) return undefined;
  const plain = withoutAttributes(declaration);
  if (plain === ";" || plain === "") return [];
  const enumeration = /^(?:typedef )?enum (\w+ )?\{ (.*) \} ?(\w*) ?;$/.exec(plain);
  if (enumeration !== null) {
    const constants = (enumeration[2] ?? "").split(",").flatMap((item) => /^\s*(\w+)/.exec(item)?.[1] ?? []);
    return [enumeration[1]?.trim(), enumeration[3], ...constants].filter((name): name is string => name !== undefined && name !== "");
  }
  // A structure's members are reached by way of its tag only.
  const composite = /^(?:struct|union) (\w+) (?:\{.*\} )?;$/.exec(plain);
  if (composite?.[1] !== undefined) return [composite[1]];
  const prototype = /^[^(){}=]*?(\w+) \(.*\) ;$/.exec(plain);
  if (prototype?.[1] !== undefined && !plain.includes("{") && !/^(static_assert|_Static_assert|asm|__asm__)\b/.test(plain))
    return [prototype[1]];
  const inline = /^([^(){}=]*?)(\w+) \(.*\) \{.*\}$/.exec(plain);
  if (inline?.[2] !== undefined && /\bstatic\b/.test(inline[1] ?? "") && /\b(inline|__inline|__inline__)\b/.test(inline[1] ?? ""))
    return [inline[2]];
  const variable = /^extern [^(){}=]*?(\w+)(?: \[[^\]]*\])* ;$/.exec(plain);
  return variable?.[1] === undefined ? undefined : [variable[1]];
}

/** `__attribute__ ( ( ... ) )` with whatever is nested in it. */
function withoutAttributes(declaration: string): string {
  const tokens = declaration.split(" ");
  const out: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== "__attribute__" && tokens[i] !== "__attribute") {
      out.push(tokens[i] as string);
      continue;
    }
    let depth = 0;
    do {
      i++;
      if (tokens[i] === "(") depth++;
      if (tokens[i] === ")") depth--;
    } while (depth > 0 && i < tokens.length);
  }
  return out.join(" ");
}
