/** In which state the kernel is now, in a few words: every refusal says it. */

import type { LivePatch } from "./livepatches.ts";
import type { Machine } from "./machine.ts";
import { Snapshot } from "./snapshot.ts";

/** Looks anew: something may have changed since. @param name the livepatch that it is about, if it is about one */
export function stateText(machine: Machine, name?: string): string {
  const now = new Snapshot(machine);
  const { patches } = now;
  if (name === undefined) return `Now: ${patches.length === 0 ? "no livepatch is in effect" : patches.map(inWords).join("; ")}.`;
  const patch = now.patch(name);
  const parts: string[] = [];
  if (patch?.transition !== undefined) parts.push(`${name} is on its way to being ${patch.transition}`);
  else if (patch !== undefined) parts.push(`${name} is in effect`);
  else if (now.module(name) !== undefined) parts.push(`${name} has no effect; its module is still in the kernel`);
  else parts.push(`${name} is not in the kernel`);
  const others = patches.filter((p) => p.name !== name);
  parts.push(others.length === 0 ? "no other livepatch is" : `others in effect: ${others.map((p) => p.name).join(", ")}`);
  const moving = others.find((p) => p.transition !== undefined);
  if (moving !== undefined) parts.push(`${moving.name} is on its way to being ${moving.transition}`);
  return `Now: ${parts.join("; ")}.`;
}

function inWords({ name, transition }: LivePatch): string {
  return `${name} is ${transition === undefined ? "in effect" : `on its way to being ${transition}`}`;
}

/** Whether a refusal says already how things stand. */
export function saysState(message: string): boolean {
  return /\b(Now: |Nothing was \w+)/.test(message);
}
