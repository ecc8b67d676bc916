/**
 * What V8 made of the program in an earlier run of the same word, so that a start does not parse it anew. Nothing fails for want of it: whatever is not
 * as it was left, or is not this user's own, is not used, and made again.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HASH = "sha1";
const HASH_SIZE = 20;
const DAY = 86_400_000;
const MONTH = 30 * DAY;
const MOST_BYTES = 128 * 2 ** 20;
/** Of a file that is not written to its end. */
const UNFINISHED = ".unfinished-";

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

  /**
   * @param program where it is, and its text
   * @param word what is asked of the program: each runs through other parts of it
   */
  static of(program: { path: string; text: Buffer }, word: string | undefined, { home, cache }: Place): CodeCache | undefined {
    if (!home?.startsWith("/") || !isOwn(home)) return undefined;
    const folder = join(cache?.startsWith("/") ? cache : join(home, ".cache"), "suture", "code");
    const name = word !== undefined && /^[a-z-]{1,20}$/.test(word) ? word : "other";
    // Of one version there may be several builds.
    const { ino, size, mtimeNs, ctimeNs } = statSync(process.execPath, { bigint: true });
    const node = [process.execPath, ino, size, mtimeNs, ctimeNs, process.version, process.versions.v8, process.arch].join("\n");
    const identity = hashed(Buffer.concat([Buffer.from(`${node}\n`), hashed(program.text)]));
    return new CodeCache(folder, join(folder, `${name}-${hashed(program.path).toString("hex", 0, 6)}`), identity);
  }

  read(): Buffer | undefined {
    try {
      if (!isOwn(this.#folder) || !isOwn(this.#file)) return undefined;
      const whole = readFileSync(this.#file);
      const code = whole.subarray(2 * HASH_SIZE);
      const isWhole = whole.subarray(0, HASH_SIZE).equals(this.#identity) && whole.subarray(HASH_SIZE, 2 * HASH_SIZE).equals(hashed(code));
      if (!isWhole) return undefined;
      this.#used();
      return code;
    } catch {
      return undefined;
    }
  }

  /** By that old ones are found. */
  #used(): void {
    const now = new Date();
    if (Math.abs(now.getTime() - statSync(this.#file).mtimeMs) < DAY) return;
    try {
      utimesSync(this.#file, now, now);
    } catch {
      // A disk that is only read is as good.
    }
  }

  write(code: Buffer): void {
    const unfinished = join(this.#folder, `${UNFINISHED}${randomBytes(8).toString("hex")}`);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      if (!isOwn(this.#folder)) return;
      writeFileSync(unfinished, Buffer.concat([this.#identity, hashed(code), code]), { flag: "wx", mode: 0o600 });
      renameSync(unfinished, this.#file);
      sweep(this.#folder, this.#file);
    } catch {
      // A disk that is full or read-only: the next start takes its time.
      remove(unfinished);
    }
  }
}

/** What was not used for a month, what was not written to its end, and the oldest of what is too much. Who has read one does not miss it. */
function sweep(folder: string, own: string): void {
  const now = Date.now();
  const files = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(folder, entry.name))
    .flatMap((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined || path === own ? [] : [{ path, size: found.size, age: Math.abs(now - found.mtimeMs) }];
    })
    .sort((a, b) => a.age - b.age);
  let sum = statSync(own).size;
  for (const { path, size, age } of files) {
    sum += size;
    if (age > MONTH || sum > MOST_BYTES || (path.includes(`/${UNFINISHED}`) && age > DAY)) remove(path);
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What cannot be removed stays.
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
