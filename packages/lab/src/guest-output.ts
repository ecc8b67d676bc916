/** What commands in the guest and its kernel print about a livepatch, read. */
import { constants } from "node:os";
import type { Blocker, KernelLine, PatchedFunction, Taint } from "@suture/protocol";
import { decodeTaint } from "./taint.ts";

export function errnoName(code: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === code)?.[0] ?? `exit code ${code}`;
}

/** What the kernel says when a livepatch's own callback refuses. */
export function callbackThatFailed(said: readonly string[]): string {
  const object = said.map((line) => /pre-patch callback failed for object '(.*)'/.exec(line)?.[1]).find((name) => name !== undefined);
  return object === undefined ? "" : `; its pre_patch callback for ${object} returned an error`;
}

/** Exact to the microsecond, which waiting in the guest is not. */
export function transitionMs(log: readonly KernelLine[], name: string, to: 0 | 1): number | undefined {
  const [verb, end] = to === 1 ? ["patching", "patching complete"] : ["unpatching", "unpatching complete"];
  const last = (text: string): number | undefined => log.findLast((line) => line.text.startsWith(`livepatch: '${name}': ${text}`))?.time;
  const [from, until] = [last(`starting ${verb} transition`), last(end)];
  return from === undefined || until === undefined || until < from ? undefined : (until - from) * 1000;
}

/** The first line of an output. */
export function readTaint(text: string): Taint {
  return decodeTaint(Number(text.split("\n", 1)[0]));
}

/** Lines `OBJECT/FUNCTION,SYMPOS`. */
export function readFunctions(text: string): PatchedFunction[] {
  return [...text.matchAll(/^([^/\n]+)\/(.+),(\d+)$/gm)].map(([, object = "", name = "", sympos]) => ({
    object,
    name,
    sympos: Number(sympos),
  }));
}

/** Lines `PID NAME`, each followed by its stack: `[<0>] function+0x1/0x2`. */
export function readBlockers(text: string): Blocker[] {
  const blockers: Blocker[] = [];
  for (const line of text.split("\n")) {
    const frame = /^\[<.*?>\] (\S+)/.exec(line);
    const head = /^(\d+) (.*)$/.exec(line);
    if (frame !== null) blockers.at(-1)?.stack.push(frame[1] ?? "");
    else if (head !== null) blockers.push({ pid: Number(head[1]), name: head[2] ?? "", stack: [] });
  }
  return blockers;
}

export function blockerNames(blockers: readonly Blocker[]): string {
  const names = blockers.map(({ pid, name, stack }) => `${name} (${pid}) in ${stack[0] ?? "unknown code"}`);
  return names.length === 0 ? "no task was found that blocks it" : `blocked by ${names.join(", ")}`;
}
