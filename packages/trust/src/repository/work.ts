/**
 * The folder in which a repository is made. `metadata/` and `targets/` are what is published, in the same layout; beside them
 *
 *     repository.json      the fleet, how long each role is good, names of keys
 *     staged/ROLE.json     the next version of a role, with the signatures that it has so far
 *     lock
 */
import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { exists, lockFile, makeFolderDurably, removeDurably, sha256, writeDurably } from "@suture/files";
import type { Task } from "@suture/task";
import { Key, Metadata } from "@tufjs/models";
import * as v from "valibot";
import { fail } from "../errors.ts";
import type { PublicKey } from "../keys/signer.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import type { Kind, Signed } from "../metadata/form.ts";
import { type ReadMetadata, readMetadata } from "../metadata/read.ts";
import { instantOf, metadataFile, type Signature } from "../metadata/write.ts";
import { metadataPath, targetFilePath } from "../roles.ts";

export const SIGNED_ROLES = ["root", "targets", "patches", "policy", "withdrawal", "snapshot", "timestamp"] as const;
export type SignedRole = (typeof SIGNED_ROLES)[number];

/** Days that each is good; lines as patches. */
export const DAYS: Readonly<Record<SignedRole, number>> = {
  root: 365,
  targets: 365,
  patches: 90,
  policy: 7,
  withdrawal: 7,
  snapshot: 7,
  timestamp: 1,
};

const settingsSchema = v.strictObject({
  suture: v.literal(1),
  fleet: v.string(),
  days: v.record(v.picklist(SIGNED_ROLES), v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  names: v.record(v.string(), v.string()),
});
export type Settings = v.InferOutput<typeof settingsSchema>;

/** Whose signatures it takes: of each of these, `threshold`. */
export interface Requirement {
  keyids: readonly string[];
  threshold: number;
  keys: Readonly<Record<string, PublicKey>>;
}

export const kindOf = (role: string): Kind => (role === "root" || role === "snapshot" || role === "timestamp" ? role : "targets");

export class Work {
  readonly folder: string;
  settings: Settings;

  private constructor(folder: string, settings: Settings) {
    this.folder = folder;
    this.settings = settings;
  }

  /** Another process waits. @throws TRUST_REPOSITORY */
  static async locked<T>(task: Task, folder: string, work: (work: Work) => Promise<T>): Promise<T> {
    // That there is one; what is in it may change until the lock is had.
    await Work.open(folder);
    const file = await open(join(folder, "lock"), "a");
    try {
      await lockFile(task, file);
      return await work(await Work.open(folder));
    } finally {
      await file.close();
    }
  }

  /** @throws TRUST_REPOSITORY */
  static async open(folder: string): Promise<Work> {
    const file = join(folder, "repository.json");
    try {
      return new Work(folder, v.parse(settingsSchema, JSON.parse(await readFile(file, "utf8"))));
    } catch (cause) {
      throw fail("TRUST_REPOSITORY", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
    }
  }

  /** @throws TRUST_REPOSITORY if there is one */
  static async create(folder: string, settings: Settings): Promise<Work> {
    const work = new Work(folder, settings);
    if (await exists(join(folder, "repository.json"))) throw fail("TRUST_REPOSITORY", "a repository is there already", { file: folder });
    for (const name of ["metadata", "targets", "staged"]) await makeFolderDurably(join(folder, name));
    return work;
  }

  async saveSettings(): Promise<void> {
    await writeDurably(join(this.folder, "repository.json"), `${JSON.stringify(this.settings, undefined, 1)}\n`);
  }

  nameOf(id: string): string {
    return this.settings.names[id] ?? id.slice(0, 12);
  }

  /** The newest version that has been published, or is about to be. */
  async current<K extends Kind>(role: string, kind: K = kindOf(role) as K): Promise<ReadMetadata<K> | undefined> {
    if (role === "timestamp") return this.#read(metadataPath(role), kind);
    const names = await readdir(join(this.folder, "metadata"));
    const versions = names.flatMap((name) => {
      const [, version, of] = /^(\d+)\.(.+)\.json$/.exec(name) ?? [];
      return of === role ? [Number(version)] : [];
    });
    return versions.length === 0 ? undefined : this.#read(metadataPath(role, Math.max(...versions)), kind);
  }

  async staged<K extends Kind>(role: string, kind: K = kindOf(role) as K): Promise<ReadMetadata<K> | undefined> {
    const staged = await this.#read(join("staged", `${role}.json`), kind);
    // One that was published and then not removed, because the power went.
    const current = staged === undefined ? undefined : await this.current(role, kind);
    return current !== undefined && staged !== undefined && current.signed.version >= staged.signed.version ? undefined : staged;
  }

  async newest<K extends Kind>(role: string, kind: K = kindOf(role) as K): Promise<ReadMetadata<K> | undefined> {
    return (await this.staged(role, kind)) ?? (await this.current(role, kind));
  }

  /** @throws TRUST_REPOSITORY */
  async needed<K extends Kind>(role: string, kind: K): Promise<Signed<K>> {
    const found = await this.newest(role, kind);
    if (found === undefined) throw fail("TRUST_REPOSITORY", `there is no ${role} yet`, { file: this.folder });
    return found.signed;
  }

  async stagedRoles(): Promise<string[]> {
    const names = (await readdir(join(this.folder, "staged"))).flatMap((name) =>
      name.endsWith(".json") ? [name.slice(0, -".json".length)] : [],
    );
    const found: string[] = [];
    for (const name of names.sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1)))
      if ((await this.staged(name)) !== undefined) found.push(name);
    return found;
  }

  /** The next version of a role, which nobody has signed yet. */
  async stage(role: string, now: Date, members: object): Promise<void> {
    const current = await this.current(role);
    const kind = kindOf(role);
    const days = this.settings.days[role.startsWith("linux-") ? "patches" : (role as SignedRole)] ?? 90;
    const signed = {
      _type: kind,
      spec_version: "1.0.31",
      version: (current?.signed.version ?? 0) + 1,
      expires: instantOf(new Date(now.getTime() + days * 86_400_000)),
      ...members,
    };
    await this.saveStaged(role, signed, []);
  }

  async saveStaged(role: string, signed: object, signatures: readonly Signature[]): Promise<void> {
    const bytes = metadataFile(signed, signatures);
    readMetadata(kindOf(role), bytes, `staged/${role}.json`);
    await writeDurably(join(this.folder, "staged", `${role}.json`), bytes);
  }

  async dropStaged(role: string): Promise<void> {
    await removeDurably(join(this.folder, "staged", `${role}.json`));
  }

  /** A target's file, named by its contents. */
  async putTarget(path: string, bytes: Uint8Array): Promise<{ length: number; hashes: { sha256: string } }> {
    const digest = sha256(bytes);
    const file = join(this.folder, targetFilePath(path, digest));
    await mkdir(join(file, ".."), { recursive: true });
    await writeDurably(file, bytes);
    return { length: bytes.length, hashes: { sha256: digest } };
  }

  /** Signatures that a role takes by the keys that it has now, and by those that it is to have; the last one is that. @throws TRUST_REPOSITORY */
  async requirements(role: string): Promise<Requirement[]> {
    const delegator = delegatorOf(role);
    const kind = delegator === "root" ? "root" : "targets";
    const by = [await this.current(delegator, kind), await this.staged(delegator, kind)];
    const found = by.flatMap((file) => (file === undefined ? [] : (requirementIn(file.signed, role) ?? [])));
    if (found.length === 0) throw fail("TRUST_REPOSITORY", `${delegator} does not delegate to ${role}`, { file: this.folder });
    return found;
  }

  async #read<K extends Kind>(path: string, kind: K): Promise<ReadMetadata<K> | undefined> {
    const file = join(this.folder, path);
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw fail("TRUST_REPOSITORY", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
    }
    try {
      return readMetadata(kind, bytes, file);
    } catch (cause) {
      if (cause instanceof SutureError) throw fail("TRUST_REPOSITORY", cause.message, { file }, { cause });
      throw cause;
    }
  }
}

/** Those that say who signs others, each after the one that says it of it. */
export const DELEGATORS = ["root", "targets", "patches"] as const;

export function delegatorOf(role: string): (typeof DELEGATORS)[number] {
  if (role === "targets" || kindOf(role) !== "targets") return "root";
  return role.startsWith("linux-") ? "patches" : "targets";
}

/** What a delegator asks of a role; undefined if it does not know it. */
export function requirementIn(delegator: Signed<"root"> | Signed<"targets">, role: string): Requirement | undefined {
  if (delegator._type === "root") {
    const { keys, roles } = delegator;
    const found = roles[role as keyof typeof roles];
    return found === undefined ? undefined : { ...found, keys };
  }
  const { delegations } = delegator;
  const found = delegations?.roles.find(({ name }) => name === role);
  return found === undefined || delegations === undefined
    ? undefined
    : { keyids: found.keyids, threshold: found.threshold, keys: delegations.keys };
}

const order = (role: string): number => {
  const found = (SIGNED_ROLES as readonly string[]).indexOf(role);
  return found < 0 ? SIGNED_ROLES.length : found;
};

/** Keys of a requirement that have signed, and those that have not. */
export function signersOf(
  { keyids, keys }: Requirement,
  role: string,
  { signed, signatures }: ReadMetadata<Kind>,
): { have: string[]; open: string[] } {
  const have = keyids.filter((id) => {
    const key = keys[id];
    const signature = signatures.find(({ keyid }) => keyid === id);
    return key !== undefined && signature !== undefined && verifies(id, key, kindOf(role), signed, signature);
  });
  return { have, open: keyids.filter((id) => !have.includes(id)) };
}

/** By the library, as a machine does it. */
export function verifies(id: string, key: PublicKey, kind: Kind, signed: object, signature: Signature): boolean {
  try {
    const parse = Metadata.fromJSON as unknown as (kind: Kind, value: unknown) => Parameters<Key["verifySignature"]>[0];
    Key.fromJSON(id, { ...key }).verifySignature(parse(kind, { signed, signatures: [signature] }));
    return true;
  } catch {
    return false;
  }
}

export const digestOf = (signed: object): string => sha256(canonicalBytes(signed));
