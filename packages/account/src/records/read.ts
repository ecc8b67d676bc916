/**
 * The records of the kernel's CVE numbering authority, from a clone of its repository:
 *
 *     cve/published/YEAR/CVE-YEAR-NUMBER.json    the record
 *     cve/published/YEAR/CVE-YEAR-NUMBER.dyad    for each stable series a line, `vulnerable release:commit:fixed release:commit`
 *
 * There are tens of thousands. One that is damaged is told by its name, and the others are read.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Stage, Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { recordSchema } from "./schema.ts";

export interface CveRecord {
  id: string;
  /** Of its fix; empty if the record has none. */
  title: string;
  /** That the fix touches. */
  files: string[];
  /** Where it is fixed: a release of a series, and the commit there, where that is said. */
  fixed: { release: string; commit: string | undefined }[];
}

export interface Records {
  records: CveRecord[];
  refused: { file: string; why: string }[];
}

const RECORD_LIMIT = 4 * 1024 * 1024;
const COUNT_LIMIT = 1_000_000;
const ROUND = 250;

/** @throws ACCOUNT_RECORDS */
export function readRecords(task: Task, folder: string): Promise<Records> {
  return task.stage("records", async (stage) => {
    const names = namesIn(folder);
    const found: Records = { records: [], refused: [] };
    for (const [i, name] of names.entries()) {
      if (i % ROUND === 0) {
        stage.progress(i, names.length, "records");
        await task.pause();
      }
      readOne(folder, name, found);
    }
    told(stage, found);
    return found;
  });
}

function told(stage: Stage, { records, refused }: Records): void {
  stage.result(`${records.length} CVE records${refused.length === 0 ? "" : `, ${refused.length} files refused`}`);
}

/** Of the records, from the folder on, by year and number. */
function namesIn(folder: string): string[] {
  const published = join("cve", "published");
  const years = listed(join(folder, published), folder).filter((entry) => entry.isDirectory() && /^\d{4}$/.test(entry.name));
  const names = years
    .map(({ name }) => name)
    .sort()
    .flatMap((year) =>
      listed(join(folder, published, year), folder)
        .map(({ name }) => name)
        .filter((name) => /^CVE-.*\.json$/.test(name))
        .sort()
        .map((name) => join(published, year, name)),
    );
  if (names.length === 0) throw fail("ACCOUNT_RECORDS", "it has no cve/published/YEAR/CVE-*.json", { file: folder });
  if (names.length > COUNT_LIMIT) throw fail("ACCOUNT_RECORDS", `it has ${names.length} records`, { file: folder });
  return names;
}

function listed(path: string, folder: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (cause) {
    throw fail("ACCOUNT_RECORDS", cause instanceof Error ? cause.message : String(cause), { file: folder }, { cause });
  }
}

function readOne(folder: string, name: string, found: Records): void {
  try {
    const record = recordOf(textOf(join(folder, name)), name);
    const dyad = name.replace(/\.json$/, ".dyad");
    if (record !== undefined) found.records.push({ ...record, fixed: fixedOf(folder, dyad, found) ?? record.fixed });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    found.refused.push({ file: name, why: error.message });
  }
}

/** Undefined for one that was taken back. */
function recordOf(text: string, name: string): CveRecord | undefined {
  const checked = v.safeParse(recordSchema, JSON.parse(text), { abortEarly: true });
  if (!checked.success) {
    const [issue] = checked.issues;
    throw new Error(`${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`);
  }
  const { cveMetadata, containers } = checked.output;
  const { title = "", affected = [] } = containers.cna;
  if (!name.endsWith(`/${cveMetadata.cveId}.json`)) throw new Error(`it is the record of ${cveMetadata.cveId}`);
  if (cveMetadata.state === "REJECTED") return undefined;
  return {
    id: cveMetadata.cveId,
    title,
    files: [...new Set(affected.flatMap(({ programFiles = [] }) => programFiles))].sort(),
    // `6.1.175` up to `6.1.*` is not affected: it is fixed since the first.
    fixed: affected.flatMap(({ versions = [] }) =>
      versions.flatMap(({ version, lessThanOrEqual, status }) =>
        status === "unaffected" && lessThanOrEqual?.endsWith("*") === true ? [{ release: version, commit: undefined }] : [],
      ),
    ),
  };
}

const COMMIT = /^[0-9a-f]{40}$/;

/** Undefined where there is none, or a damaged one, which is told. */
function fixedOf(folder: string, name: string, { refused }: Records): CveRecord["fixed"] | undefined {
  let text: string;
  try {
    text = textOf(join(folder, name));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    refused.push({ file: name, why: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
  const fixed: CveRecord["fixed"] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [, , release = "", commit = "", ...more] = line.split(":");
    // Zeros where it is not fixed.
    if (release === "0" && commit === "0" && more.length === 0) continue;
    if (!COMMIT.test(commit) || !/^\d[\w.-]{0,40}$/.test(release) || more.length > 0) {
      refused.push({ file: name, why: `line ${i + 1} is not vulnerable release:commit:fixed release:commit` });
      return undefined;
    }
    fixed.push({ release, commit });
  }
  return fixed;
}

/** Of a file, and of nothing else: a link, a pipe or a device in its place is not read. */
function textOf(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw new Error("it is no file");
    if (found.size > RECORD_LIMIT) throw new Error(`it has ${found.size} bytes`);
    const bytes = Buffer.alloc(found.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
}
