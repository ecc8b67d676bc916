/**
 * Where the compiler made a function part of its callers besides keeping it: calls from there are not redirected. gcc is asked: it says each
 * function that it inlines when it compiles the original. Kept, as the original does not change.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { keepJson, readKept } from "@suture/files";
import type { KernelContext, ObjectCommand } from "@suture/kbuild";
import { keyOf, replaced } from "@suture/kbuild";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import * as v from "valibot";

/** By function: those that it is part of. */
export type Inlined = ReadonlyMap<string, readonly string[]>;
const INLINED: v.GenericSchema<[string, string[]][]> = v.array(v.tuple([v.string(), v.array(v.string())]));

export async function inlinedIn(task: Task, kernel: KernelContext, { object, compile, depfile }: ObjectCommand): Promise<Inlined> {
  const path = join(kernel.cache, "kbuild", `${keyOf(kernel.target, ["inlined", kernel.tools.identity, object, compile])}.json`);
  const kept = kernel.target.inputs.length === 0 ? undefined : await readKept(path, INLINED);
  if (kept !== undefined) return new Map(kept);
  const inlined = await inScratch("inlined", async (folder) => {
    const said = join(folder, "said");
    const unlisted = replaced(compile, ` -Wp,-MMD,${depfile}`, "", object);
    const line = replaced(unlisted, ` -c -o ${object} `, ` -fopt-info-inline=${said} -g0 -S -o ${folder}/out.s `, object);
    await run(task, ["sh", "-c", line], { cwd: kernel.target.tree });
    return parse(await readFile(said, "utf8").catch(absent));
  });
  if (kernel.target.inputs.length > 0) await keepJson(task, path, [...inlined]);
  return inlined;
}

/** The compiler writes no file where it has nothing to say. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}

/** `fs/pipe.c:90:2: optimized:  Inlining pipe_lock/4705 into pipe_read/4735.` and, of later passes, `Inlined a/1 into b/2 which now has ...` */
export function parse(said: string): Map<string, string[]> {
  const inlined = new Map<string, string[]>();
  for (const [, name = "", into = ""] of said.matchAll(/\bInlin(?:ing|ed) ([\w.]+)\/\d+ into ([\w.]+)\/\d+/g)) {
    const list = inlined.get(name) ?? [];
    if (!list.includes(into)) list.push(into);
    inlined.set(name, list);
  }
  return inlined;
}

/** The functions that a call of `name` is missed in: what it is part of, and what that is part of. Those that are replaced too are not. */
export function missedIn(inlined: Inlined, name: string, replaced: ReadonlySet<string>, kept: (name: string) => boolean): string[] {
  const missed = new Set<string>();
  const seen = new Set<string>([name]);
  const queue = [name];
  for (let at = queue.pop(); at !== undefined; at = queue.pop())
    for (const into of inlined.get(at) ?? []) {
      if (seen.has(into)) continue;
      seen.add(into);
      if (replaced.has(into)) continue;
      if (kept(into)) missed.add(into);
      queue.push(into);
    }
  return [...missed].sort();
}
