/** Holds an object as it was compiled here against the kernel that is built for. */
import { type ElfObject, readElf } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { type ObjectProof, proveObject } from "@suture/proof";
import type { Task } from "@suture/task";
import type { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";

/** @param sections the object that the differ gets too: the proof tells where its symbols are */
export async function proveOriginal(
  task: Task,
  kernel: KernelContext,
  command: ObjectCommand,
  plain: Uint8Array,
  sections: ElfObject,
): Promise<ObjectProof> {
  const { object, owner } = command;
  return proveObject({
    object,
    plain: readElf(plain, object),
    sections,
    against: owner === "vmlinux" ? kernel.image : await kernel.module(task, owner),
    layouts: kernel.layouts,
    built: { compiler: kernel.compiler, release: kernel.target.release },
  });
}

/** Why an object is not proven, with the first thing that differs and its likely cause. */
export function refuseUnproven(proof: ObjectProof): SutureError {
  const unproven = proof.functions.filter((f) => !f.proven && !f.init && !f.doubts.some(({ code }) => code === "overridden"));
  const [mismatch] = proof.mismatches;
  const [cause] = proof.causes;
  const [first] = unproven;
  const what = first?.doubts[0]?.why ?? mismatch?.why ?? "it could not be compared";
  const why = `${unproven.length} of ${proof.functions.length} functions differ from what the kernel runs; ${first?.name ?? mismatch?.function ?? "data"}: ${what}`;
  return fail("BUILD_UNPROVEN", cause === undefined ? why : `${why}. ${cause.certain ? "Cause" : "Likely cause"}: ${cause.why}`, {
    file: proof.object,
    symbol: first?.name,
    section: mismatch?.section,
    offset: mismatch?.offset,
  });
}
