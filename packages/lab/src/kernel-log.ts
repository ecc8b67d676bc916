/** The kernel's log as it comes over the first serial port: bytes in, lines out. */
import type { KernelLine } from "@suture/protocol";
import { MARK } from "./init-script.ts";

/** Lines that are kept; a kernel that logs without end loses its oldest ones. */
const KEPT_LINES = 100_000;
const LINE_LIMIT = 4096;
/** `[    1.234567] text`; kernels with PRINTK_CALLER add the thread or CPU in brackets. */
const STAMPED = /^(?:<\d+>)?\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ?(.*)$/s;

export class KernelLog {
  #lines: KernelLine[] = [];
  #dropped = 0;
  #partial = "";
  readonly #decoder = new TextDecoder();
  readonly #mark: RegExp;
  readonly #onMark: (id: number) => void;
  readonly #onLine: (line: KernelLine) => void;

  /** @param onMark is called for the agent's marks, which are not part of the log (see init-script.ts). */
  constructor(nonce: string, onMark: (id: number) => void, onLine: (line: KernelLine) => void) {
    this.#mark = new RegExp(`^${MARK} ${nonce} (\\d+)$`);
    this.#onMark = onMark;
    this.#onLine = onLine;
  }

  /** Where the next line will stand. Positions stay valid when old lines are dropped. */
  get position(): number {
    return this.#dropped + this.#lines.length;
  }

  /** The lines from a position on, or all that are kept. */
  since(position = 0): KernelLine[] {
    return this.#lines.slice(Math.max(0, position - this.#dropped));
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#partial + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#partial = (lines.pop() ?? "").slice(-LINE_LIMIT);
    for (const line of lines) this.#add(line);
  }

  /** What stands there without an end of line is a line too: the machine ended in the middle of it. */
  end(): void {
    if (this.#partial !== "") this.#add(this.#partial);
    this.#partial = "";
  }

  #add(raw: string): void {
    const line = parseLine(raw.replace(/\r+$/, "").slice(0, LINE_LIMIT));
    const mark = this.#mark.exec(line.text);
    if (mark !== null) {
      this.#onMark(Number(mark[1]));
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) {
      const gone = KEPT_LINES / 10;
      this.#lines = this.#lines.slice(gone);
      this.#dropped += gone;
    }
    this.#onLine(line);
  }
}

export function parseLine(raw: string): KernelLine {
  const match = STAMPED.exec(raw);
  return match === null ? { time: undefined, text: raw } : { time: Number(match[1]), text: match[2] ?? "" };
}

/** As the kernel prints it. */
export function lineText(line: KernelLine): string {
  return line.time === undefined ? line.text : `[${line.time.toFixed(6).padStart(12)}] ${line.text}`;
}
