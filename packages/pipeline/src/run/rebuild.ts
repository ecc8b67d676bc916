/**
 * Identity patches: functions that are replaced by themselves. What a person names, `OBJECT`, `OBJECT:FUNCTION` or `FUNCTION`, as the functions
 * of objects that the differ is to take although they are the same.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Delta } from "@suture/diff";
import type { KernelContext } from "@suture/kbuild";
import { defines, objectsNamed } from "@suture/kbuild";
import type { ObjectProof } from "@suture/proof";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

/** What of an object is asked for: all of its functions, or those of these names. */
export type Asked = "all" | ReadonlySet<string>;

/** By object. @throws BUILD_REBUILD, PROVE_NO_OBJECT */
export async function askedObjects(task: Task, kernel: KernelContext, words: readonly string[]): Promise<Map<string, Asked>> {
  const asked = new Map<string, Asked>();
  for (const word of words) {
    const { objects, name } = await meaning(task, kernel, word);
    const [object] = objects;
    if (object === undefined) throw fail("BUILD_REBUILD", `no C file of the kernel's defines ${word}`);
    if (objects.length > 1) throw fail("BUILD_REBUILD", `${word} may be in ${objects.join(", ")}`);
    const known = asked.get(object);
    if (name === undefined || known === "all") asked.set(object, "all");
    else asked.set(object, new Set([...(known ?? []), name]));
  }
  return asked;
}

async function meaning(task: Task, kernel: KernelContext, word: string): Promise<{ objects: readonly string[]; name?: string }> {
  const [, object, name] = /^([^:]+\.[oc])(?::(.+))?$/.exec(word) ?? [];
  if (object !== undefined) return { objects: objectsNamed(kernel.commands, [object]), ...(name === undefined ? {} : { name }) };
  if (!/^[A-Za-z_][\w.]*$/.test(word)) throw fail("BUILD_REBUILD", `"${word}" is neither an object nor a function`);
  return { objects: await definedIn(task, kernel, word), name: word };
}

/** The objects whose C file itself seems to define the function. */
async function definedIn(task: Task, kernel: KernelContext, name: string): Promise<string[]> {
  const { commands } = kernel;
  // Sources that the build makes may not be there: grep goes on, and ends with 2.
  const { stdout } = await run(task, ["grep", "-lswF", "-e", name, "--", ...commands.sources], { cwd: kernel.sourceRoot, accept: [1, 2] });
  const objects: string[] = [];
  for (const source of stdout.split("\n").filter((line) => line !== ""))
    if (defines(await readFile(join(kernel.sourceRoot, source), "latin1"), name)) objects.push(...commands.ofSource(source));
  return objects;
}

/** Which functions the differ is asked to take in, and of those, the ones that cannot be since the kernel runs others. */
export function forceOf(asked: Asked, proof: ObjectProof): (name: string) => boolean {
  const overridden = new Set(proof.overridden.map(({ name }) => name));
  return (name) => (asked === "all" || asked.has(name)) && !overridden.has(name);
}

/** What was asked for and is not replaced. A function that was named must be. @throws BUILD_REBUILD */
export function leftOut(object: string, asked: Asked, proof: ObjectProof, delta: Delta): Delta["notTaken"] {
  const overridden = proof.overridden.map(({ name, by }) => ({ name, why: `the kernel runs ${by}`, code: "BUILD_OVERRIDDEN" }));
  const notTaken = [...delta.notTaken, ...overridden.filter(({ name }) => asked === "all" || asked.has(name))];
  if (asked === "all") return notTaken;
  for (const name of asked) {
    if (delta.functions.some(({ original }) => original.name === name)) continue;
    const why =
      notTaken.find((left) => left.name === name)?.why ?? "is no function of its own there; it may have become part of its callers";
    throw fail("BUILD_REBUILD", `${name} ${why}`, { file: object, symbol: name });
  }
  return notTaken;
}
