/** What became of each unit. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { CatchUpReport, CatchUpSummary, ReleaseUnit, UnitReason } from "@suture/protocol";
import { declarationsIn, identifiersOf } from "../c/declarations.ts";
import { sourceNames } from "./blame.ts";
import type { Finished } from "./release-objects.ts";
import type { Left, Plan, Unit } from "./units.ts";

export interface Settled {
  in: ReadonlySet<number>;
  left: ReadonlyMap<number, Left>;
  finished: Finished;
  only: "all" | "cve";
  inputsOf(object: string): ReadonlySet<string> | undefined;
}

type Replaced = ReleaseUnit["functions"][number];

export async function reportOf(kernel: KernelContext, plan: Plan, settled: Settled): Promise<CatchUpReport> {
  const { units } = plan;
  const replaced = await functionsOf(kernel, plan, settled);
  const idOf = (index: number): string => units[index]?.id ?? "";
  const source = kernel.target.inputs.find(({ name }) => name.startsWith("linux-source-"));
  const { release } = kernel.target;
  return {
    suture: 1,
    from: plan.from,
    base: { release, ...(source?.version === undefined ? {} : { version: source.version }), buildId: kernel.image.buildId },
    target: plan.target,
    ranges: plan.ranges,
    only: settled.only,
    units: units.map((unit): ReleaseUnit => {
      const { index, id, title, commit, files, diff, needs } = unit;
      const left = settled.left.get(index);
      const functions = replaced.get(index) ?? [];
      const state = unit.known?.state ?? (left !== undefined ? "left out" : functions.length > 0 ? "carried" : "no need");
      return {
        id,
        title,
        ...(commit === undefined ? {} : { commit }),
        files,
        diff,
        functions: state === "left out" ? textFunctions(plan, unit) : functions,
        state,
        reasons: state === "no need" ? [noNeed(unit, settled)] : [...distinct(left?.reasons ?? unit.known?.reasons ?? [])],
        dependsOn: [...needs].sort((a, b) => a - b).map(idOf),
        leftWith: (left?.with ?? []).map(idOf),
      };
    }),
  };
}

function distinct(reasons: readonly UnitReason[]): UnitReason[] {
  const known = new Map(reasons.map((reason) => [JSON.stringify(reason), reason]));
  return [...known.values()];
}

/** Of the text alone: the functions that a unit's hunks are in. */
function textFunctions(_plan: Plan, unit: Unit): Replaced[] {
  const found = new Map<string, Replaced>();
  for (const { path, inside } of unit.hunks)
    for (const { kind, name } of inside)
      if (kind === "function") found.set(`${path} ${name}`, { object: path.replace(/\.c$/, ".o"), owner: "", name });
  return [...found.values()];
}

/** For each unit the functions of the kernel that are replaced for it: those that its changes are in, or that use what it changes. */
async function functionsOf(kernel: KernelContext, plan: Plan, settled: Settled): Promise<Map<number, Replaced[]>> {
  const found = new Map<number, Replaced[]>();
  const units = plan.units.filter(({ index, idle }) => settled.in.has(index) && !idle);
  let uses: Uses | undefined;
  const doubts: { unexplained: string[]; including: Unit[]; add: (unit: Unit, name: string) => void }[] = [];
  for (const { object, owner, delta } of settled.finished.parts) {
    const inputs = settled.inputsOf(object);
    const near = units.filter(({ hunks }) => hunks.some(({ path }) => inputs?.has(path) === true));
    const add = (unit: Unit, name: string): void => {
      const list = found.get(unit.index) ?? [];
      if (!list.some((one) => one.object === object && one.name === name)) list.push({ object, owner: owner.name, name });
      found.set(unit.index, list);
    };
    const names = [
      ...[...delta.functions, ...delta.carriedAlong].map(({ name }) => name),
      ...delta.redirects.map((one) => one.function),
      ...new Set(delta.live.map(({ variable }) => variable)),
    ];
    const open: string[] = [];
    // Code that has run is not in the livepatch, whatever names it.
    const hasRun = new Set(delta.skipped.flatMap(({ name }) => sourceNames(name)));
    for (const name of names.flatMap(sourceNames)) hasRun.delete(name);
    const touched = new Map(
      near.map((unit) => [
        unit,
        new Set(
          unit.hunks.flatMap(({ path, inside }) =>
            inputs?.has(path) === true ? inside.flatMap(({ name }) => (hasRun.has(name) ? [] : [name])) : [],
          ),
        ),
      ]),
    );
    for (const name of names) {
      const own = new Set(sourceNames(name));
      const direct = near.filter((unit) => [...own].some((one) => touched.get(unit)?.has(one) === true));
      for (const unit of direct) add(unit, name);
      if (direct.length === 0) open.push(name);
    }
    const waiting = near.filter((unit) => !(found.get(unit.index) ?? []).some((one) => one.object === object));
    if (open.length === 0 && waiting.length === 0) continue;
    uses ??= new Uses(plan, settled.in);
    // Of an object that only a header reaches, the source is no changed file.
    const { source } = kernel.commands.of(object);
    const text = plan.files.has(source) ? "" : await readFile(join(kernel.sourceRoot, source), "latin1").catch(() => "");
    const of = uses.with(text);
    for (const name of names) {
      const reached = of(sourceNames(name), inputs ?? new Set());
      const candidates = open.includes(name) ? near : waiting;
      for (const unit of candidates) if ([...(touched.get(unit) ?? [])].some((one) => reached.has(one))) add(unit, name);
    }
    const has = (unit: Unit, name: string): boolean =>
      (found.get(unit.index) ?? []).some((one) => one.object === object && one.name === name);
    const unexplained = open.filter((name) => !near.some((unit) => has(unit, name)));
    // Of the source itself, and not found in any function: they are in one that a macro makes.
    const own = near.filter((unit) => isOf(unit, source) && !(found.get(unit.index) ?? []).some((one) => one.object === object));
    for (const name of unexplained) for (const unit of own) add(unit, name);
    if (own.length > 0) continue;
    const including = near.filter((unit) => changesCodeOf(unit, source, inputs ?? new Set()));
    if (unexplained.length > 0 && including.length > 0) doubts.push({ unexplained, including, add });
  }
  // Named by macros, or reached by way of files that are as they were: in doubt replaced for what seems to be carried nowhere else.
  const alone = new Set(units.filter(({ index }) => !found.has(index)));
  for (const { unexplained, including, add } of doubts) {
    const meant = including.some((unit) => alone.has(unit)) ? including.filter((unit) => alone.has(unit)) : including;
    for (const name of unexplained) for (const unit of meant) add(unit, name);
  }
  for (const list of found.values()) list.sort((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : a.name < b.name ? -1 : 1));
  return found;
}

const isOf = ({ hunks }: Unit, source: string): boolean => hunks.some(({ path, idle }) => path === source && !idle);

/** Of functions or macros in files that a C file includes. */
function changesCodeOf({ hunks }: Unit, source: string, inputs: ReadonlySet<string>): boolean {
  return hunks.some(
    ({ path, inside }) => path !== source && inputs.has(path) && inside.some(({ kind }) => kind === "function" || kind === "macro"),
  );
}

/** What functions name in the changed files, by way of others of those files: what is part of them where it was compiled into them. */
class Uses {
  /** By name, in each file that declares it: all that is mentioned there. */
  readonly #direct = new Map<string, { path: string; mentioned: ReadonlySet<string> }[]>();

  constructor({ files }: Plan, units: ReadonlySet<number>) {
    for (const [path, weave] of files)
      for (const [name, mentioned] of mentionedIn(weave.textOf(units) ?? "")) {
        const known = this.#direct.get(name);
        if (known === undefined) this.#direct.set(name, [{ path, mentioned }]);
        else known.push({ path, mentioned });
      }
  }

  /** @param own the text of the object's source, where it is none of them */
  with(own: string): (names: readonly string[], inputs: ReadonlySet<string>) => Set<string> {
    const more = mentionedIn(own);
    return (names, inputs) => {
      const found = new Set(names);
      const queue = [...names];
      const add = (mentioned: ReadonlySet<string>): void => {
        for (const name of mentioned)
          if (!found.has(name)) {
            found.add(name);
            queue.push(name);
          }
      };
      for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
        for (const { path, mentioned } of this.#direct.get(at) ?? []) if (inputs.has(path)) add(mentioned);
        add(more.get(at) ?? new Set());
      }
      return found;
    };
  }
}

/** What functions, macros and variables of a text mention, by name. */
function mentionedIn(text: string): Map<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  const lines = text.split("\n");
  for (const { kind, names, first, last } of declarationsIn(text)) {
    if (kind !== "function" && kind !== "macro" && kind !== "variable") continue;
    const mentioned = identifiersOf(lines.slice(first, last + 1).join("\n"));
    for (const name of names) found.set(name, new Set([...(found.get(name) ?? []), ...mentioned]));
  }
  return found;
}

/** Why nothing of it is carried: what runs is the same, or has run. */
function noNeed(unit: Unit, { finished }: Settled): UnitReason {
  if (unit.idle) return { code: "BUILD_NOTHING_CHANGED", why: "it changes comments only", mend: "Nothing is to be done." };
  const names = new Set(unit.hunks.flatMap(({ inside }) => inside.map(({ name }) => name)));
  const skipped = finished.parts.flatMap(({ object, delta }) =>
    delta.skipped.filter(({ name }) => sourceNames(name).some((one) => names.has(one))).map((one) => ({ object, ...one })),
  );
  const [first] = skipped;
  if (first === undefined)
    return { code: "BUILD_NOTHING_CHANGED", why: "the code that is compiled of it is the same", mend: "Nothing is to be done." };
  return {
    code: "BUILD_NOT_AT_RUN_TIME",
    why: skipped.map(({ name, why }) => `${name} ${why}`).join("; "),
    file: first.object,
    symbol: first.name,
    mend: "Nothing is to be done in a kernel that runs: the newer kernel does it when it boots.",
  };
}

/** For the manifest. */
export function summaryOf(report: CatchUpReport, hash: string): CatchUpSummary {
  return {
    from: report.from,
    base: report.base,
    target: report.target,
    report: hash,
    units: report.units
      .filter(({ state }) => state !== "not built")
      .map(({ id, title, state, files, functions, reasons, leftWith }) => {
        const [first] = reasons;
        return {
          id,
          title,
          state,
          files: files.filter(({ built }) => built).map(({ path }) => path),
          functions: state === "carried" ? functions.map(({ object, name }) => `${object}:${name}`) : [],
          ...(first === undefined ? {} : { code: first.code }),
          ...(first?.symbol === undefined ? {} : { symbol: first.symbol }),
          ...(leftWith.length === 0 ? {} : { leftWith }),
        };
      }),
  };
}
