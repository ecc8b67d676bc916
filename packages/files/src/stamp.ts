/**
 * What the file system says of files: while it is the same, nobody has written to them, and what is known of their contents still holds. The time of a
 * change cannot be set back by whoever changes a file.
 */
import { type BigIntStats, statSync } from "node:fs";
import { sha256 } from "./hash.ts";

/** So much later a change has another time, on any file system. */
const APART_MS = 2_000n;

/** @returns undefined where a file is not there, or was changed just now: what is written to it next may have the same time */
export function stampOf(paths: readonly string[]): string | undefined {
  const latest = (BigInt(Date.now()) - APART_MS) * 1_000_000n;
  const parts: string[] = [];
  for (const path of paths) {
    let found: BigIntStats;
    try {
      found = statSync(path, { bigint: true });
    } catch {
      return undefined;
    }
    const { dev, ino, mode, size, mtimeNs, ctimeNs } = found;
    if (ctimeNs > latest) return undefined;
    parts.push(path, `${dev} ${ino} ${mode} ${size} ${mtimeNs} ${ctimeNs}`);
  }
  return sha256(parts.join("\n"));
}
