/** Whether a C file has, outside of any braces, the function's name, parameters, and a body. */
export function defines(text: string, name: string): boolean {
  for (const found of text.matchAll(new RegExp(`^[^\\s#/*}].*(?<![\\w.])${name}\\s*\\(|^${name}\\s*\\(`, "gm"))) {
    const end = /[;{=]/g;
    end.lastIndex = found.index + found[0].length;
    if (end.exec(text)?.[0] === "{") return true;
  }
  return false;
}
