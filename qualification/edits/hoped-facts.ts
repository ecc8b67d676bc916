/** What a compiler would say of a file if it inlined nothing and left nothing out: whether a kind of edits has a place in it, before it is compiled. */
import type { CFile } from "./c-file.ts";
import type { Facts } from "./facts.ts";

/** Folders that are compiled without calls of ftrace. */
const NOTRACE = /^(?:lib|kernel\/trace)\/[^/]+$/;

export function hopedFacts({ functions, variables, macros, text }: CFile, path: string): Facts {
  const users = (name: string): string[] =>
    functions.filter(({ tokens, isInit }) => !isInit && tokens.some((token) => token.text === name)).map((one) => one.name);
  const perCpu = macros.flatMap(({ name, arguments: [, one = ""] }) =>
    name === "DEFINE_PER_CPU" ? [{ name: one, section: ".data..percpu" }] : [],
  );
  const all = [
    ...variables.map(({ name, attributes }) => ({
      symbol: name,
      section: attributes.some((one) => one.name === "__ro_after_init") ? ".data..ro_after_init" : ".data",
      users: users(name),
    })),
    ...perCpu.map(({ name, section }) => ({ symbol: name, section, users: users(name) })),
    ...functions.flatMap((one) => one.statics.map(({ name }, i) => ({ symbol: `${name}.${i}`, section: ".bss", users: [one.name] }))),
  ];
  return {
    functions: new Map(
      functions.map(({ name, isInit, isStatic, tokens }) => [
        name,
        {
          hasEntry: !isInit && !NOTRACE.test(path),
          init: isInit,
          isGlobal: !isStatic,
          refers: new Set(tokens.flatMap(({ kind, text }) => (kind === "word" ? [text] : []))),
          bytes: "",
          code: "",
        },
      ]),
    ),
    variables: new Map(
      all.map((one) => [
        one.symbol,
        { size: 4, section: one.section, writable: true, isGlobal: false, names: [one.symbol], users: one.users },
      ]),
    ),
    everything: text,
  };
}
