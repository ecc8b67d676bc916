/** What changed in the compiled objects: which functions are replaced, and what must come with them. */
import { join } from "node:path";
import { type Delta, diff, type Elsewhere } from "@suture/diff";
import { type ElfObject, readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext, ObjectCommand, Overlay, SourceView } from "@suture/kbuild";
import { compile, compileKept, diffOptions, locator, reachOf, type Variant } from "@suture/kbuild";
import type { Locate, Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { checkLayouts, checkVariables, variableVanishes } from "@suture/types";
import { fail } from "../errors.ts";
import type { Compiled } from "./compile-objects.ts";
import { movesBetween } from "./elsewhere.ts";
import { handedNotes } from "./handed-notes.ts";
import { checkMemory } from "./memory.ts";
import { type Asked, forceOf, leftOut } from "./rebuild.ts";
import { compileWide, type Wide, wantsRoom } from "./wide-branches.ts";

/** What changed in an object, and what was to be replaced by itself and is not. */
export interface Compared extends Part {
  delta: Delta;
  notTaken: Delta["notTaken"];
}

export async function compareObjects(
  task: Task,
  kernel: KernelContext,
  compiled: readonly Compiled[],
  options: {
    asked: ReadonlyMap<string, Asked>;
    overlay: Overlay;
    variant: Variant;
    accepted: ReadonlySet<string>;
    acceptInits: ReadonlySet<string>;
    from: string;
    view: SourceView;
    unproven: boolean;
  },
): Promise<Compared[]> {
  const { asked, overlay, variant, accepted, acceptInits, from } = options;
  return task.stage("diff", async (stage) => {
    const parts: Compared[] = [];
    const unchanged: string[] = [];
    const moves = await movesBetween(task, kernel, compiled, options);
    for (const [done, object] of compiled.entries()) {
      const { command, proof } = object;
      stage.note(command.object);
      stage.progress(done, compiled.length, "objects");
      await task.pause();
      const wanted = asked.get(command.object) ?? new Set();
      const elsewhere = moves.of(command.object);
      const { delta, through } = await compare(task, kernel, object, {
        overlay,
        variant,
        accepted,
        acceptInits,
        force: forceOf(wanted, proof),
        elsewhere,
      });
      delta.notes.push(...(moves.notes.get(command.object) ?? []));
      const notTaken = leftOut(command.object, wanted, proof, delta);
      if (delta.object === undefined && [delta.skipped, delta.exposed, delta.missed, notTaken].every((list) => list.length === 0)) {
        unchanged.push(...delta.notes);
        continue;
      }
      if (command.owner !== "vmlinux")
        await kernel.openExporters(
          task,
          delta.externals.map(({ symbol }) => symbol.name),
        );
      const owner = kernel.owner(command.owner);
      const own = through(locator(proof, owner));
      const locate: Locate = (symbol) => moves.place(symbol) ?? own(symbol);
      const module = command.owner === "vmlinux" ? undefined : await kernel.module(task, command.owner);
      checkMemory(kernel, module, { object: command.object, owner, delta, locate });
      parts.push({ object: command.object, owner, delta, locate, notTaken });
    }
    const functions = parts.flatMap(({ delta }) => delta.functions.map(({ name }) => name));
    for (const { delta } of parts) delta.notes.push(...handedNotes(delta.handed));
    for (const { object, delta } of parts) for (const note of delta.notes) task.reporter.warn(`${object}: ${note}`);
    if (functions.length === 0 && parts.every(({ delta }) => delta.callbacks.length === 0)) {
      const notTaken = parts.flatMap((part) => part.notTaken);
      if (notTaken.length > 0)
        throw fail("BUILD_REBUILD", `nothing can be replaced: ${notTaken.map(({ name, why }) => `${name} ${why}`).join("; ")}`, {
          file: from,
        });
      const skipped = parts.flatMap(({ delta }) => delta.skipped);
      if (skipped.length > 0)
        throw fail("BUILD_NOT_AT_RUN_TIME", skipped.map(({ name, why }) => `${name} ${why}`).join("; "), { file: from });
      const same = `${compiled.map(({ command }) => command.object).join(", ")}: the code is the same`;
      throw fail("BUILD_NOTHING_CHANGED", [same, ...unchanged].join("; "), { file: from });
    }
    refuseMissed(parts);
    const callbacks = parts.reduce((sum, { delta }) => sum + delta.callbacks.length, 0);
    const changed = functions.length === 0 ? "0 changed" : `${functions.length} changed: ${functions.join(", ")}`.slice(0, 200);
    stage.result(callbacks === 0 ? changed : `${changed}; ${callbacks} callbacks`);
    return parts;
  });
}

/** What one object leaves out may be what another's carried code needs. @throws DIFF_LEFT_OUT */
function refuseMissed(parts: readonly Compared[]): void {
  const added = new Set(parts.flatMap(({ delta }) => delta.added.map(({ name }) => name)));
  for (const { delta } of parts) {
    const [first] = [...delta.missed, ...[...delta.outward].flatMap(([name, error]) => (added.has(name) ? [error] : []))];
    if (first !== undefined) throw first;
  }
}

/**
 * A variable that is in the original only may be one that only its initial value is left of. Which of them the source still has, the types tell, which
 * are not written where a fix changes nothing but statements.
 */
async function checkVanished(
  task: Task,
  kernel: KernelContext,
  command: ObjectCommand,
  { before, after, overlay, accepted }: { before: ElfObject; after: ElfObject; overlay: Overlay; accepted: ReadonlySet<string> },
): Promise<string[]> {
  if (!variableVanishes(before, after)) return [];
  const view = await kernel.changed(task, overlay);
  try {
    const { object } = command;
    const compiler = { identity: kernel.compiler, cache: join(kernel.cache, "objects") };
    const original = await compileKept(task, command, "types", kernel.original, compiler);
    const patched = await compile(task, command, "types", view);
    return checkVariables(readElf(original.bytes, object), readElf(patched.bytes, object), [], accepted);
  } finally {
    await view.dispose();
  }
}

/** @returns `through`: how symbols of the original that was compared are located by those of the one that is proven */
async function compare(
  task: Task,
  kernel: KernelContext,
  { command, original, patched, proof }: Compiled,
  {
    overlay,
    variant,
    accepted,
    acceptInits,
    force,
    elsewhere,
  }: {
    overlay: Overlay;
    variant: Variant;
    accepted: ReadonlySet<string>;
    acceptInits: ReadonlySet<string>;
    force: (name: string) => boolean;
    elsewhere: ReadonlyMap<string, Elsewhere>;
  },
): Promise<{ delta: Delta; through: (locate: Locate) => Locate }> {
  const before = original.elf;
  const after = readElf(patched, command.object);
  const acceptInit = (name: string): boolean => acceptInits.has(name);
  const options = { ...diffOptions(kernel, command), force, acceptInit, reach: reachOf(proof), elsewhere };
  const differ = [
    ...checkLayouts(before, after, accepted),
    ...(variant === "types" ? [] : await checkVanished(task, kernel, command, { before, after, overlay, accepted })),
  ];
  const compared = (one: ElfObject, other: ElfObject): Delta => {
    const delta = diff(one, other, options);
    delta.notes.push(...differ, ...checkVariables(one, other, delta.externals, accepted));
    return delta;
  };
  const codes = new Set<string>();
  let without: Delta | undefined;
  try {
    const delta = compared(before, after);
    without = delta;
    // Of functions that are replaced by themselves those that cannot be are left out.
    for (const { code } of delta.notTaken) if (wantsRoom(code)) codes.add(code);
    if (codes.size === 0) return { delta, through: (locate) => locate };
  } catch (error) {
    if (!(error instanceof SutureError) || !wantsRoom(error.code)) throw error;
    codes.add(error.code);
  }
  let wide: Wide | undefined;
  try {
    wide = await compileWide(task, kernel, command, codes, overlay, before, variant);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "BUILD_WIDE" || without === undefined) throw error;
  }
  if (wide === undefined) return { delta: without ?? compared(before, after), through: (locate) => locate };
  const delta = compared(wide.original, wide.patched);
  delta.notes.push(...wide.notes);
  return { delta, through: wide.locateBy };
}
