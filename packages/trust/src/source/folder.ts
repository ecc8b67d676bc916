/** A repository in a folder: a mirror, a USB stick, what another process fetched. */
import { constants, open } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../errors.ts";
import type { Source } from "./source.ts";

export function folderSource(folder: string): Source {
  return {
    name: folder,
    async read(task, path, limit) {
      task.check();
      const file = join(folder, path);
      const wrong = (cause: unknown): Error =>
        fail("TRUST_FETCH", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
      // A pipe in the place of a file would never open.
      const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
        if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")) return undefined;
        throw wrong(cause);
      });
      if (handle === undefined) return undefined;
      try {
        const stat = await handle.stat();
        if (!stat.isFile()) throw new Error("it is no file");
        // One that grows meanwhile is read no further.
        const buffer = Buffer.alloc(Math.min(stat.size, limit) + 1);
        let length = 0;
        for (;;) {
          task.check();
          const { bytesRead } = await handle.read(buffer, length, Math.min(buffer.length - length, 1 << 20));
          length += bytesRead;
          if (length > limit) throw fail("TRUST_TOO_BIG", `it has more than the ${limit} bytes that it may have`, { file });
          if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
        }
      } catch (cause) {
        if (cause instanceof Error && cause.name === "SutureError") throw cause;
        throw wrong(cause);
      } finally {
        await handle.close();
      }
    },
  };
}
