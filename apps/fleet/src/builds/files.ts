/** What builders send, in the repository's folder: in pieces into a place of their own, and then, whole, to where people find it. */
import { constants } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rm, statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { removeDurably, sha256, sha256OfFile, syncFolder, writeDurably } from "@suture/files";
import { BUILD_FILES, type BuildFile, type Built, builtSchema, fleetAnswer, LONGEST_PIECE } from "@suture/protocol";
import { silentReporter, Task } from "@suture/task";
import { fail } from "../errors.ts";

/** What the server leaves for others of the same disk: its database may be there. */
const LEFT_BYTES = 512 * 1024 * 1024;
const PARTIAL = ".partial";
/** What is put together of what was sent: it goes where people find it in one step. */
const WHOLE = ".whole";
/** Those whose trial failed: nobody takes them for one that is to be signed. */
const BAD = "bad";

/** Beside what was sent. */
export const BUILT = "build.json";

export const placeOf = (id: string, good: boolean): string => (good ? id : `${BAD}/${id}`);

export interface Attempt {
  id: string;
  attempt: number;
}

export class BuildFolder {
  readonly path: string;
  readonly #task = new Task(silentReporter);
  readonly #left: number;

  /** @param left bytes that stay free on its disk */
  constructor(repository: string, left = LEFT_BYTES) {
    this.path = join(repository, "builds");
    this.#left = left;
  }

  partial({ id, attempt }: Attempt): string {
    return join(this.path, PARTIAL, `${id}-${attempt}`);
  }

  /** Written where the file ends, and nowhere else. @returns how long it is now. @throws FLEET_ROOM, FLEET_REQUEST */
  async put(of: Attempt, file: BuildFile, offset: number, bytes: Uint8Array): Promise<number> {
    const { longest } = BUILD_FILES[file];
    if (bytes.length > LONGEST_PIECE) throw fail("FLEET_REQUEST", `a piece has ${LONGEST_PIECE} bytes at most`);
    if (offset + bytes.length > longest) throw fail("FLEET_REQUEST", `the ${file} of a build has ${longest} bytes at most`);
    const folder = this.partial(of);
    try {
      await mkdir(folder, { recursive: true });
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < this.#left + bytes.length)
        throw fail("FLEET_ROOM", `less than ${this.#left} bytes would be left`, { file: this.path });
      const opened = await open(join(folder, file), constants.O_RDWR | constants.O_CREAT, 0o644);
      try {
        const { size } = await opened.stat();
        if (size !== offset) return size;
        // At its place: sent twice at once, as by who did not hear the answer, it is there once.
        for (let at = 0; at < bytes.length; ) at += (await opened.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
        return size + bytes.length;
      } finally {
        await opened.close();
      }
    } catch (error) {
      throw noRoom(error, this.path);
    }
  }

  /** @throws FLEET_REQUEST */
  async check(of: Attempt, sent: readonly { file: BuildFile; sha256: string }[]): Promise<void> {
    for (const file of Object.keys(BUILD_FILES) as BuildFile[]) {
      const said = sent.find((one) => one.file === file)?.sha256;
      const path = join(this.partial(of), file);
      const is = said === undefined ? undefined : await sha256OfFile(this.#task, path).catch(() => undefined);
      if (is === undefined || is !== said)
        throw fail("FLEET_REQUEST", `the ${file} is not here as it was said to be: ${is ?? "it is not here"}`);
    }
  }

  /**
   * All that was sent, and what is said of it, under the names that they have from now on. What was there of an earlier time goes. What was sent stays until then:
   * whatever ends it in the middle, it can be done again.
   * @returns the folder, as seen from the repository's
   */
  async settle(
    of: Attempt,
    { name, beside, good }: { name: string; beside: Readonly<Record<string, string>>; good: boolean },
  ): Promise<string> {
    const from = this.partial(of);
    const whole = `${from}${WHOLE}`;
    try {
      await rm(whole, { recursive: true, force: true });
      await mkdir(whole);
      for (const [file, { suffix }] of Object.entries(BUILD_FILES)) {
        const path = join(whole, `${name}${suffix}`);
        await link(join(from, file), path);
        const opened = await open(path, "r");
        await opened.sync();
        await opened.close();
      }
      for (const [file, text] of Object.entries(beside)) await writeDurably(join(whole, file), text);
      await syncFolder(whole);
      await this.remove(of.id);
      const place = placeOf(of.id, good);
      const to = join(this.path, place);
      await mkdir(join(to, ".."), { recursive: true });
      await rename(whole, to);
      await syncFolder(join(to, ".."));
      return `builds/${place}`;
    } catch (error) {
      throw noRoom(error, this.path);
    }
  }

  /** What was settled of this very attempt, where the server ended before it could say so. */
  async settled({ id, attempt }: Attempt): Promise<Built | undefined> {
    for (const good of [true, false]) {
      const text = await readFile(join(this.path, placeOf(id, good), BUILT), "utf8").catch(() => "");
      const found = fleetAnswer(builtSchema, 200, text);
      if ("good" in found && found.good.attempt === attempt) return found.good;
    }
    return undefined;
  }

  /** What its builder sent for people to read. @returns undefined where it is not here as it was taken */
  async review(id: string): Promise<Buffer | undefined> {
    for (const good of [true, false]) {
      const folder = join(this.path, placeOf(id, good));
      const found = fleetAnswer(builtSchema, 200, await readFile(join(folder, BUILT), "utf8").catch(() => ""));
      if (!("good" in found)) continue;
      const { files, sha256: digests } = found.good;
      const bytes = await readFile(join(folder, basename(files.review))).catch(() => undefined);
      if (bytes !== undefined && sha256(bytes) === digests.review) return bytes;
    }
    return undefined;
  }

  async drop(of: Attempt): Promise<void> {
    for (const suffix of ["", WHOLE]) await rm(`${this.partial(of)}${suffix}`, { recursive: true, force: true });
  }

  /** Of a build that is whole. */
  async remove(id: string): Promise<void> {
    for (const good of [true, false]) await removeDurably(join(this.path, placeOf(id, good)));
  }

  /** What is there: of builds, and of what was being sent, by their ids. */
  async all(): Promise<{ ids: string[]; partial: Attempt[] }> {
    const names = async (path: string): Promise<string[]> => readdir(path).catch(() => []);
    const ids = [...(await names(this.path)), ...(await names(join(this.path, BAD)))].filter((name) => /^[0-9a-f]{12}$/.test(name));
    const partial = (await names(join(this.path, PARTIAL))).flatMap((name): Attempt[] => {
      const [, id, attempt] = /^([0-9a-f]{12})-(\d{1,9})(?:\.whole)?$/.exec(name) ?? [];
      return id === undefined ? [] : [{ id, attempt: Number(attempt) }];
    });
    return { ids, partial };
  }
}

function noRoom(error: unknown, file: string): unknown {
  const isFull = error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
  return isFull ? fail("FLEET_ROOM", error.message, { file }, { cause: error }) : error;
}
