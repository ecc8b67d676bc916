/** What a run needs that this machine may lack, and what to type then. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Run } from "./run.ts";

const PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

function isThere(what: string): boolean {
  if (what.startsWith("/")) return existsSync(what);
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", what], { env: { PATH } }).status === 0;
}

/** Programs and files that are not there, with the packages that hold them. */
export function absentOf(needs: Record<string, string> = {}): [what: string, packageName: string][] {
  return Object.entries(needs).filter(([what]) => !isThere(what));
}

/** Why it cannot begin; undefined if it can. */
export function lackOf({ needs, root = false }: Pick<Run, "needs" | "root">): string | undefined {
  if (root && process.getuid?.() !== 0) return "it has to be run as root";
  const absent = absentOf(needs);
  return absent.length === 0 ? undefined : `${absent.map(([what]) => what).join(", ")} missing: ${installing(absent)}`;
}

/** What to type. */
export function installing(absent: readonly [what: string, packageName: string][]): string {
  return `apt-get install ${[...new Set(absent.map(([, name]) => name))].sort().join(" ")}`;
}
