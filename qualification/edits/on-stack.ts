/** Structures whose objects are variables of functions. */
import type { CComposite, CFunction } from "./c-file.ts";
import type { Subject } from "./edit.ts";

interface OnStack {
  /** Each has one of its own, or is handed one. */
  functions: CFunction[];
  /** The file says it nowhere else: what is handed is so to static functions, as a pointer. */
  only: boolean;
}

/** @returns undefined if no function has one of its own */
export function onStack({ file }: Subject, { tag, at, bodyAt }: CComposite): OnStack | undefined {
  const { tokens } = file.scan;
  const functions = new Set<CFunction>();
  let [owned, only] = [false, true];
  tokens.forEach(({ text, at: place }, i) => {
    if (text !== "struct" || tokens[i + 1]?.text !== tag || (place >= at && place < bodyAt)) return;
    const [next, behind] = [tokens[i + 2], tokens[i + 3]];
    const by = file.functions.find((one) => place >= one.at && place < one.end);
    const isOwn = by !== undefined && place > by.bodyAt && next?.kind === "word" && [";", "=", ","].includes(behind?.text ?? "");
    const isHanded = by !== undefined && place < by.bodyAt && place >= by.parametersAt && by.isStatic && next?.text === "*";
    if (by !== undefined) functions.add(by);
    owned ||= isOwn && tokens[i - 1]?.text !== "static";
    only &&= isOwn || isHanded;
  });
  return owned ? { functions: [...functions], only } : undefined;
}
