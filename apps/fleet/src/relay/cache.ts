/**
 * The repository's files, kept at the site. Those that bear a version or a hash in their names never change; the timestamp alone is asked for anew. All of it is
 * signed: a machine that is given something else sees it.
 */
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256, writeAtomic } from "@suture/files";
import type { Task } from "@suture/task";
import { type Source, sourceOf } from "@suture/trust";

const NEWS_MS = 15_000;
const LONGEST = 128 * 1024 * 1024;
const MOST_BYTES = 8 * 1024 ** 3;
const MOST_MISSING = 10_000;

const TIMESTAMP = "metadata/timestamp.json";
const VERSIONED = /^metadata\/(?:[\w-]{1,100}\/){0,4}(\d{1,10})\.[\w.-]{1,100}\.json$/;
const HASHED = /^targets\/(?:[\w+-][\w.+-]{0,100}\/){0,6}([0-9a-f]{64})\.[\w+][\w.+-]{0,150}$/;

export class Cache {
  readonly #folder: string;
  readonly #source: Source;
  readonly #task: Task;
  readonly #fetching = new Map<string, Promise<Uint8Array | undefined>>();
  /** What the repository has not, and until when it is not asked again. */
  readonly #missing = new Map<string, number>();
  /** The newest timestamp that came here: also where the disk has no room for it. */
  #news: Uint8Array | undefined;
  #asked = Number.NEGATIVE_INFINITY;
  readonly #patience: number;

  /** @param patience milliseconds, after which what is here is served while the repository is still asked */
  constructor(task: Task, folder: string, upstream: string, patience: number) {
    this.#task = task;
    this.#patience = patience;
    this.#folder = folder;
    this.#source = sourceOf(upstream);
  }

  /** @returns undefined where there is none of that name. @throws TRUST_FETCH, TRUST_TOO_BIG where it is not here and the repository does not answer */
  async read(path: string): Promise<Uint8Array | undefined> {
    if (path !== TIMESTAMP && !VERSIONED.test(path) && !HASHED.test(path)) return undefined;
    if (path === TIMESTAMP) return this.#timestamp();
    const kept = await this.#kept(path);
    if (kept !== undefined) return kept;
    if ((this.#missing.get(path) ?? 0) > performance.now()) return undefined;
    return this.#fetch(path);
  }

  async #timestamp(): Promise<Uint8Array | undefined> {
    const kept = this.#news ?? (await this.#kept(TIMESTAMP));
    if (kept === undefined) return this.#fetch(TIMESTAMP);
    if (performance.now() - this.#asked < NEWS_MS) return kept;
    // Machines see by themselves how old it is; who waits for a repository that says nothing has nothing at all.
    const fetched = this.#fetch(TIMESTAMP)
      .then((bytes) => (bytes !== undefined && isWhole(TIMESTAMP, bytes) ? bytes : kept))
      .catch(() => kept)
      .finally(() => {
        this.#asked = performance.now();
      });
    const stop = new AbortController();
    const late = sleep(this.#patience, kept, { signal: stop.signal }).catch(() => kept);
    return Promise.race([fetched, late]).finally(() => stop.abort());
  }

  /** As it came: what a disk has spoilt is asked for anew. */
  async #kept(path: string): Promise<Uint8Array | undefined> {
    const bytes = await readFile(join(this.#folder, path)).catch(() => undefined);
    return bytes !== undefined && isWhole(path, bytes) ? bytes : undefined;
  }

  /** Of many who ask at once one does. */
  #fetch(path: string): Promise<Uint8Array | undefined> {
    const known = this.#fetching.get(path);
    if (known !== undefined) return known;
    const fetched = this.#fetchOnce(path).finally(() => this.#fetching.delete(path));
    this.#fetching.set(path, fetched);
    return fetched;
  }

  async #fetchOnce(path: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#source.read(this.#task, path, LONGEST);
    if (bytes === undefined) {
      if (this.#missing.size >= MOST_MISSING) this.#missing.clear();
      this.#missing.set(path, performance.now() + NEWS_MS);
      return undefined;
    }
    // Whatever else came under that name is handed on, and not kept for the next.
    if (!isWhole(path, bytes)) return bytes;
    if (path === TIMESTAMP) {
      this.#news = bytes;
      this.#asked = performance.now();
    }
    // A full disk keeps nothing, and nobody from what is there.
    await this.#keep(path, bytes).catch(() => {});
    return bytes;
  }

  async #keep(path: string, bytes: Uint8Array): Promise<void> {
    const file = join(this.#folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeAtomic(file, bytes);
  }

  /** What was not asked for the longest goes. */
  async sweep(most = MOST_BYTES): Promise<void> {
    const names = await readdir(this.#folder, { recursive: true }).catch(() => []);
    const files: { path: string; size: number; at: number }[] = [];
    for (const name of names) {
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) files.push({ path, size: found.size, at: Math.max(found.atimeMs, found.mtimeMs) });
    }
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.sort((a, b) => a.at - b.at)) {
      if (bytes <= most) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}

/** It is what its name says. */
function isWhole(path: string, bytes: Uint8Array): boolean {
  const [, hash] = HASHED.exec(path) ?? [];
  if (hash !== undefined) return sha256(bytes) === hash;
  const [, version] = VERSIONED.exec(path) ?? [];
  try {
    const { signed } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { signed?: { version?: unknown } };
    return typeof signed?.version === "number" && (version === undefined || signed.version === Number(version));
  } catch {
    return false;
  }
}
