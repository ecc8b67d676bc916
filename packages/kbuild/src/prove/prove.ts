/** Holds an object as it was compiled here against the kernel that is built for. */
import type { DiffOptions } from "@suture/diff";
import { type ElfObject, readElf, STB } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import type { Locate, Owner } from "@suture/livepatch";
import { type ObjectProof, proveObject } from "@suture/proof";
import type { Task } from "@suture/task";
import type { KernelContext } from "../context.ts";
import { fail } from "../errors.ts";
import type { ObjectCommand } from "../make/commands.ts";

/** @param sections the object that the differ gets too: the proof tells where its symbols are */
export async function proveOriginal(
  task: Task,
  kernel: KernelContext,
  command: ObjectCommand,
  plain: Uint8Array,
  sections: ElfObject,
): Promise<ObjectProof> {
  const { object, owner } = command;
  const assembler = kernel.config.get("CONFIG_AS_VERSION");
  const { release, source, otherOptions } = kernel.target;
  return proveObject({
    object,
    plain: readElf(plain, object),
    sections,
    against: owner === "vmlinux" ? kernel.image : await kernel.module(task, owner),
    layouts: kernel.layouts,
    built: {
      compiler: kernel.compiler,
      assembler: assembler === undefined ? undefined : Number(assembler),
      release,
      source,
      options: otherOptions,
    },
  });
}

/** Where the symbols of an original object are: as the proof has shown; for an unproven object, where a name is there once. */
export function locator(proof: ObjectProof, owner: Owner): Locate {
  return (symbol) => {
    const place = proof.place(symbol);
    if (place !== undefined) return { name: place.name, sympos: place.sympos };
    const by = proof.overridden.find(({ name }) => name === symbol.name)?.by;
    if (by !== undefined) throw fail("BUILD_OVERRIDDEN", `the kernel runs ${by}`, { file: proof.object, symbol: symbol.name });
    if (proof.complete || symbol.bind === STB.WEAK)
      throw fail("BUILD_UNPLACED", "nothing in the kernel shows which of its symbols this is", { file: proof.object, symbol: symbol.name });
    return owner.unique(symbol.name, proof.object);
  };
}

/** Where the kernel has strings of an original object. */
export function reachOf(proof: ObjectProof): NonNullable<DiffOptions["reach"]> {
  return ({ symbol, ...literal }) => proof.anchor(symbol ?? literal);
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
