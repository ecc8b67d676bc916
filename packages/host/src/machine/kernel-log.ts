/** The kernel's log (/dev/kmsg), from a point on. Format: Documentation/ABI/testing/dev-kmsg. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { isAbsent, type Machine } from "./machine.ts";

interface Record {
  sequence: number;
  text: string;
}

const LONGEST_RECORD = 16 * 1024;

/** Remembers where the log stands, to tell later what was said since. */
export class KernelLog {
  readonly #machine: Machine;
  readonly #from: number;

  /** @param from a position of an earlier one, in the same boot */
  constructor(machine: Machine, from?: number) {
    this.#machine = machine;
    this.#from = from ?? recordsOf(machine).at(-1)?.sequence ?? -1;
  }

  /** The number of the last record that is not told. */
  get position(): number {
    return this.#from;
  }

  since(): string[] {
    return recordsOf(this.#machine)
      .filter(({ sequence }) => sequence > this.#from)
      .map(({ text }) => text);
  }
}

function recordsOf(machine: Machine): Record[] {
  let file: number;
  try {
    file = openSync(machine.path("/dev/kmsg"), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  const records: Record[] = [];
  const buffer = Buffer.alloc(LONGEST_RECORD);
  try {
    for (;;) {
      const text = nextRecord(file, buffer);
      if (text === undefined) return records;
      const [, sequence, message] = /^\d+,(\d+),[^;]*;([^\n]*)/.exec(text) ?? [];
      if (sequence !== undefined && message !== undefined) records.push({ sequence: Number(sequence), text: message });
    }
  } finally {
    closeSync(file);
  }
}

/** One record for each read; an empty text for one that was overwritten meanwhile; undefined at the end. */
function nextRecord(file: number, buffer: Buffer): string | undefined {
  try {
    const size = readSync(file, buffer);
    return size === 0 ? undefined : buffer.toString("utf8", 0, size);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "EPIPE") return "";
    // EAGAIN: the end. Others: a log that may not be read tells nothing.
    return undefined;
  }
}
