/**
 * New members that lie in padding of structures whose objects are alive, by somebody's word (--hole): each object that exists has 0 there, since each place
 * where one begins clears its memory and nothing but members is written after that; and what the fix gives a new object is 0 as well. That the rest of the
 * structure lies as before is seen in what the compiler wrote, of each object of the fix (packages/types/src/holes.ts).
 */
import { sha256 } from "@suture/files";
import type { KernelContext } from "@suture/kbuild";
import type { Manifest } from "@suture/protocol";
import type { Stage, Task } from "@suture/task";
import { declarationsIn, functionAt } from "../c/declarations.ts";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { Inquiry } from "../shadow/inquiry.ts";
import { chosenMembers, type NewMember, nameOf, withoutMembers } from "../shadow/members.ts";
import { WITHIN } from "../shadow/rules.ts";
import { indexOf, masked } from "../shadow/text.ts";
import type { Site } from "../shadow/uses.ts";
import { givenTo, isZero } from "./writes.ts";

export type Hole = NonNullable<Manifest["holes"]>[number];

/**
 * @param names TYPE.MEMBER each, or `all`
 * @throws BUILD_HOLE
 */
export async function carryHoles(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  names: ReadonlySet<string>,
): Promise<Hole[]> {
  const members = names.size === 0 ? [] : chosenMembers(files, names, WITHIN.code);
  if (members.length === 0) return [];
  return task.stage("holes", async (stage) => {
    stage.note("where the kernel's objects begin");
    const before = await asked(task, kernel, files, members, "before", async (inquiry) => beginnings(inquiry, members, stage));
    stage.note("what the fix gives new ones");
    await asked(task, kernel, files, members, "after", async (inquiry) => {
      const { functions } = await beginnings(inquiry, members, stage);
      await checkGiven(inquiry, members, [...before.functions, ...functions]);
    });
    const sites = [...before.sites].map(([type, own]) => ({ type, own }));
    stage.result(`${members.map(nameOf).join(", ")}: ${sites.reduce((sum, { own }) => sum + own.length, 0)} places where objects begin`);
    return members.map(({ type, name, file, declaration }) => ({
      type,
      name,
      file,
      declaration: declaration.replace(/\s+/g, " ").trim(),
      state: stateOf(file, type, name),
      begins: (before.sites.get(type) ?? []).map(({ file: path, line }) => ({ file: path, line })),
    }));
  });
}

/** Whoever takes the livepatch's place has to have the member in the same place: a shadow variable of it is another one. */
function stateOf(file: string, type: string, name: string): number {
  return Number.parseInt(sha256(`hole ${file} struct ${type}.${name}`).slice(0, 12), 16);
}

async function asked<T>(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  members: readonly NewMember[],
  side: "before" | "after",
  ask: (inquiry: Inquiry) => Promise<T>,
): Promise<T> {
  const inquiry = await Inquiry.open(task, kernel, files, members, { rules: WITHIN, side });
  try {
    return await ask(inquiry);
  } finally {
    await inquiry.dispose();
  }
}

/** @throws BUILD_HOLE where memory becomes an object that is not cleared */
async function beginnings(
  inquiry: Inquiry,
  members: readonly NewMember[],
  stage: Stage,
): Promise<{ sites: Map<string, Site[]>; functions: string[] }> {
  const sites = new Map<string, Site[]>();
  const functions: string[] = [];
  for (const { file, type } of members) {
    if (sites.has(type)) continue;
    stage.note(`struct ${type}`);
    const found = (await inquiry.objectsOf(file, type)).begun();
    sites.set(type, found.sites);
    functions.push(...found.functions);
  }
  return { sites, functions };
}

/** That a new object has 0 there, too, when it has been made. @param makers functions in which objects begin. @throws BUILD_HOLE */
async function checkGiven(inquiry: Inquiry, members: readonly NewMember[], makers: readonly string[]): Promise<void> {
  const bare = new Map(
    [...inquiry.texts].map(([path, text]): [string, string] => [
      path,
      withoutMembers(
        text,
        members.filter(({ file }) => file === path),
      ),
    ]),
  );
  const reached = reachedFrom(makers, bare.values());
  for (const [file, uses] of await inquiry.uses(members, bare)) {
    const text = bare.get(file) ?? "";
    const mask = masked(text);
    for (const { member, line, column } of uses) {
      const given = givenTo(text, mask, indexOf(text, line, column), member.name);
      if (given === undefined || isZero(given)) continue;
      const writer = functionAt(text, line);
      // What is in no function is a macro, or an initial value.
      const maker = writer === undefined ? undefined : writer.names.find((name) => reached.has(name));
      if (writer !== undefined && maker === undefined) continue;
      const what = given === "" ? "may be given another value than 0" : `is given ${given}`;
      throw fail(WITHIN.code, `it ${what} where an object is made${maker === undefined ? "" : `, by ${maker}()`}: older ones have 0`, {
        file: `${file}:${line}`,
        symbol: nameOf(member),
      });
    }
  }
}

/** Functions, and those that they call by name. */
function reachedFrom(makers: readonly string[], texts: Iterable<string>): Set<string> {
  const bodies = new Map<string, string>();
  for (const text of texts) {
    const lines = masked(text).split("\n");
    for (const { kind, names, first, last } of declarationsIn(text))
      if (kind === "function")
        for (const name of names) bodies.set(name, `${bodies.get(name) ?? ""}${lines.slice(first, last + 1).join("\n")}`);
  }
  const reached = new Set<string>();
  const pending = [...makers];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    for (const [, called = ""] of (bodies.get(name) ?? "").matchAll(/\b(\w+)\s*\(/g)) if (bodies.has(called)) pending.push(called);
  }
  return reached;
}

export function holeNotes(holes: readonly Hole[]): { object: string; text: string }[] {
  return holes.map(({ type, name, file, begins }) => ({
    object: file,
    text: `${type}.${name} lies in what was padding: each object has 0 there, which is cleared where it begins (${begins.map((one) => `${one.file}:${one.line}`).join(", ")}); what new code writes there stays when the livepatch goes`,
  }));
}

/** By structure, the members that may be new. */
export function holesByType(holes: readonly Pick<Hole, "type" | "name">[]): Map<string, Set<string>> {
  const byType = new Map<string, Set<string>>();
  for (const { type, name } of holes) byType.set(type, (byType.get(type) ?? new Set()).add(name));
  return byType;
}
