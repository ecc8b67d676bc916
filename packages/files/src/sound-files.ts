/** Files that are kept with a hash of what is in them: each is hashed once in a run, and again where the file system says that it is another. */
import { open } from "node:fs/promises";
import { isCoarse } from "./stamp.ts";

export class SoundFiles {
  readonly #known = new Map<string, string>();

  /**
   * @param isSound whether the file is what was written: one hash over all of it
   * @returns undefined where it is not there, or not sound
   */
  async read(path: string, isSound: (file: Buffer) => boolean): Promise<Buffer | undefined> {
    const handle = await open(path, "r").catch(() => undefined);
    if (handle === undefined) return undefined;
    try {
      // Before it is read: what is written to it from now on has another.
      const found = await handle.stat({ bigint: true });
      const { dev, ino, size, mtimeNs, ctimeNs } = found;
      const identity = `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      const file = await handle.readFile();
      if (this.#known.get(path) === identity && BigInt(file.length) === size) return file;
      if (!isSound(file)) return undefined;
      if (!isCoarse(found)) this.#known.set(path, identity);
      return file;
    } catch (error) {
      if (error instanceof Error && "syscall" in error) return undefined;
      throw error;
    } finally {
      await handle.close();
    }
  }
}
