/**
 * What V8 made of the program in an earlier run of the same word, so that a start does not parse it anew. Nothing fails for want of it: whatever is not
 * as it was left, or is not this user's own, is not used, and made again.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HASH = "sha1";
const HASH_SIZE = 20;

export interface Place {
  /** Absolute; where this is not set, or is another user's (`sudo` may leave it), nothing is kept. */
  home: string | undefined;
  cache: string | undefined;
}

export class CodeCache {
  readonly #folder: string;
  readonly #file: string;
  /** Of all that the code was made from. V8 looks at its own version and flags besides, and at no more of the source than its length. */
  readonly #identity: Buffer;

  private constructor(folder: string, file: string, identity: Buffer) {
    this.#folder = folder;
    this.#file = file;
    this.#identity = identity;
  }

  /** @param word what is asked of the program: each runs through other parts of it */
  static of(program: string, word: string | undefined, { home, cache }: Place): CodeCache | undefined {
    if (!home?.startsWith("/") || !isOwn(home)) return undefined;
    const folder = join(cache?.startsWith("/") ? cache : join(home, ".cache"), "suture", "code");
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(program, { bigint: true });
    const name = word !== undefined && /^[a-z-]{1,20}$/.test(word) ? word : "other";
    const made = [program, dev, ino, size, mtimeNs, ctimeNs, process.execPath, process.version, process.arch].join("\n");
    return new CodeCache(folder, join(folder, `${name}-${hashed(program).toString("hex", 0, 6)}`), hashed(made));
  }

  read(): Buffer | undefined {
    try {
      if (!isOwn(this.#folder) || !isOwn(this.#file)) return undefined;
      const whole = readFileSync(this.#file);
      const code = whole.subarray(2 * HASH_SIZE);
      const isWhole = whole.subarray(0, HASH_SIZE).equals(this.#identity) && whole.subarray(HASH_SIZE, 2 * HASH_SIZE).equals(hashed(code));
      return isWhole ? code : undefined;
    } catch {
      return undefined;
    }
  }

  write(code: Buffer): void {
    const unfinished = `${this.#file}.${process.pid}`;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      if (!isOwn(this.#folder)) return;
      writeFileSync(unfinished, Buffer.concat([this.#identity, hashed(code), code]), { flag: "wx", mode: 0o600 });
      renameSync(unfinished, this.#file);
    } catch {
      // A disk that is full or read-only: the next start takes its time.
    }
  }
}

/** It is run as code: nobody else may have written it. */
function isOwn(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
}

function hashed(data: string | Buffer): Buffer {
  return createHash(HASH).update(data).digest();
}
