/** What was decided of an object, and why: for people who look at a run. */
import type { Delta } from "@suture/diff";
import type { Locate } from "@suture/livepatch";

export interface Decision {
  object: string;
  /**
   * paired: what has another name in the kernel; changed: what replaces the kernel's; carried: what goes with that; added: what is new; reached: what
   * stays the kernel's; left: what differs and needs nothing, or cannot be taken; same: nothing differs; refused: why there is no livepatch.
   */
  what: "paired" | "changed" | "carried" | "added" | "reached" | "left" | "same" | "refused";
  /** Of the function, variable or string; the object itself for "same". */
  name: string;
  why: string;
}

export function decisionsOf(object: string, delta: Delta, notTaken: Delta["notTaken"], locate: Locate): Decision[] {
  const one = (what: Decision["what"], name: string, why: string): Decision => ({ object, what, name, why });
  const decisions = [
    ...delta.renamed.map(({ name, original }) => one("paired", name, `it is the kernel's ${original}`)),
    ...delta.functions.map(({ name, why, through }) =>
      one("changed", name, through.length === 0 ? why : `${why}; by way of ${through.join(", ")}`),
    ),
    ...delta.redirects.map(({ function: name, why }) => one("changed", name, `${why}; by a probe, since it has no ftrace entry`)),
    ...delta.callbacks.map(({ name, kind }) => one("carried", name, `it is a callback: ${kind}`)),
    ...delta.carriedAlong.map(({ name, why }) => one("carried", name, `${why}; its calls cannot be redirected`)),
    ...delta.recarried.map((name) =>
      one("carried", name, "carried code needs it, and the kernel's is not the same for it or cannot be reached"),
    ),
    ...delta.added.map(({ name, kind, size }) => one("added", name, `a new ${kind} of ${size} bytes`)),
    ...delta.externals.map((external) => one("reached", external.symbol.name, reachedText(external, locate))),
    ...[...delta.skipped, ...notTaken].map(({ name, why }) => one("left", name, why)),
    ...[...delta.missed].map(({ where, message }) => one("left", where.symbol ?? object, message)),
  ];
  return decisions.length > 0 ? decisions : [one("same", object, "the code is the same")];
}

function reachedText({ original, anchor }: Delta["externals"][number], locate: Locate): string {
  if (anchor !== undefined) return `the kernel has it ${anchor.offset} bytes behind ${anchor.name}`;
  if (original === undefined) return "another object has it, or the fix adds it there: it is found by its name";
  try {
    const { name, sympos } = locate(original);
    return `it is the object's own, and the kernel's ${name}${sympos === 0 ? "" : `, the ${sympos}. of that name`}`;
  } catch (error) {
    return `it is the object's own, and its place is not shown: ${error instanceof Error ? error.message : String(error)}`;
  }
}
