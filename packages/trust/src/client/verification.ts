/**
 * The order of the specification's client workflow and what is held at each step are the library's (TrustedMetadataStore of tuf-js); here bytes go in, and
 * refusals with codes come out. No network, no disk, no clock.
 */
import { LengthOrHashMismatchError, UnsignedMetadataError } from "@tufjs/models/dist/error.js";
import { BadVersionError, EqualVersionError, ExpiredMetadataError } from "tuf-js/dist/error.js";
import { TrustedMetadataStore } from "tuf-js/dist/store.js";
import { fail } from "../errors.ts";
import type { Signed } from "../metadata/form.ts";
import { readMetadata } from "../metadata/read.ts";

type Top = "root" | "timestamp" | "snapshot";

export class Verification {
  readonly #set: TrustedMetadataStore;
  #root: Signed<"root">;
  #timestamp: Signed<"timestamp"> | undefined;
  #snapshot: Signed<"snapshot"> | undefined;
  readonly #roles = new Map<string, Signed<"targets">>();

  /**
   * @param root that is trusted already, by whatever way it came
   * @param time at which root, timestamp and snapshot must not have expired; none: it is the caller's to look
   * @throws TRUST_FORM, TRUST_SIGNATURES
   */
  constructor(root: Uint8Array, time: Date | undefined) {
    this.#root = readMetadata("root", root, "root.json").signed;
    this.#set = translated("root.json", () => new TrustedMetadataStore(Buffer.from(root)));
    this.#judgeAt(time);
  }

  /** The library takes the clock of the machine when it is made; a test holds that it uses this. */
  #judgeAt(time: Date | undefined): void {
    Object.assign(this.#set, { referenceTime: time ?? new Date(0) });
  }

  get root(): Signed<"root"> {
    return this.#root;
  }

  get timestamp(): Signed<"timestamp"> {
    return trusted(this.#timestamp);
  }

  get snapshot(): Signed<"snapshot"> {
    return trusted(this.#snapshot);
  }

  /** @throws TRUST_FORM, TRUST_SIGNATURES, TRUST_ROLLBACK for any version but the next */
  nextRoot(bytes: Uint8Array): void {
    const file = `${this.#root.version + 1}.root.json`;
    const { signed } = readMetadata("root", bytes, file);
    if (signed.suture.fleet !== this.#root.suture.fleet)
      throw fail("TRUST_FLEET", `it is the root of the fleet ${signed.suture.fleet}, not of ${this.#root.suture.fleet}`, { file });
    translated(file, () => this.#set.updateRoot(Buffer.from(bytes)));
    this.#root = signed;
  }

  /**
   * One that is as old as the trusted one changes nothing.
   * @returns whether it is newer
   * @throws TRUST_FORM, TRUST_SIGNATURES, TRUST_ROLLBACK, TRUST_EXPIRED
   */
  newTimestamp(bytes: Uint8Array): boolean {
    const { signed } = readMetadata("timestamp", bytes, "timestamp.json");
    try {
      translated("timestamp.json", () => this.#set.updateTimestamp(Buffer.from(bytes)));
    } catch (error) {
      if (error instanceof Error && error.cause instanceof EqualVersionError) return false;
      throw error;
    }
    this.#timestamp = signed;
    return true;
  }

  /** One that was trusted before: it is the floor of what comes, also if it has expired. */
  oldTimestamp(bytes: Uint8Array): void {
    const { signed } = readMetadata("timestamp", bytes, "timestamp.json");
    this.#old("timestamp", () => this.#set.updateTimestamp(Buffer.from(bytes)));
    this.#timestamp = signed;
  }

  /** @throws TRUST_FORM, TRUST_SIGNATURES, TRUST_ROLLBACK, TRUST_MISMATCH, TRUST_EXPIRED */
  newSnapshot(bytes: Uint8Array): void {
    const file = "snapshot.json";
    const { meta } = this.timestamp;
    checkNamed(bytes, meta[file], file);
    const { signed } = readMetadata("snapshot", bytes, file);
    translated(file, () => this.#set.updateSnapshot(Buffer.from(bytes)));
    this.#snapshot = signed;
  }

  oldSnapshot(bytes: Uint8Array): void {
    const { signed } = readMetadata("snapshot", bytes, "snapshot.json");
    this.#old("snapshot", () => this.#set.updateSnapshot(Buffer.from(bytes), true));
    this.#snapshot = signed;
  }

  /** What is old may have expired, and a snapshot is not the one that the newest timestamp names: the library keeps it to compare with, and throws. */
  #old(role: Top, update: () => unknown): void {
    try {
      update();
    } catch (error) {
      const kept = role === "timestamp" ? this.#set.timestamp : this.#set.snapshot;
      const isOld = error instanceof ExpiredMetadataError || error instanceof BadVersionError;
      if (!isOld || kept === undefined) throw refusalOf(error, `${role}.json`);
    }
  }

  /** What the snapshot says of a role's file. @throws TRUST_MISSING */
  named(role: string): { version: number; length: number; hashes: { sha256: string } } {
    const named = this.snapshot.meta[`${role}.json`];
    if (named === undefined) throw fail("TRUST_MISSING", `the snapshot names no ${role}.json`, { file: "snapshot.json" });
    return named;
  }

  /**
   * Whether it has expired is the caller's to look: what one role cannot say any more does not silence the others.
   * @throws TRUST_FORM, TRUST_SIGNATURES, TRUST_MISMATCH, TRUST_DELEGATION
   */
  role(bytes: Uint8Array, role: string, delegator: string): Signed<"targets"> {
    const file = `${role}.json`;
    checkNamed(bytes, this.named(role), file);
    const { signed } = readMetadata("targets", bytes, file);
    this.#judgeAt(undefined);
    translated(file, () => this.#set.updateDelegatedTargets(Buffer.from(bytes), role, delegator));
    this.#roles.set(role, signed);
    return signed;
  }
}

function trusted<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the metadata are asked for before they are verified");
  return value;
}

/** The library says of it only that it does not fit. */
function checkNamed(bytes: Uint8Array, { length }: { length: number }, file: string): void {
  if (bytes.length !== length) throw fail("TRUST_MISMATCH", `it has ${bytes.length} bytes, and is to have ${length}`, { file });
}

function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw refusalOf(error, file);
  }
}

function refusalOf(cause: unknown, file: string): Error {
  const why = (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);
  const where = { file };
  if (cause instanceof UnsignedMetadataError) return fail("TRUST_SIGNATURES", why, where, { cause });
  if (cause instanceof ExpiredMetadataError) return fail("TRUST_EXPIRED", why, where, { cause });
  if (cause instanceof LengthOrHashMismatchError) return fail("TRUST_MISMATCH", why, where, { cause });
  if (cause instanceof BadVersionError || /^Missing file/.test(why))
    return fail(/match/.test(why) ? "TRUST_MISMATCH" : "TRUST_ROLLBACK", why, where, { cause });
  return fail("TRUST_FORM", why, where, { cause });
}
