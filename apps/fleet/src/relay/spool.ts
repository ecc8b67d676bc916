/**
 * Reports on the disk until the server has them: files of lines, written at the end and read from the front. What is given is on the disk when `add` is done; what is
 * taken off may come again after a crash, which is harmless: the server knows it.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "@suture/files";
import { type SignedReport, signedReportSchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "../errors.ts";

const SEGMENT_BYTES = 8 * 1024 * 1024;
const MOST_BYTES = 512 * 1024 * 1024;
/** Of one machine: who fills it with one name keeps no other out. */
const MOST_OF_ONE = 500;
const MOST_BYTES_OF_ONE = 4 * 1024 * 1024;
/** Of all, for names that the server has never spoken of together: who makes them up keeps no machine out. */
const PART_OF_STRANGERS = 1 / 8;
const PLACE = "acknowledged";

/** Of what comes next: the number of a file, and the byte in it. */
interface Place {
  segment: number;
  offset: number;
}

export interface Spooled {
  /** Counts up, in this process. */
  n: number;
  report: SignedReport;
}

interface Adding {
  reports: readonly SignedReport[];
  done(first: number): void;
  failed(error: unknown): void;
}

/** What waits of one machine. */
interface Waiting {
  reports: number;
  bytes: number;
  /** Of these, what was added before it was known. */
  strange: number;
}

export class Spool {
  readonly #folder: string;
  readonly #most: number;
  readonly #segmentBytes: number;
  readonly #isKnown: (host: string) => boolean;
  #file: FileHandle;
  /** The one that is written. */
  #segment: number;
  #size = 0;
  #read: Place;
  /** Of what is read next. */
  #next = 0;
  /** Of what is added next. */
  #last = 0;
  #bytes = 0;
  readonly #hosts = new Map<string, Waiting>();
  /** Of strangers, in bytes. */
  #strange = 0;
  /** Of what is on its way to the disk. */
  #coming = 0;
  #comingStrange = 0;
  /** Of files that were given up in the middle, where they end: behind it is what nobody was told of. */
  readonly #ends = new Map<number, number>();
  #adding: Adding[] = [];
  #busy: Promise<void> | undefined;

  private constructor(
    folder: string,
    file: FileHandle,
    segment: number,
    read: Place,
    { most, segmentBytes, isKnown }: Required<SpoolOptions>,
  ) {
    this.#folder = folder;
    this.#file = file;
    this.#segment = segment;
    this.#read = read;
    this.#most = most;
    this.#segmentBytes = segmentBytes;
    this.#isKnown = isKnown;
  }

  /** What a process that died has left is there; the half of a line that it was writing is not. */
  static async open(
    folder: string,
    { most = MOST_BYTES, segmentBytes = SEGMENT_BYTES, isKnown = () => true }: SpoolOptions = {},
  ): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const segments = await segmentsIn(folder);
    const known = await placeIn(folder);
    // One of its own: behind what was cut off nothing is written.
    const segment = Math.max(segments.at(-1) ?? 0, known?.segment ?? 0) + 1;
    const [first = segment] = segments;
    const read = known !== undefined && known.segment >= first ? known : { segment: first, offset: 0 };
    const file = await open(pathOf(folder, segment), "ax", 0o600);
    await syncFolder(folder);
    const spool = new Spool(folder, file, segment, read, { most, segmentBytes, isKnown });
    for (const each of segments) {
      const { size } = await stat(pathOf(folder, each));
      if (each < read.segment) await rm(pathOf(folder, each));
      else {
        const { lines } = await linesOf(folder, { segment: each, offset: each === read.segment ? Math.min(read.offset, size) : 0 }, size);
        for (const { report, length } of lines) spool.#count(report, length);
      }
    }
    return spool;
  }

  get waiting(): { reports: number; bytes: number } {
    return { reports: this.#last - this.#next, bytes: this.#bytes };
  }

  /** @returns the number of the first of them, which are on the disk. @throws FLEET_BUSY, FLEET_ROOM */
  async add(reports: readonly SignedReport[]): Promise<number> {
    const bytes = reports.reduce(sumOf, 0);
    const strange = reports.filter(({ host }) => !this.#isKnown(host)).reduce(sumOf, 0);
    if (this.#bytes + this.#coming + bytes > this.#most)
      throw fail("FLEET_BUSY", `${this.#bytes + this.#coming} bytes of reports wait for the server`);
    const strangers = this.#strange + this.#comingStrange;
    if (strange > 0 && strangers + strange > this.#most * PART_OF_STRANGERS)
      throw fail("FLEET_BUSY", `${strangers} bytes of reports of machines that are not known here wait for the server`);
    const many = reports.find(({ host }) => isMuch(this.#hosts.get(host)));
    if (many !== undefined) throw fail("FLEET_BUSY", `as many reports of ${many.host} as may be wait for the server`);
    this.#coming += bytes;
    this.#comingStrange += strange;
    return new Promise<number>((done, failed) => {
      this.#adding.push({ reports, done, failed });
      this.#busy ??= this.#write().finally(() => {
        this.#busy = undefined;
      });
    }).finally(() => {
      this.#coming -= bytes;
      this.#comingStrange -= strange;
    });
  }

  /** What comes while one write is on its way goes in with the next: one flush for all of it. */
  async #write(): Promise<void> {
    while (this.#adding.length > 0) {
      const batch = this.#adding;
      this.#adding = [];
      const lines = batch.flatMap(({ reports }) => reports.map((report) => Buffer.from(`${JSON.stringify(report)}\n`)));
      try {
        if (this.#size > this.#segmentBytes) await this.#turn();
        await this.#file.appendFile(Buffer.concat(lines));
        await this.#file.datasync();
      } catch (error) {
        await this.#takeBack(noRoom(error));
        const why = noRoom(error) ? fail("FLEET_ROOM", String(error), { file: this.#folder }, { cause: error }) : error;
        for (const { failed } of batch) failed(why);
        continue;
      }
      let at = 0;
      for (const { reports, done } of batch) {
        const first = this.#last;
        for (const report of reports) {
          const { length } = lines[at++] ?? { length: 0 };
          this.#size += length;
          this.#count(report, length);
        }
        done(first);
      }
    }
  }

  #count({ host }: SignedReport, length: number): void {
    this.#last += 1;
    this.#bytes += length;
    const { reports, bytes, strange } = this.#hosts.get(host) ?? { reports: 0, bytes: 0, strange: 0 };
    const more = this.#isKnown(host) ? 0 : length;
    this.#strange += more;
    this.#hosts.set(host, { reports: reports + 1, bytes: bytes + length, strange: strange + more });
  }

  #uncount({ host }: SignedReport, length: number): void {
    this.#bytes -= length;
    const { reports, bytes, strange } = this.#hosts.get(host) ?? { reports: 1, bytes: length, strange: 0 };
    // The oldest go first, and those are the ones from before it was known.
    const less = reports > 1 ? Math.min(strange, length) : strange;
    this.#strange -= less;
    if (reports > 1) this.#hosts.set(host, { reports: reports - 1, bytes: bytes - length, strange: strange - less });
    else this.#hosts.delete(host);
  }

  /** What of a batch is there nobody was told of: cut off where the disk is full; of a disk that fails nothing more is written to that file. */
  async #takeBack(isFull: boolean): Promise<void> {
    try {
      if (!isFull) throw new Error("another file");
      await this.#file.truncate(this.#size);
    } catch {
      await this.#turn().catch(() => {});
    }
  }

  async #turn(): Promise<void> {
    const file = await open(pathOf(this.#folder, this.#segment + 1), "ax", 0o600);
    this.#ends.set(this.#segment, this.#size);
    await this.#file.close().catch(() => {});
    this.#segment += 1;
    this.#size = 0;
    this.#file = file;
    await syncFolder(this.#folder);
  }

  /** The oldest; they stay until `taken` is said of them. @param bytes as much as that together, but one at least */
  async oldest(most: number, bytes: number): Promise<{ reports: Spooled[]; taken(count: number): Promise<void> }> {
    // Of the one that is written, what is on the disk.
    for (;;) {
      const place = this.#read;
      const end = place.segment === this.#segment ? this.#size : await this.#endOf(place.segment);
      const { lines } = await linesOf(this.#folder, place, end, most, bytes);
      if (lines.length === 0 && place.segment < this.#segment) {
        const after = place.segment + 1;
        await this.#goTo({ segment: after, offset: 0 });
        continue;
      }
      const first = this.#next;
      return {
        reports: lines.map(({ report }, i) => ({ n: first + i, report })),
        taken: async (count) => {
          const gone = lines.slice(0, count);
          for (const { report, length } of gone) this.#uncount(report, length);
          this.#next += count;
          const last = gone.at(-1);
          if (last !== undefined) await this.#goTo({ segment: place.segment, offset: last.end });
        },
      };
    }
  }

  async #endOf(segment: number): Promise<number> {
    return this.#ends.get(segment) ?? (await stat(pathOf(this.#folder, segment)).catch(() => ({ size: 0 }))).size;
  }

  /** Files that are done go first, which makes room; a place that cannot be written has some come again after a crash. */
  async #goTo(place: Place): Promise<void> {
    let { segment } = this.#read;
    this.#read = place;
    for (; segment < place.segment; segment++) {
      await rm(pathOf(this.#folder, segment), { force: true });
      this.#ends.delete(segment);
    }
    await writeDurably(join(this.#folder, PLACE), `${JSON.stringify(place)}\n`, 0o600).catch((error: unknown) => {
      if (!noRoom(error)) throw error;
    });
  }

  async close(): Promise<void> {
    await this.#busy;
    await this.#file.close();
  }
}

export interface SpoolOptions {
  most?: number;
  segmentBytes?: number;
  /** Machines that the server has spoken of; all, unless given. */
  isKnown?: (host: string) => boolean;
}

const sumOf = (sum: number, { body }: SignedReport): number => sum + body.length + 200;
const isMuch = (of: Waiting | undefined): boolean => of !== undefined && (of.reports >= MOST_OF_ONE || of.bytes >= MOST_BYTES_OF_ONE);

const noRoom = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");

const pathOf = (folder: string, segment: number): string => join(folder, `${String(segment).padStart(9, "0")}.reports`);

async function segmentsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => (/^\d{9}\.reports$/.test(name) ? [Number(name.slice(0, 9))] : [])).sort((a, b) => a - b);
}

async function placeIn(folder: string): Promise<Place | undefined> {
  const text = await readFile(join(folder, PLACE), "utf8").catch(() => "");
  try {
    const checked = v.safeParse(v.strictObject({ segment: v.number(), offset: v.number() }), JSON.parse(text));
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}

interface Line {
  report: SignedReport;
  length: number;
  /** The byte behind it. */
  end: number;
}

/** Whole lines that are reports: what is none was half written. */
async function linesOf(
  folder: string,
  { segment, offset }: Place,
  end: number,
  most = Number.POSITIVE_INFINITY,
  bytes = end,
): Promise<{ lines: Line[] }> {
  const lines: Line[] = [];
  if (end <= offset) return { lines };
  const file = await open(pathOf(folder, segment), "r");
  try {
    // One line at least: a report is no longer than that.
    const buffer = Buffer.alloc(Math.min(end - offset, Math.max(bytes, 1024 * 1024)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    let at = 0;
    while (lines.length < most) {
      const stop = buffer.subarray(0, bytesRead).indexOf(10, at);
      if (stop < 0) break;
      const report = reportIn(buffer.toString("utf8", at, stop));
      if (report !== undefined) lines.push({ report, length: stop + 1 - at, end: offset + stop + 1 });
      at = stop + 1;
    }
    return { lines };
  } finally {
    await file.close();
  }
}

function reportIn(text: string): SignedReport | undefined {
  try {
    const checked = v.safeParse(signedReportSchema, JSON.parse(text));
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}
