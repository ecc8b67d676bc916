/** Words of the kernel's variables that a livepatch changes where they stand: what is known of them only beside the other objects, and what a person is told. */
import type { Delta, LiveRecord } from "@suture/diff";
import { type ElfObject, isSection, STB } from "@suture/elf";
import { variableShape } from "@suture/types";
import { fail } from "../errors.ts";

/** As --accept-data names them. */
export function accepts(accepted: ReadonlySet<string>, object: string): (variable: string) => boolean {
  return (variable) => accepted.has(variable) || accepted.has(nameOf(object, variable));
}

/** Of a variable, for --accept-data. */
export function nameOf(object: string, variable: string): string {
  return `${object}:${variable}`;
}

/**
 * What is in them the kernel has made code of, or its programs have in them: who changes the word changes nothing of that. Source: include/linux/
 * (jump_label.h, static_call_types.h, tracepoint-defs.h, bpf.h), asm/paravirt_types.h.
 */
const MADE_CODE =
  /^struct (static_key|static_key_true|static_key_false|static_call_key|tracepoint|bpf_func_proto|paravirt_patch_template)(\[|$)/;

/** @throws BUILD_LIVE_DATA */
export function checkTypes(original: ElfObject, object: string, { live }: Pick<Delta, "live">): void {
  for (const variable of new Set(live.map((word) => word.variable))) {
    const shape = variableShape(original, variable);
    if (shape !== undefined && !MADE_CODE.test(shape)) continue;
    const why = shape === undefined ? "of a type that the compiler has not written down" : `a ${shape}, of which the kernel has made code`;
    throw fail("BUILD_LIVE_DATA", `${variable} is ${why}`, { file: object, symbol: variable });
  }
}

type LivePart = { object: string; delta: Pick<Delta, "live" | "leans" | "functions" | "newCallsByPointer" | "added" | "handed"> };

/** @param accepted as --accept-data says. @throws BUILD_LIVE_DATA */
export function checkTogether(parts: readonly LivePart[], accepted: ReadonlySet<string>): void {
  checkNames(parts, accepted);
  checkLeans(parts, parts);
  checkFilled(parts);
}

/** A name without its object is somebody's word for one variable. */
function checkNames(parts: readonly LivePart[], accepted: ReadonlySet<string>): void {
  const known = new Map<string, string>();
  for (const { object, delta } of parts)
    for (const variable of new Set(delta.live.map((word) => word.variable))) {
      if (accepted.has(nameOf(object, variable))) continue;
      const other = known.get(variable);
      known.set(variable, object);
      if (other !== undefined)
        throw fail(
          "BUILD_LIVE_DATA",
          `${variable} differs in ${other} and in ${object}, and which of them is meant is not said`,
          { file: object, symbol: variable },
          { mend: `--accept-data ${nameOf(other, variable)} ${nameOf(object, variable)}, or the one of them that is meant.` },
        );
    }
}

/**
 * What an old value leads to stays the kernel's for whoever comes to it: it must not come to what another object of the livepatch replaces.
 * @param replacing all of them. @throws BUILD_LIVE_DATA
 */
export function checkLeans(
  parts: readonly LivePart[],
  replacing: readonly { object: string; delta: Pick<Delta, "functions"> & Partial<Pick<Delta, "redirects">> }[],
): void {
  const replaced = new Map<string, string>();
  for (const { object, delta } of replacing) {
    for (const { name, original } of delta.functions) if (original.bind !== STB.LOCAL) replaced.set(name, object);
    for (const one of delta.redirects ?? []) if (one.global) replaced.set(one.function, object);
  }
  for (const { object, delta } of parts)
    for (const name of delta.leans) {
      const other = replaced.get(name);
      if (other !== undefined)
        throw fail(
          "BUILD_LIVE_DATA",
          `what ${[...new Set(delta.live.map(({ variable, was }) => `${variable} (${was})`))].join(", ")} held leads to ${name}, which ${other} replaces: whoever is in it, or has a copy of it, would come to the new one`,
          { file: object, symbol: name },
          { mend: "Make it two livepatches, of which the one that changes the data does not change that function." },
        );
    }
}

/** A pointer to what another object of the livepatch adds leads into its module as well. @param adding what adds to them */
export function holdAdded(
  parts: readonly LivePart[],
  adding: readonly { delta: { object: Pick<ElfObject, "symbols"> | undefined } }[],
): void {
  const added = new Set(
    adding.flatMap(({ delta }) =>
      (delta.object?.symbols ?? []).flatMap(({ name, bind, place }) => (bind !== STB.LOCAL && isSection(place) ? [name] : [])),
    ),
  );
  for (const { delta } of parts)
    for (const word of delta.live) {
      const name = word.becomes.replace(/\+\d+$/, "");
      if (word.holds || !added.has(name)) continue;
      word.holds = true;
      delta.handed.push({ function: word.variable, kind: "function", name });
    }
}

/** Code of one object must not rely on a place of another that is filled when all run it. */
function checkFilled(parts: readonly LivePart[]): void {
  for (const { object, delta } of parts) {
    const word = delta.live.find(({ fills }) => fills);
    if (word === undefined) continue;
    for (const other of parts)
      if (other.object !== object && other.delta.newCallsByPointer.length > 0)
        throw fail(
          "BUILD_LIVE_DATA",
          `a place in ${word.variable} that was empty gets ${word.becomes}, and ${other.delta.newCallsByPointer[0]} of ${other.object}, which calls by a pointer where it did not, may rely on it before it is filled`,
          { file: object, symbol: word.variable },
          {
            mend: "Make it two livepatches: the one that fills the place first. Or let a callback fill it (docs/authoring.md#changed-initial-values).",
          },
        );
  }
}

/** What the kernel gives of a module's parameter: a page, of which it ends the text itself. */
const MOST_SHOWN = 4096 - 1;

/** Whether each word is in the kernel, the module says in one text. @throws BUILD_LIVE_DATA */
export function checkShown(parts: readonly { owner: { name: string }; delta: Pick<Delta, "live"> }[]): void {
  const lines = parts.flatMap(({ owner, delta }) =>
    delta.live.map(({ variable, at }) => `out ${owner.name} ${variable}+0x${at.toString(16)}\n`),
  );
  if (lines.join("").length > MOST_SHOWN)
    throw fail("BUILD_LIVE_DATA", `${lines.length} words of the kernel's data differ, which is more than the livepatch can tell of`, {
      symbol: parts.find(({ delta }) => delta.live.length > 0)?.delta.live[0]?.variable ?? "",
    });
}

export function liveNotes(live: readonly LiveRecord[]): string[] {
  return live.map(({ variable, at, was, becomes, holds }) => {
    const where = at === 0 ? variable : `${variable}+0x${at.toString(16)}`;
    const stays = holds ? "; the module stays in memory, since nobody can say when the last has left it" : "";
    return `${where} is ${becomes} in place of ${was} when every task runs the new code, and ${was} again before the first goes back${stays}; whoever has made a copy of it before, or has gone by it, keeps to the old one`;
  });
}
