/** From what was found wrong to what that means for each function: a function is proven if nothing that it is made of or refers to is in doubt. */
import type { ElfSymbol } from "@suture/elf";
import type { Finding } from "./findings.ts";
import { isFunction, isWeak, itemAt, type Part, type Parts } from "./items.ts";
import type { Doubt, FunctionProof, Overridden } from "./model.ts";
import type { Placement } from "./placement.ts";
import type { RunningCode } from "./running-code.ts";
import { isInitOnly } from "./sections.ts";
import type { Verdict } from "./verify.ts";

export interface Judged {
  functions: FunctionProof[];
  overridden: Overridden[];
}

export function judge(parts: Parts, placement: Placement, verdict: Verdict, running: RunningCode): Judged {
  const whole = new Map<Part, Finding[]>();
  const inside = new Map<Part, Finding[]>();
  for (const finding of verdict.findings) add(finding.at === undefined ? whole : inside, finding.part, finding);
  const doubted = doubtedData(verdict);
  const overridden: Overridden[] = [];
  const functions: FunctionProof[] = [];
  for (const part of parts.all) {
    if (part.role !== "code") continue;
    const base = placement.bases.get(part);
    const paddings = paddingsOf(part);
    const ofOthers = new Set(paddings.values());
    for (const symbol of part.symbols) {
      if (!isFunction(symbol) || ofOthers.has(symbol)) continue;
      const from = paddings.get(symbol)?.value ?? symbol.value;
      const first = itemAt(part, symbol.value);
      const end = Math.max(symbol.value + symbol.size, first?.end ?? 0);
      const doubts: FunctionProof["doubts"] = (whole.get(part) ?? []).map(brief);
      const own = (inside.get(part) ?? []).filter(({ at }) => at !== undefined && at >= from && at < end);
      doubts.unshift(...own.map(brief));
      const items = part.items.filter(({ start }) => start >= from && start < end);
      for (const data of new Set(items.flatMap((item) => [...(verdict.uses.get(item) ?? [])]))) {
        const why = doubted.get(data);
        if (why !== undefined) doubts.push({ code: "data", why: `refers to ${data.section.name}: ${why}` });
      }
      const address = base === undefined ? undefined : base + symbol.value;
      const over =
        isWeak(symbol) && address !== undefined && !running.named(symbol.name).includes(address)
          ? overriding(symbol.name, running)
          : undefined;
      if (over !== undefined) {
        overridden.push({ name: symbol.name, by: over });
        doubts.unshift({ code: "overridden", why: `the kernel runs ${over}` });
      } else if (isWeak(symbol) && address !== undefined && !running.named(symbol.name).includes(address))
        doubts.unshift({ code: "absent", why: `${running.name} does not have ${symbol.name}` });
      const located = address === undefined ? undefined : running.locate(address);
      functions.push({
        name: symbol.name,
        section: part.section.name,
        offset: symbol.value,
        size: symbol.size,
        address: located?.address,
        kernelSection: located?.section,
        init: isInitOnly(part.section.name),
        proven: doubts.length === 0,
        doubts,
      });
    }
  }
  doubtWholes(functions);
  functions.sort((a, b) => (a.section < b.section ? -1 : a.section > b.section ? 1 : a.offset - b.offset));
  return { functions, overridden };
}

/** The padding before functions, which has names of its own and is judged with them. */
function paddingsOf(part: Part): Map<ElfSymbol, ElfSymbol> {
  const functions = part.symbols.filter(isFunction);
  const byName = new Map(functions.map((symbol) => [symbol.name, symbol]));
  const paddings = new Map<ElfSymbol, ElfSymbol>();
  for (const symbol of functions)
    for (const name of part.arch.code.paddingPrefixes.map((start) => start + symbol.name)) {
      const padding = byName.get(name);
      if (padding !== undefined && padding.value + padding.size === symbol.value) paddings.set(symbol, padding);
    }
  return paddings;
}

function brief({ code, why }: Finding): { code: Doubt; why: string } {
  return { code, why };
}

function overriding(name: string, running: RunningCode): string | undefined {
  const [winner] = running.globals(name);
  return winner === undefined ? undefined : running.describe(winner);
}

/** Data that is in doubt itself, or refers to such data. */
function doubtedData({ findings, uses }: Verdict): Map<Part, string> {
  const doubted = new Map<Part, string>();
  for (const { part, why, at } of findings) {
    // A function in doubt does not make those that call it doubtful, but a part of which not even the place is known does.
    if (part.role === "code" && at !== undefined) continue;
    if (!doubted.has(part)) doubted.set(part, why);
  }
  const users = new Map<Part, Part[]>();
  for (const [item, used] of uses) if (item.section.role === "data") for (const part of used) add(users, part, item.section);
  for (const part of doubted.keys())
    for (const user of users.get(part) ?? [])
      if (!doubted.has(user)) doubted.set(user, `refers to ${part.section.name}: ${doubted.get(part)}`);
  return doubted;
}

/** A function is as good as its cold part, and the other way round. */
function doubtWholes(functions: FunctionProof[]): void {
  const byName = new Map(functions.map((f) => [f.name, f]));
  for (const cold of functions) {
    const owner = cold.name.includes(".cold") ? byName.get(cold.name.slice(0, cold.name.indexOf(".cold"))) : undefined;
    if (owner === undefined) continue;
    const [one] = [owner, cold].filter(({ proven }) => !proven);
    const other = one === owner ? cold : owner;
    if (one === undefined || !other.proven) continue;
    other.proven = false;
    const [first] = one.doubts;
    if (first?.code === "overridden") {
      other.doubts.push({ code: "overridden", why: `it is a part of ${one.name}, and ${first.why}` });
      continue;
    }
    other.doubts.push({ code: "part", why: `${one.name} is not proven` });
  }
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
