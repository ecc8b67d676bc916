/** Functions that take another's place in a table of the kernel: whether they may, by their types, and what a person is told. */
import { prototypeDifference } from "@suture/authored";
import type { Delta } from "@suture/diff";
import type { ElfObject } from "@suture/elf";
import { objectTypes } from "@suture/types";
import { fail } from "../errors.ts";

/** Who calls the old one calls the new one, and may be code that is not compiled here. @throws BUILD_SUCCESSOR */
export function checkSuccessors(original: ElfObject, patched: ElfObject, object: string, { successors }: Pick<Delta, "successors">): void {
  if (successors.length === 0) return;
  const [before, after] = [objectTypes(original), objectTypes(patched)];
  for (const { function: old, becomes, variable } of successors) {
    const [was, is] = [before?.prototype(old), after?.prototype(becomes)];
    const why = was === undefined || is === undefined ? "what they take and return is not written down" : prototypeDifference(was, is);
    if (why === undefined) continue;
    throw fail("BUILD_SUCCESSOR", `${becomes} is in ${variable} where ${old} was, and cannot be called as that one: ${why}`, {
      file: object,
      symbol: becomes,
    });
  }
}

export function successorNotes(successors: Delta["successors"]): string[] {
  return successors.map(
    ({ function: old, becomes, variable, at }) =>
      `${becomes} is in ${variable}${at === 0 ? "" : `+0x${at.toString(16)}`} where ${old} was, which nothing else leads to: the table stays, and ${old} is replaced by ${becomes}`,
  );
}
