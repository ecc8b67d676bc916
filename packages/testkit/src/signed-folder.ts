/** A signed repository as a folder, for what follows one: each role has one key, which is here. The tests of packages/trust make those that are wrong. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PatchTargetCustom, Policy, Rollout, Withdrawal, Withdrawals } from "@suture/protocol";

type Role = "root" | "targets" | "patches" | "policy" | "withdrawal" | "snapshot" | "timestamp";
type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

const DAY_MS = 86_400_000;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The specification's canonical form, of texts without control characters. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

class Key {
  readonly #key: KeyObject;
  readonly public: Json;
  readonly id: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    const hex = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
    this.public = { keytype: "ed25519", scheme: "ed25519", keyval: { public: hex } };
    this.id = sha256(Buffer.from(canonical(this.public)));
  }

  sign(text: string): string {
    return sign(undefined, Buffer.from(text), this.#key).toString("hex");
  }
}

export interface Published {
  name: string;
  bytes: Uint8Array;
  counter: number;
  replace: boolean;
}

interface Line {
  release: string;
  buildId: string;
}

export class SignedFolder {
  readonly folder: string;
  readonly #line: Line;
  readonly #fleet: string;
  readonly #keys = new Map<Role, Key>();
  readonly #versions = new Map<string, number>();
  readonly #meta = new Map<string, Json>();
  readonly livepatches: Published[] = [];
  rollouts: Rollout[] = [];
  withdrawn: Withdrawal[] = [];
  /** Days until what is signed next expires. */
  days = 30;

  constructor(folder: string, line: Line, fleet: string) {
    this.folder = folder;
    this.#line = line;
    this.#fleet = fleet;
    const tops: Role[] = ["root", "targets", "snapshot", "timestamp"];
    this.#put("root", { _type: "root", consistent_snapshot: true, ...this.#trusts(tops), suture: { fleet } });
  }

  #key(role: Role): Key {
    const key = this.#keys.get(role) ?? new Key();
    this.#keys.set(role, key);
    return key;
  }

  #role(role: Role): { keyids: string[]; threshold: number } {
    return { keyids: [this.#key(role).id], threshold: 1 };
  }

  #trusts(roles: readonly Role[]): { keys: Json; roles: Json } {
    return {
      keys: Object.fromEntries(roles.map((role) => [this.#key(role).id, this.#key(role).public])),
      roles: Object.fromEntries(roles.map((role) => [role, this.#role(role)])),
    };
  }

  #write(path: string, bytes: Uint8Array): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, bytes);
    renameSync(`${file}.new`, file);
  }

  /** @param by whose key signs it */
  #put(name: string, content: { [name: string]: Json }, by: Role = name as Role): Buffer {
    const version = (this.#versions.get(name) ?? 0) + 1;
    this.#versions.set(name, version);
    const expires = `${new Date(Date.now() + this.days * DAY_MS).toISOString().slice(0, 19)}Z`;
    const signed = { spec_version: "1.0.31", version, expires, ...content };
    const key = this.#key(by);
    const bytes = Buffer.from(JSON.stringify({ signatures: [{ keyid: key.id, sig: key.sign(canonical(signed)) }], signed }));
    this.#write(`metadata/${name === "timestamp" ? "" : `${version}.`}${name}.json`, bytes);
    if (!["root", "snapshot", "timestamp"].includes(name))
      this.#meta.set(`${name}.json`, { version, length: bytes.length, hashes: { sha256: sha256(bytes) } });
    return bytes;
  }

  #target(path: string, bytes: Uint8Array): { length: number; hashes: { sha256: string } } {
    const at = path.lastIndexOf("/") + 1;
    this.#write(`targets/${path.slice(0, at)}${sha256(bytes)}.${path.slice(at)}`, bytes);
    return { length: bytes.length, hashes: { sha256: sha256(bytes) } };
  }

  #lineTargets(): Json {
    const { buildId } = this.#line;
    const targets: Record<string, Json> = {};
    for (const { name, bytes, counter, replace } of this.livepatches) {
      const manifest = Buffer.from(JSON.stringify({ name }));
      const beside = { path: `patches/${buildId}/${name}.manifest.json`, sha256: sha256(manifest) };
      const custom: PatchTargetCustom = {
        suture: 1,
        name,
        kernel: { ...this.#line, arch: "x86_64" },
        counter,
        predecessor: null,
        replace,
        cves: [],
        proof: { proven: true, functions: 1, sha256: sha256(manifest) },
        inputs: sha256(bytes),
        keepsAddresses: false,
        signer: null,
        beside: { manifest: beside, account: null, review: null },
      };
      targets[beside.path] = this.#target(beside.path, manifest);
      targets[`patches/${buildId}/${name}.ko`] = { ...this.#target(`patches/${buildId}/${name}.ko`, bytes), custom };
    }
    return targets;
  }

  /** One that is rolled out to all machines of the channel stable, unless `more` says otherwise. */
  add(livepatch: Published, more: Partial<Rollout> = {}): void {
    this.livepatches.push(livepatch);
    this.rollouts.push({
      id: `to-${livepatch.counter}`,
      salt: createHash("md5").update(livepatch.name).digest("hex"),
      kernel: this.#line,
      target: { sha256: sha256(livepatch.bytes), counter: livepatch.counter },
      channel: "stable",
      rings: [{ label: "all", share: 10_000 }],
      notBefore: null,
      deadline: null,
      windows: [],
      soak: 0,
      state: "rolling",
      ...more,
    });
  }

  withdraw(name: string, action: Withdrawal["action"] = "disable", replacement: string | null = null): void {
    const found = this.livepatches.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no livepatch ${name} was added`);
    this.withdrawn.push({ sha256: sha256(found.bytes), action, replacement, reason: "it does harm", at: "2026-01-01T00:00:00Z" });
  }

  /** All that was changed becomes what a machine sees. */
  publish(): void {
    const { buildId } = this.#line;
    const delegation = (name: string, role: Role, paths: string[]): Json => ({ name, ...this.#role(role), terminating: true, paths });
    const parts: Role[] = ["patches", "policy", "withdrawal"];
    const paths: Record<string, string[]> = { patches: ["patches/*/*"], policy: ["policy/*"], withdrawal: ["withdrawal/*"] };
    const roles = parts.map((part) => delegation(part, part, paths[part] ?? []));
    this.#put("targets", { _type: "targets", targets: {}, delegations: { keys: this.#trusts(parts).keys, roles } });
    const line = delegation(`linux-${buildId}`, "patches", [`patches/${buildId}/*`]);
    this.#put("patches", { _type: "targets", targets: {}, delegations: { keys: this.#trusts(["patches"]).keys, roles: [line] } });
    this.#putLine("patches");
    this.#putWithdrawals("withdrawal");
    this.steer();
  }

  /** What a fleet's server has the keys of, and no more: the policy, and what is the newest of all. */
  steer(): void {
    const policy: Policy = { suture: 1, fleet: this.#fleet, channels: ["stable"], rollouts: this.rollouts, note: null };
    this.#document("policy", "policy/policy.json", policy, "policy");
    const snapshot = this.#put("snapshot", { _type: "snapshot", meta: Object.fromEntries(this.#meta) });
    const version = this.#versions.get("snapshot") ?? 0;
    const meta = { "snapshot.json": { version, length: snapshot.length, hashes: { sha256: sha256(snapshot) } } };
    const signedAt = `${new Date().toISOString().slice(0, 19)}Z`;
    this.#put("timestamp", { _type: "timestamp", meta, suture: { signedAt } });
  }

  /** What other people's keys sign, signed with the policy's, as who has stolen a server can. */
  forge(role: "livepatches" | "withdrawals"): void {
    if (role === "livepatches") this.#putLine("policy");
    else this.#putWithdrawals("policy");
    this.steer();
  }

  #putLine(by: Role): void {
    this.#put(`linux-${this.#line.buildId}`, { _type: "targets", targets: this.#lineTargets() }, by);
  }

  #putWithdrawals(by: Role): void {
    const withdrawals: Withdrawals = { suture: 1, fleet: this.#fleet, counter: this.withdrawn.length + 1, entries: this.withdrawn };
    this.#document("withdrawal", "withdrawal/withdrawals.json", withdrawals, by);
  }

  #document(role: Role, path: string, value: object, by: Role): void {
    this.#put(role, { _type: "targets", targets: { [path]: this.#target(path, Buffer.from(JSON.stringify(value))) } }, by);
  }
}
