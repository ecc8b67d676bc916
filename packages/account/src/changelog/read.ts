/** A package's changelog from its file. It may be anyone's. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { gunzipWithin, sha256 } from "@suture/files";
import { fail } from "../errors.ts";
import { type Change, changesBetween } from "./parse.ts";

/** Bytes, packed and unpacked: ten times what the largest kernel changelog takes. */
const LIMIT = 64 * 1024 * 1024;

export interface Changelog {
  file: string;
  sha256: string;
  /** Of the entries that were read, the newest first. */
  versions: string[];
  changes: Change[];
}

/**
 * What the entries say from the one after `from` up to that of `to`.
 * @param from version of the package that runs
 * @throws ACCOUNT_CHANGELOG
 */
export async function readChangelog(path: string, from: string, to: string): Promise<Changelog> {
  const bytes = await readBounded(path);
  const { versions, changes } = changesBetween(await textOf(bytes, path), path, from, to);
  return { file: path, sha256: sha256(bytes), versions, changes };
}

async function readBounded(path: string): Promise<Uint8Array> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    // A pipe that nobody writes to is not waited for.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw fail("ACCOUNT_CHANGELOG", cause instanceof Error ? cause.message : String(cause), { file: path }, { cause });
  }
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw fail("ACCOUNT_CHANGELOG", "it is no file", { file: path });
    if (found.size > LIMIT) throw fail("ACCOUNT_CHANGELOG", `it has ${found.size} bytes, more than any changelog`, { file: path });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function textOf(bytes: Uint8Array, file: string): Promise<string> {
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    const plain = packed ? await gunzipWithin(bytes, LIMIT) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (cause) {
    const why = packed ? "it cannot be unpacked, or not into a text of a changelog's size" : "it is no text in UTF-8";
    throw fail("ACCOUNT_CHANGELOG", why, { file }, { cause });
  }
}
