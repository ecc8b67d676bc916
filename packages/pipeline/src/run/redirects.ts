/** Functions that a probe of the kernel redirects: what is known of them only by types, configuration and the other objects, and what a person is told. */
import { prototypeDifference } from "@suture/authored";
import type { Delta, RedirectRecord } from "@suture/diff";
import type { ElfObject } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { objectTypes } from "@suture/types";
import { fail } from "../errors.ts";
import { nameOf } from "./live.ts";

/** @throws BUILD_REDIRECT */
export function checkProbes(kernel: KernelContext, redirects: ReadonlySet<string>): void {
  if (redirects.size > 0 && !kernel.config.enabled("CONFIG_KPROBES"))
    throw fail(
      "BUILD_REDIRECT",
      `${[...redirects].join(", ")}: the kernel has no probes (CONFIG_KPROBES)`,
      {},
      { mend: "Make the change in functions that have an ftrace entry." },
    );
}

/** Who calls the old one comes to the new one. @throws BUILD_REDIRECT */
export function checkPrototypes(original: ElfObject, patched: ElfObject, object: string, { redirects }: Pick<Delta, "redirects">): void {
  if (redirects.length === 0) return;
  const [before, after] = [objectTypes(original), objectTypes(patched)];
  for (const { function: name } of redirects) {
    const [was, is] = [before?.prototype(name), after?.prototype(name)];
    const why = was === undefined || is === undefined ? "what it takes and returns is not written down" : prototypeDifference(was, is);
    if (why !== undefined) throw fail("BUILD_REDIRECT", `${name} cannot be called as the old one: ${why}`, { file: object, symbol: name });
  }
}

type RedirectPart = { object: string; delta: Pick<Delta, "redirects" | "externals" | "notes"> };

/** Somebody's word is for one function each. @throws BUILD_REDIRECT */
export function checkRedirected(parts: readonly RedirectPart[], accepted: ReadonlySet<string>): void {
  const known = new Map<string, string>();
  for (const { object, delta } of parts)
    for (const { function: name } of delta.redirects) {
      if (accepted.has(nameOf(object, name))) continue;
      const other = known.get(name);
      known.set(name, object);
      if (other !== undefined)
        throw fail(
          "BUILD_REDIRECT",
          `${name} differs in ${other} and in ${object}, and which of them is meant is not said`,
          { file: object, symbol: name },
          { mend: `--redirect ${nameOf(other, name)} ${nameOf(object, name)}, or the one of them that is meant.` },
        );
    }
}

/** And for one that needs it. @throws BUILD_REDIRECT */
export function checkNeeded(parts: readonly RedirectPart[], accepted: ReadonlySet<string>): void {
  const needed = new Set(
    parts.flatMap(({ object, delta }) => delta.redirects.flatMap((one) => [one.function, nameOf(object, one.function)])),
  );
  const name = [...accepted].find((one) => !needed.has(one));
  if (name !== undefined)
    throw fail("BUILD_REDIRECT", `${name} needs no probe: the fix does not change it, or it can be replaced without one`, { symbol: name });
}

export function redirectNotes(redirects: readonly RedirectRecord[]): string[] {
  return redirects.map(
    ({ function: name }) =>
      `${name} has no ftrace entry: a probe of the kernel sends its calls to the new one, at the cost of a trap for each. That begins when every task runs the other new functions, and ends before the first goes back; each call moves over by itself, and whoever is in the old one stays there. Calls that handlers of the kernel's probes make come to the old one. The module stays in memory`,
  );
}

/** Other objects of the fix call it by its name, which is the kernel's. */
export function tellOldCalls(parts: readonly RedirectPart[]): void {
  for (const { object, delta } of parts)
    for (const { function: name, global } of delta.redirects) {
      const callers = parts.filter(
        (other) => global && other.object !== object && other.delta.externals.some(({ symbol }) => symbol.name === name),
      );
      if (callers.length > 0)
        delta.notes.push(
          `new functions of ${callers.map((other) => other.object).join(", ")} come to the old ${name} while a transition lasts`,
        );
    }
}
