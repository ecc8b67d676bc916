/**
 * What the file system says of files: while it is the same, nobody has written to them, and what is known of their contents still holds. Whoever changes a
 * file cannot set back the time of its change. Where that is not sure there is no stamp, and files are read.
 */
import { type BigIntStats, readFileSync, statfsSync, statSync } from "node:fs";
import { sha256 } from "./hash.ts";

/**
 * File systems that say at once what anybody did to a file, each change with a time of its own. A network's may be asked later; in memory (tmpfs), a page that
 * a program has mapped is written to without a time.
 */
const SURE: ReadonlySet<bigint> = new Set([
  0xef53n, // ext4
  0x58465342n, // XFS
  0x9123683en, // Btrfs
  0xf2f52010n, // F2FS
  0x794c7630n, // overlayfs
]);

/** So long ago a file was changed last. A page that is mapped gets a new time when it is written to after it went to the disk: that takes half a minute. */
const REST_MS = 60_000n;
const SECOND = 1_000_000_000n;

/**
 * @param since milliseconds since the epoch: when what is known of the files began to be found out; now, where that is still to come
 * @returns undefined where a file is not there, or may have been changed since then, or may be without its stamp telling
 */
export function stampOf(paths: readonly string[], since = Date.now()): string | undefined {
  const latest = (BigInt(Math.floor(since)) - REST_MS) * 1_000_000n;
  const parts: string[] = [];
  try {
    // A power cut may leave what was written to a file, and not its time.
    parts.push(bootId());
    const sure = new Set<bigint>();
    const root = statSync("/", { bigint: true });
    for (const path of paths) {
      const found = statSync(path, { bigint: true });
      const { dev, ino, mode, size, mtimeNs, ctimeNs } = found;
      if (ctimeNs > latest || (isCoarse(found) && dev !== root.dev)) return undefined;
      if (!sure.has(dev)) {
        if (!SURE.has(BigInt.asUintN(32, statfsSync(path, { bigint: true }).type))) return undefined;
        sure.add(dev);
      }
      parts.push(path, `${dev} ${ino} ${mode} ${size} ${mtimeNs} ${ctimeNs}`);
    }
  } catch {
    return undefined;
  }
  return sha256(parts.join("\n"));
}

/**
 * Whether its file system counts whole seconds. So do those of images, in which all files may have the time that their maker liked: another image may then
 * be in the place of one. What the machine runs on, installed from an image, is none that is exchanged before the next boot.
 */
export function isCoarse({ ctimeNs }: Pick<BigIntStats, "ctimeNs">): boolean {
  return ctimeNs % SECOND === 0n;
}

let boot: string | undefined;

function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
  return boot;
}

/** So much later a change has another time, on any file system. */
const APART_MS = 2_000;

/** Whether all were left alone since then: what was made of them is of what they hold. @param since as of `stampOf` */
export function restedSince(paths: readonly string[], since: number): boolean {
  return paths.every((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found !== undefined && found.ctimeMs < since - APART_MS;
  });
}
