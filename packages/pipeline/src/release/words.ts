/** What somebody's word lets a catch-up do besides replacing functions (docs/means.md). */
import type { KernelContext } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { carryHoles, type Hole } from "../hole/carry.ts";
import { checkShown, checkTogether, holdAdded, liveNotes, nameOf } from "../run/live.ts";
import { type Compared, refuseMissed } from "../run/patch-run.ts";
import { checkProbes, checkRedirected, redirectNotes, tellOldCalls } from "../run/redirects.ts";
import { nameOf as memberName, newMembers } from "../shadow/members.ts";
import type { ChangedFile } from "./chosen-source.ts";

export interface Words {
  /** OBJECT:VARIABLE each. */
  data: ReadonlySet<string>;
  /** OBJECT:FUNCTION each. */
  redirects: ReadonlySet<string>;
  /** TYPE.MEMBER each. */
  holes: ReadonlySet<string>;
}

export interface AskedWords {
  acceptData?: readonly string[] | undefined;
  redirects?: readonly string[] | undefined;
  holes?: readonly string[] | undefined;
  plain?: boolean | undefined;
}

/** A word is for one thing, which a release has many of one name of. @throws CATCHUP_WORD, BUILD_REDIRECT */
export function wordsOf(kernel: KernelContext, asked: AskedWords): Words {
  const { acceptData = [], redirects = [], holes = [] } = asked.plain === true ? {} : asked;
  const check = (option: string, names: readonly string[], form: RegExp, what: string): void => {
    const other = names.find((name) => !form.test(name));
    if (other !== undefined) throw fail("CATCHUP_WORD", `${option} ${other} is not ${what}`, { symbol: other });
  };
  check("--accept-data", acceptData, /^[^:]+\.o:[^:]+$/, "OBJECT:VARIABLE");
  check("--redirect", redirects, /^[^:]+\.o:[^:]+$/, "OBJECT:FUNCTION");
  check("--hole", holes, /^\w+\.\w+$/, "TYPE.MEMBER");
  for (const name of [...acceptData, ...redirects]) {
    const [object = ""] = name.split(":");
    if (!kernel.commands.objects.includes(object)) throw fail("CATCHUP_WORD", `no object of the kernel is ${object}`, { symbol: name });
  }
  const words = { data: new Set(acceptData), redirects: new Set(redirects), holes: new Set(holes) };
  checkProbes(kernel, words.redirects);
  return words;
}

/**
 * Layouts are compared as if a word for a member were good, and what it rests on is looked at where the text has that member: a word for one that the text
 * does not have, or has twice, would be good for nothing that was looked at.
 * @param files as the release has them. @throws CATCHUP_WORD
 */
export function checkHoles(files: readonly ChangedFile[], { holes }: Words): void {
  const added = holes.size === 0 ? [] : newMembers(files).map(memberName);
  for (const name of holes) {
    const count = added.filter((one) => one === name).length;
    if (count !== 1)
      throw fail("CATCHUP_WORD", `${count === 0 ? "no change that may go in adds" : `${count} structures get`} ${name}`, { symbol: name });
  }
}

/** What objects are refused together. @throws DIFF_LEFT_OUT, BUILD_LIVE_DATA, BUILD_REDIRECT */
export function checkParts(parts: readonly Compared[], { data, redirects }: Words): void {
  refuseMissed(parts);
  checkTogether(parts, data);
  checkShown(parts);
  checkRedirected(parts, redirects);
}

export interface RefusedHole {
  refusal: unknown;
  /** Of the structure, without `struct`. */
  type: string;
  members: ReadonlySet<string>;
}

/** By structure, as each is refused for itself. @param files as the release has them */
export async function holesIn(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  { holes }: Words,
): Promise<{ found: Hole[]; refused: RefusedHole[] }> {
  const [found, refused]: [Hole[], RefusedHole[]] = [[], []];
  const there = holes.size === 0 ? [] : newMembers(files).filter((one) => holes.has(memberName(one)));
  for (const type of new Set(there.map((one) => one.type))) {
    const own = there.filter((one) => one.type === type);
    try {
      found.push(...(await carryHoles(task, kernel, files, new Set(own.map(memberName)))));
    } catch (refusal) {
      refused.push({ refusal, type, members: new Set(own.map(({ name }) => name)) });
    }
  }
  return { found, refused };
}

/** What a person is told of each object, and of words that were of no use. */
export function tellWords(task: Task, parts: readonly Compared[], holes: readonly Hole[], words: Words): void {
  const used = new Set<string>(holes.map(memberName));
  holdAdded(parts, parts);
  for (const { object, delta } of parts) {
    delta.notes.push(...liveNotes(delta.live), ...redirectNotes(delta.redirects));
    for (const { variable } of delta.live) used.add(nameOf(object, variable));
    for (const one of delta.redirects) used.add(nameOf(object, one.function));
  }
  tellOldCalls(parts);
  for (const name of [...words.data, ...words.redirects, ...words.holes])
    if (!used.has(name)) task.reporter.warn(`nothing that is carried needs your word for ${name}`);
}
