/** Members that a fix adds to structures whose objects are alive: beside them, by somebody's word (--shadow). */
import type { CComposite, CFunction } from "../c-file.ts";
import type { Kind, Subject, Verdict } from "../edit.ts";
import { edit, enter, insert, isFree, runTime } from "../text.ts";

const family = "shadow";
const NEW = "edit_new";

/** Structures of a file that makes and frees some itself, with who is handed one. */
function known(subject: Subject): { one: CComposite; user: CFunction; by: string }[] {
  const { file } = subject;
  if (!isFree(file, NEW) || !/\bkv?[mz]alloc\w*\(/.test(file.text) || !/\bkv?free\(/.test(file.text)) return [];
  return file.composites.flatMap((one) => {
    if (one.kind !== "struct" || one.tag === undefined || one.variable !== undefined) return [];
    return runTime(subject).flatMap((user) =>
      user.parameters.flatMap(({ name, text }) => (text === `struct ${one.tag} * ${name}` ? [{ one, user, by: name }] : [])),
    );
  });
}

function kind(name: string, verdict: Verdict, codes: readonly string[], member: string, use: (by: string) => string, word = true): Kind {
  return {
    name,
    family,
    verdict,
    codes,
    tame: false,
    make(subject) {
      const found = subject.random.of(known(subject));
      if (found === undefined) return undefined;
      const { one, user, by } = found;
      return edit(
        subject,
        `${one.tag} gets ${member}, which ${user.name} uses`,
        [insert(one.bodyAt, `\n\t${member};`), enter(user, `\t${use(by)};\n`)],
        {
          claims: [
            { claim: "replaces", name: user.name },
            { claim: "refers", symbol: "klp_shadow_get" },
          ],
          ...(word && { word: { shadows: [`${one.tag}.${NEW}`] } }),
        },
      );
    },
  };
}

const written = (by: string): string => `${by}->${NEW} = ${by}->${NEW} + 1`;
/** Where objects begin and end must be certain. */
const UNCERTAIN = "BUILD_SHADOW_OBJECT";

export const shadowKinds: readonly Kind[] = [
  kind("member-beside", "either", [UNCERTAIN], `unsigned int ${NEW}`, written),
  kind("member-beside-by-nobodys-word", "refuse", ["BUILD_LAYOUT"], `unsigned int ${NEW}`, written, false),
  kind("array-beside", "refuse", ["BUILD_SHADOW_MEMBER"], `unsigned int ${NEW}[2]`, (by) => `${by}->${NEW}[1] = 1`),
  kind(
    "address-of-member-beside",
    "refuse",
    ["BUILD_SHADOW_USE", UNCERTAIN],
    `unsigned int ${NEW}`,
    (by) => `asm volatile("" :: "r" (&${by}->${NEW}) : "memory")`,
  ),
];
