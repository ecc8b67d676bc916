/** A repository elsewhere: mirrored from a source, or carried in one file. Both are verified as machines do it, and refused if they are older than what is there. */
import { readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { gunzipWithin, writeAtomic } from "@suture/files";
import { instant } from "@suture/protocol";
import type { Task } from "@suture/task";
import * as v from "valibot";
import { fetchTarget } from "../client/target.ts";
import { fail } from "../errors.ts";
import { readJson } from "../metadata/json.ts";
import { instantOf } from "../metadata/write.ts";
import { targetFilePath } from "../roles.ts";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import { firstRoot, publishedIn, spread } from "./spread.ts";
import { holdNewer, readWhole } from "./whole.ts";

export interface Mirrored {
  folder: string;
  fleet: string;
  timestamp: number;
  signedAt: string;
  written: number;
}

/**
 * @param root that is trusted; not needed where the folder holds a repository already
 * @throws TRUST_*
 */
export async function mirror(task: Task, source: Source, folder: string, root: string | undefined, now: Date): Promise<Mirrored> {
  const trusted = (await firstRoot(folder)) ?? (root === undefined ? undefined : await readRoot(root));
  if (trusted === undefined)
    throw fail(
      "TRUST_MISSING",
      "no root is trusted yet",
      { file: folder },
      { mend: "Give root metadata that came by a way that you trust: --root 1.root.json." },
    );
  const whole = await readWhole(task, source, trusted, now);
  const before = await publishedIn(task, folder, trusted);
  if (before !== undefined) holdNewer(before, whole);
  const written = await spread(task, whole, source, folder);
  return { folder, fleet: whole.fleet, timestamp: whole.timestamp.version, signedAt: whole.timestamp.suture.signedAt, written };
}

async function readRoot(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw fail("TRUST_MISSING", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  }
}

const entrySchema = v.strictObject({
  path: v.pipe(v.string(), v.regex(/^(?:metadata|targets)(?:\/[A-Za-z0-9][A-Za-z0-9_.-]{0,250}){1,4}$/)),
  length: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
const headSchema = v.strictObject({
  suture: v.literal("repository-1"),
  made: instant,
  files: v.pipe(v.array(entrySchema), v.maxLength(100_000)),
});

const MiB = 1024 * 1024;
/** Bytes of an archive as it is, unpacked, and of its first line. */
const ARCHIVE = { packed: 512 * MiB, unpacked: 1024 * MiB, head: 16 * MiB };

const pack = promisify(gzip);

/** A line that says what follows, then the files one after the other; gzip over all. @throws TRUST_* */
export async function exportRepository(
  task: Task,
  folder: string,
  file: string,
  now: Date,
): Promise<{ file: string; files: number; bytes: number }> {
  const root = await firstRoot(folder);
  if (root === undefined) throw fail("TRUST_MISSING", "nothing is published there", { file: folder });
  const source = folderSource(folder);
  const whole = await readWhole(task, source, root, now);
  const parts = new Map(whole.metadata);
  for (const target of whole.targets) parts.set(targetFilePath(target.path, target.sha256), await fetchTarget(task, target, [source]));
  const head = { suture: "repository-1", made: instantOf(now), files: [...parts].map(([path, { length }]) => ({ path, length })) };
  const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), ...parts.values()]);
  if (bytes.length > ARCHIVE.unpacked)
    throw fail("TRUST_ARCHIVE", `it would have ${bytes.length} bytes, and ${ARCHIVE.unpacked} are the most`, { file });
  const packed = await pack(bytes);
  await writeAtomic(file, packed);
  return { file, files: parts.size, bytes: packed.length };
}

/** @throws TRUST_ARCHIVE */
export async function archiveSource(file: string): Promise<Source> {
  const bad = (why: string, cause?: unknown): Error => fail("TRUST_ARCHIVE", why, { file }, { cause });
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > ARCHIVE.packed) throw bad(`it has ${size} bytes, and ${ARCHIVE.packed} are the most`);
    bytes = await gunzipWithin(await readFile(file), ARCHIVE.unpacked);
  } catch (cause) {
    if (cause instanceof Error && cause.name === "SutureError") throw cause;
    throw bad(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const end = bytes.subarray(0, ARCHIVE.head).indexOf("\n");
  if (end < 0) throw bad("its first line does not end");
  const head = v.safeParse(headSchema, readJson(bytes.subarray(0, end), file));
  if (!head.success) throw bad(`its first line is not of the form that this version knows: ${head.issues[0].message}`);
  const files = new Map<string, Uint8Array>();
  let at = end + 1;
  for (const { path, length } of head.output.files) {
    if (at + length > bytes.length) throw bad(`it ends inside of ${path}`);
    files.set(path, bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.length) throw bad("there is more in it than its first line says");
  return { name: file, read: async (_task, path) => files.get(path) };
}

export async function importRepository(task: Task, file: string, folder: string, root: string | undefined, now: Date): Promise<Mirrored> {
  return mirror(task, await archiveSource(file), folder, root, now);
}
