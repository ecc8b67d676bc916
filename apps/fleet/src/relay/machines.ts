/**
 * Machines of the site that the server knows: those that came in through here, with their keys, and those that it has said something of. While it is away, names that
 * nobody has share a small part of the room, and what bears the name of one whose key is here, without that key's signature, is not kept at all.
 */
import type { KeyObject } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "@suture/files";
import { type ReportOutcome, reportText, type SignedReport } from "@suture/protocol";
import { isSignedBy, publicKeyOf } from "../hosts/enrol.ts";

const FILE = "machines";
const MOST = 1_000_000;
/** In place of a key. */
const NO_KEY = "-";
const GONE = "gone";
const LINE = /^([0-9a-f]{32}) ([0-9a-f]{64}|-|gone)$/;

export class Machines {
  /** By their ids: the key, in hex, or none. */
  readonly #known: Map<string, string>;
  readonly #keys = new Map<string, KeyObject | undefined>();
  readonly #file: FileHandle;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(known: Map<string, string>, file: FileHandle) {
    this.#known = known;
    this.#file = file;
  }

  /** What is lost of it, in a crash or on a full disk, the server says again. */
  static async open(folder: string): Promise<Machines> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, FILE);
    const lines = (await readFile(path, "utf8").catch(() => "")).split("\n");
    const known = new Map<string, string>();
    for (const line of lines) {
      const [, host, key] = LINE.exec(line) ?? [];
      if (host === undefined || key === undefined) continue;
      if (key === GONE) known.delete(host);
      else known.set(host, key);
    }
    const text = [...known].map(([host, key]) => `${host} ${key}\n`).join("");
    await writeDurably(path, text, 0o600).catch(() => {});
    return new Machines(known, await open(path, "a", 0o600));
  }

  knows = (host: string): boolean => this.#known.has(host);

  /** It bears the name of a machine whose key is here, and is not signed with that. */
  isForged({ host, body, signature }: SignedReport): boolean {
    const key = this.#keyOf(host);
    return key !== undefined && !isSignedBy(key, reportText(body), signature);
  }

  /** It came in through here. */
  enrolled(host: string, publicKey: string): void {
    this.#put(host, publicKey);
  }

  said({ host }: SignedReport, outcome: ReportOutcome): void {
    if (outcome === "no such host") this.#remove(host);
    // Whose name is on what is wrong is not known.
    else if (outcome !== "wrong" && !this.#known.has(host)) this.#put(host, NO_KEY);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  #keyOf(host: string): KeyObject | undefined {
    const hex = this.#known.get(host);
    if (hex === undefined || hex === NO_KEY) return undefined;
    if (!this.#keys.has(host)) this.#keys.set(host, publicKeyOf(hex));
    return this.#keys.get(host);
  }

  #put(host: string, key: string): void {
    if (this.#known.get(host) === key || (this.#known.size >= MOST && !this.#known.has(host))) return;
    this.#known.set(host, key);
    this.#keys.delete(host);
    this.#write(`${host} ${key}\n`);
  }

  #remove(host: string): void {
    if (!this.#known.delete(host)) return;
    this.#keys.delete(host);
    this.#write(`${host} ${GONE}\n`);
  }

  #write(line: string): void {
    this.#writing = this.#writing.then(() => this.#file.appendFile(line)).catch(() => {});
  }
}
