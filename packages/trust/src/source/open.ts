/** What a person or a configuration names: an address or a folder. */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAtomic } from "@suture/files";
import { fail } from "../errors.ts";
import { folderSource } from "./folder.ts";
import { type HttpOptions, httpSource } from "./http.ts";
import type { Source } from "./source.ts";

export const isAddress = (place: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(place);

/** @param place http://…, https://…, file:///… or a folder. @throws TRUST_FETCH */
export function sourceOf(place: string, options: HttpOptions = {}): Source {
  try {
    if (/^https?:\/\//.test(place)) return httpSource(place, options);
    if (/^file:\/\//.test(place)) return folderSource(fileURLToPath(place));
  } catch (cause) {
    throw fail("TRUST_FETCH", `it is no address: ${cause instanceof Error ? cause.message : String(cause)}`, { file: place }, { cause });
  }
  if (isAddress(place)) throw fail("TRUST_FETCH", "only http, https and file are known", { file: place });
  return folderSource(resolve(place));
}

/** All that another source gives is kept in a folder as well: for a process that fetches for one that may not. */
export function keepingSource(source: Source, folder: string): Source {
  return {
    name: source.name,
    async read(task, path, limit) {
      const bytes = await source.read(task, path, limit);
      if (bytes === undefined) return undefined;
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeAtomic(file, bytes, 0o644);
      return bytes;
    },
  };
}
