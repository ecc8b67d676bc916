/** Reads two objects and compares them, in a process of its own, whose memory is what that takes. `ORIGINAL PATCHED LAYOUTS.json RUNS` → JSON. */
import { readFileSync } from "node:fs";
import { type Build, diff, type TypeLayouts } from "@suture/diff";
import { readElf, SHT } from "@suture/elf";

export interface Measured {
  relocations: number;
  sections: number;
  changed: number;
  /** Milliseconds of each run: a fresh process first. */
  ms: number[];
  /** Of processor time. */
  cpuMs: number[];
  /** MB, of the whole process, before anything was read and at the most. */
  startMb: number;
  mostMb: number;
}

/** Answers of the kernel's types, as they were given before. */
export interface KnownLayouts {
  sizes: Record<string, number>;
  members: Record<string, { offset: number; size: number }>;
  build: Build;
}

const [original = "", patched = "", known = "", runs = "1"] = process.argv.slice(2);
const { sizes, members, build } = JSON.parse(readFileSync(known, "utf8")) as KnownLayouts;
const layouts: TypeLayouts = { size: (struct) => sizes[struct], member: (struct, name) => members[`${struct}.${name}`] };
const most = (): number => process.resourceUsage().maxRSS / 1024;
const startMb = most();
const ms: number[] = [];
const cpuMs: number[] = [];
let relocations = 0;
let sections = 0;
let changed = 0;
for (let i = 0; i < Number(runs); i++) {
  const [before, after] = [readFileSync(original), readFileSync(patched)];
  const started = performance.now();
  const used = process.cpuUsage();
  const [a, b] = [readElf(before, original), readElf(after, patched)];
  changed = diff(a, b, { layouts, build }).functions.length;
  ms.push(performance.now() - started);
  const { user, system } = process.cpuUsage(used);
  cpuMs.push((user + system) / 1000);
  sections = a.sections.length;
  relocations = a.sections.reduce((sum, section) => sum + (section.type === SHT.RELA ? section.relocations.length : 0), 0);
}
console.log(JSON.stringify({ relocations, sections, changed, ms, cpuMs, startMb, mostMb: most() } satisfies Measured));
