/** The host's end of the second serial port: requests out, answers in (see init-script.ts). */
import type { Duplex } from "node:stream";
import { OUTPUT_LIMIT } from "./init-script.ts";

type AnsweredKind = "run" | "data" | "dump";
type RequestKind = AnsweredKind | "kill";

export interface Answer {
  code: number;
  output: Buffer;
  /** The guest's seconds since boot. */
  from: number;
  to: number;
}

/** Longer first lines are none of ours. */
const HEAD_LIMIT = 256;

export class Agent {
  readonly #socket: Duplex;
  readonly #start: Buffer;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes to have before looking again; the body of a long answer is not searched for each chunk. */
  #wanted = 1;
  #lastId = 0;
  #lastHeard = 0;

  constructor(socket: Duplex, nonce: string) {
    this.#socket = socket;
    this.#start = Buffer.from(`\x01${nonce} `);
    socket.on("data", (chunk: Buffer) => this.#push(chunk));
  }

  /** The answer that the agent gives unasked when it is ready. */
  hello(): Promise<Answer> {
    return new Promise((resolve) => this.#waiting.set(0, resolve));
  }

  /** Sends a request. `answer` is never rejected: the caller holds it against a deadline and the machine's end, and forgets it then. */
  send(kind: AnsweredKind, payload: Uint8Array = new Uint8Array(0)): { id: number; answer: Promise<Answer> } {
    const id = this.#write(kind, payload);
    return { id, answer: new Promise<Answer>((resolve) => this.#waiting.set(id, resolve)) };
  }

  /** Asks for the end of a script, whose own answer tells when it has ended. */
  kill(id: number): void {
    this.#write("kill", Buffer.from(`${id}\n`));
  }

  /** Nobody waits for that answer any more. */
  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** How many answers are waited for. */
  get awaited(): number {
    return this.#waiting.size;
  }

  #write(kind: RequestKind, payload: Uint8Array): number {
    const id = ++this.#lastId;
    this.#socket.write(Buffer.concat([Buffer.from(`${id} ${kind} ${payload.length}\n`), payload]));
    return id;
  }

  /** When the guest last sent anything, as performance.now() has it. A long answer takes seconds to come. */
  get lastHeard(): number {
    return this.#lastHeard;
  }

  #push(chunk: Buffer): void {
    this.#lastHeard = performance.now();
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#wanted) return;
    let bytes: Buffer = Buffer.concat(this.#chunks);
    let next = this.#take(bytes);
    while (next.rest !== undefined) {
      bytes = next.rest;
      next = this.#take(bytes);
    }
    this.#chunks = [bytes];
    this.#length = bytes.length;
    this.#wanted = next.wanted;
  }

  /** Takes one answer off the front: what follows it, or how many bytes there must be first. */
  #take(bytes: Buffer): { rest: Buffer; wanted?: undefined } | { rest?: undefined; wanted: number } {
    const start = bytes.indexOf(this.#start);
    if (start < 0) {
      // What stands before an answer is noise of the line; a marker may have come in part.
      const kept = this.#start.length - 1;
      return bytes.length > HEAD_LIMIT ? { rest: bytes.subarray(-kept) } : { wanted: bytes.length + 1 };
    }
    const end = bytes.indexOf("\n", start);
    const skip = { rest: bytes.subarray(start + 1) };
    if (end < 0) return bytes.length - start > HEAD_LIMIT ? skip : { wanted: bytes.length + 1 };
    const fields = bytes
      .toString("latin1", start + this.#start.length, end)
      .split(" ")
      .map(Number);
    const [id = Number.NaN, code = 0, size = Number.NaN, from = 0, to = 0] = fields;
    if (fields.length !== 5 || fields.some(Number.isNaN) || size < 0 || size > OUTPUT_LIMIT) return skip;
    const body = end + 1 + size;
    if (bytes.length < body) return { wanted: body };
    this.#waiting.get(id)?.({ code, output: Buffer.from(bytes.subarray(end + 1, body)), from, to });
    this.#waiting.delete(id);
    return { rest: bytes.subarray(body) };
  }
}
