/** Structures whose objects live on stacks only, which may lie otherwise in a fix. */
import type { Kind, Subject, Verdict } from "../edit.ts";
import { onStack } from "../on-stack.ts";
import { type Change, edit, insert, isFree, runTime } from "../text.ts";

const family = "stack";
const [MEMBER, KEPT] = ["edit_marks", "edit_kept"];

function kind(name: string, verdict: Verdict, also: (subject: Subject, tag: string, end: number) => Change[]): Kind {
  return {
    name,
    family,
    verdict,
    codes: ["BUILD_LAYOUT"],
    tame: verdict === "either",
    make(subject) {
      const { file, random } = subject;
      if (![MEMBER, KEPT].every((one) => isFree(file, one))) return undefined;
      const all = file.composites.flatMap((one) => {
        const held = one.kind === "struct" && one.tag !== undefined && one.variable === undefined ? onStack(subject, one) : undefined;
        return held?.only === true ? [{ one, tag: one.tag ?? "", functions: held.functions }] : [];
      });
      const found = random.of(all);
      if (found === undefined) return undefined;
      const { one, tag, functions } = found;
      const entries = runTime(subject).filter((each) => functions.includes(each));
      return edit(
        subject,
        `${tag}, which is on stacks, has another member`,
        [insert(one.bodyAt, `\n\tunsigned long ${MEMBER}[3];`), ...also(subject, tag, one.end)],
        { claims: entries.map((each) => ({ claim: "replaces", name: each.name })), news: [KEPT] },
      );
    },
  };
}

/** A function is in the kernel's memory for as long as that is there. */
const kept = (_: Subject, tag: string, end: number): Change[] => [
  insert(end, `\n\n__attribute__((__used__)) static struct ${tag} ${KEPT};`),
];

export const stackKinds: readonly Kind[] = [kind("type-on-stacks", "either", () => []), kind("type-on-stacks-and-kept", "refuse", kept)];
