/** A repository in memory whose every part a test can make wrong, and then sign as its keys' thief would. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { sha256 } from "@suture/files";
import type { PatchTargetCustom, Policy, Withdrawals } from "@suture/protocol";
import { canonicalBytes, keyId } from "../src/metadata/canonical.ts";
import { instantOf, metadataFile } from "../src/metadata/write.ts";
import { lineRole, metadataPath, POLICY_PATH, targetFilePath, WITHDRAWALS_PATH } from "../src/roles.ts";
import type { Source } from "../src/source/source.ts";

export interface TestKey {
  id: string;
  public: { keytype: "ed25519"; scheme: "ed25519"; keyval: { public: string } };
  private: KeyObject;
}

export function testKey(): TestKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const der = createPublicKey(createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }))).export({
    type: "spki",
    format: "der",
  });
  const key = { keytype: "ed25519" as const, scheme: "ed25519" as const, keyval: { public: der.subarray(-32).toString("hex") } };
  return { id: keyId(key), public: key, private: privateKey };
}

export const signatureBy = (key: TestKey, signed: object, id = key.id): { keyid: string; sig: string } => ({
  keyid: id,
  sig: sign(undefined, canonicalBytes(signed), key.private).toString("hex"),
});

export type RoleName = "root" | "targets" | "snapshot" | "timestamp" | "patches" | "policy" | "withdrawal";
export type Keys = Record<RoleName, { keys: TestKey[]; threshold: number }>;

// biome-ignore lint/suspicious/noExplicitAny: a thief writes what he likes, and so do the tests of what comes of it.
export type Loose = any;

export const BUILD_ID = "0123456789abcdef0123456789abcdef01234567";
export const RELEASE = "6.1.0-1-test";
export const NOW = new Date("2026-03-01T12:00:00Z");
const DAY = 86_400_000;
export const after = (days: number, from = NOW): string => instantOf(new Date(from.getTime() + days * DAY));

export function customOf(counter: number, content: Uint8Array, manifest: Uint8Array): PatchTargetCustom {
  return {
    suture: 1,
    name: `livepatch_${counter}`,
    kernel: { release: RELEASE, arch: "x86_64", buildId: BUILD_ID },
    counter,
    predecessor: null,
    replace: true,
    cves: ["CVE-2026-0001"],
    proof: { proven: true, functions: 1, sha256: sha256(manifest) },
    inputs: sha256(content),
    keepsAddresses: false,
    signer: null,
    beside: {
      manifest: { path: `patches/${BUILD_ID}/livepatch_${counter}.manifest.json`, sha256: sha256(manifest) },
      account: null,
      review: null,
    },
  };
}

const target = (bytes: Uint8Array): Loose => ({ length: bytes.length, hashes: { sha256: sha256(bytes) } });

export class MadeRepository {
  readonly keys: Keys = {
    root: { keys: [testKey(), testKey(), testKey()], threshold: 2 },
    targets: { keys: [], threshold: 2 },
    patches: { keys: [testKey(), testKey()], threshold: 2 },
    policy: { keys: [testKey()], threshold: 1 },
    withdrawal: { keys: [testKey()], threshold: 1 },
    snapshot: { keys: [testKey()], threshold: 1 },
    timestamp: { keys: [testKey()], threshold: 1 },
  };
  /** What a client sees: path → bytes. */
  readonly files = new Map<string, Uint8Array>();
  /** `signed` of each role, as it was signed last. */
  readonly signed = new Map<string, Loose>();
  policy: Policy = { suture: 1, fleet: "test", channels: ["stable"], rollouts: [], note: null };
  withdrawals: Withdrawals = { suture: 1, fleet: "test", counter: 1, entries: [] };
  readonly livepatches: Uint8Array[] = [Buffer.from("the first livepatch")];

  constructor() {
    this.keys.targets.keys = this.keys.root.keys;
    this.root();
    this.all();
  }

  #keysOf(roles: readonly RoleName[]): Record<string, object> {
    return Object.fromEntries(roles.flatMap((role) => this.keys[role].keys.map((key) => [key.id, key.public])));
  }

  #role(role: RoleName): Loose {
    return { keyids: this.keys[role].keys.map(({ id }) => id), threshold: this.keys[role].threshold };
  }

  next(role: string): number {
    return ((this.signed.get(role) as { version: number } | undefined)?.version ?? 0) + 1;
  }

  /** @param change makes it wrong before it is signed; @param by other signers than the role's own */
  put(role: string, signed: Loose, signers: readonly TestKey[], path = metadataPath(role, signed.version)): Buffer {
    const bytes = metadataFile(
      signed,
      signers.map((key) => signatureBy(key, signed)),
    );
    this.signed.set(role, signed);
    this.files.set(path, bytes);
    return bytes;
  }

  root(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.root.keys): Buffer {
    const tops: RoleName[] = ["root", "targets", "snapshot", "timestamp"];
    const signed = {
      _type: "root",
      spec_version: "1.0.31",
      version: this.next("root"),
      expires: after(365),
      consistent_snapshot: true,
      keys: this.#keysOf(tops),
      roles: Object.fromEntries(tops.map((role) => [role, this.#role(role)])),
      suture: { fleet: "test" },
    };
    change(signed);
    return this.put("root", signed, signers);
  }

  /** Signs a targets file of any role. */
  role(role: string, content: Loose, signers: readonly TestKey[], change: (signed: Loose) => void = () => {}): Buffer {
    const signed = { _type: "targets", spec_version: "1.0.31", version: this.next(role), expires: after(30), targets: {}, ...content };
    change(signed);
    return this.put(role, signed, signers);
  }

  targets(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.root.keys): Buffer {
    const parts: RoleName[] = ["patches", "policy", "withdrawal"];
    const paths: Record<string, string[]> = { patches: ["patches/*/*"], policy: ["policy/*"], withdrawal: ["withdrawal/*"] };
    const roles = parts.map((name) => ({ name, ...this.#role(name), terminating: true, paths: paths[name] }));
    return this.role("targets", { delegations: { keys: this.#keysOf(parts), roles } }, signers, (signed) => {
      signed.expires = after(365);
      change(signed);
    });
  }

  patches(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.patches.keys): Buffer {
    const roles = [{ name: lineRole(BUILD_ID), ...this.#role("patches"), terminating: true, paths: [`patches/${BUILD_ID}/*`] }];
    return this.role("patches", { delegations: { keys: this.#keysOf(["patches"]), roles } }, signers, change);
  }

  line(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.patches.keys): Buffer {
    const targets: Record<string, object> = {};
    for (const [i, bytes] of this.livepatches.entries()) {
      const manifest = Buffer.from(`{"of":${i + 1}}`);
      const custom = customOf(i + 1, bytes, manifest);
      const path = `patches/${BUILD_ID}/livepatch_${i + 1}.ko`;
      targets[path] = { ...target(bytes), custom };
      targets[custom.beside.manifest.path] = target(manifest);
      this.files.set(targetFilePath(path, sha256(bytes)), bytes);
      this.files.set(targetFilePath(custom.beside.manifest.path, sha256(manifest)), manifest);
    }
    return this.role(lineRole(BUILD_ID), { targets }, signers, change);
  }

  document(
    role: "policy" | "withdrawal",
    change: (signed: Loose) => void = () => {},
    signers: readonly TestKey[] = this.keys[role].keys,
  ): Buffer {
    const path = role === "policy" ? POLICY_PATH : WITHDRAWALS_PATH;
    const bytes = Buffer.from(JSON.stringify(role === "policy" ? this.policy : this.withdrawals));
    this.files.set(targetFilePath(path, sha256(bytes)), bytes);
    return this.role(role, { targets: { [path]: target(bytes) } }, signers, change);
  }

  snapshot(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.snapshot.keys): Buffer {
    const meta: Record<string, object> = {};
    for (const [role, { version }] of this.signed)
      if (!["root", "snapshot", "timestamp"].includes(role)) {
        const bytes = this.files.get(metadataPath(role, version)) ?? Buffer.alloc(0);
        meta[`${role}.json`] = { version, ...target(bytes) };
      }
    const signed = { _type: "snapshot", spec_version: "1.0.31", version: this.next("snapshot"), expires: after(7), meta };
    change(signed);
    return this.put("snapshot", signed, signers);
  }

  timestamp(change: (signed: Loose) => void = () => {}, signers: readonly TestKey[] = this.keys.timestamp.keys): Buffer {
    const { version } = this.signed.get("snapshot");
    const bytes = this.files.get(metadataPath("snapshot", version)) ?? Buffer.alloc(0);
    const signed = {
      _type: "timestamp",
      spec_version: "1.0.31",
      version: this.next("timestamp"),
      expires: after(1),
      meta: { "snapshot.json": { version, ...target(bytes) } },
      suture: { signedAt: instantOf(NOW) },
    };
    change(signed);
    return this.put("timestamp", signed, signers, metadataPath("timestamp"));
  }

  /** All but the root, each one version on. */
  all(): void {
    this.targets();
    this.patches();
    this.line();
    this.document("policy");
    this.document("withdrawal");
    this.publish();
  }

  publish(): void {
    this.snapshot();
    this.timestamp();
  }

  bytes(path: string): Uint8Array {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`no ${path} was made`);
    return bytes;
  }

  get source(): Source {
    return { name: "memory", read: async (_task, path) => this.files.get(path) };
  }
}
