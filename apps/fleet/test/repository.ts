/** A signed repository as operators make it, whose online keys the server has. */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newObject, Section, SHF, SHT, writeElf } from "@suture/elf";
import { sha256 as digestOf } from "@suture/files";
import { finish } from "@suture/livepatch";
import { type Account, accountDocument, type DraftManifest, type Policy } from "@suture/protocol";
import { Task } from "@suture/task";
import { draftOf } from "@suture/testkit/manifest";
import { X86_64 } from "@suture/testkit/processor";
import {
  addLivepatch,
  type Holders,
  initRepository,
  newSigner,
  publish,
  refresh,
  type Signer,
  signStaged,
  sourceOf,
  TrustStore,
} from "@suture/trust";
import type { Repository } from "../src/steering/steering.ts";
import { BUILD_ID, STATE } from "./machine.ts";

const task = new Task();

export class Signed implements Repository {
  readonly folder: string;
  readonly out: string;
  readonly #base: string;
  readonly #offline = { root: newKey(), patches: newKey(), withdrawal: newKey() };
  readonly #policy: Signer;
  readonly #online: Signer;
  #store: TrustStore | undefined;
  /** Its clock. */
  now = (): Date => new Date();

  constructor(base: string, { policy, online } = { policy: newKey(), online: newKey() }) {
    this.#base = base;
    this.#policy = policy;
    this.#online = online;
    this.folder = join(base, "repository");
    this.out = join(base, "out");
    mkdirSync(this.out);
  }

  get signers(): Signer[] {
    return [this.#policy, this.#online];
  }

  async begin(): Promise<void> {
    const held = (key: Signer): Holders => ({ threshold: 1, keys: [{ name: key.id.slice(0, 8), id: key.id, key: key.key }] });
    const { root, patches, withdrawal } = this.#offline;
    const holders = {
      root: held(root),
      patches: held(patches),
      withdrawal: held(withdrawal),
      policy: held(this.#policy),
      snapshot: held(this.#online),
      timestamp: held(this.#online),
    };
    await initRepository(this.folder, { fleet: "test", holders, now: this.now() });
    for (const key of [root, patches, withdrawal, this.#policy]) await this.#sign(key);
    await publish(task, this.folder, this.out, { signers: this.signers, now: this.now() });
  }

  async #sign(key: Signer): Promise<void> {
    const { digest } = await signStaged(task, this.folder, key, {});
    await signStaged(task, this.folder, key, { read: digest });
  }

  /**
   * @param manifest what its manifest says besides
   * @param beside the account and the page of review, as files' contents; up to which counter others go out of the list
   * @returns its SHA-256
   */
  async add(
    name: string,
    manifest: Partial<DraftManifest> = {},
    beside: { account?: object; review?: (sha256: string) => string; retire?: number } = {},
  ): Promise<string> {
    const file = join(this.#base, `${name}.ko`);
    const bytes = livepatchBytes(name, manifest);
    writeFileSync(file, bytes);
    const put = (suffix: string, text: string): string => {
      writeFileSync(`${file}.${suffix}`, text);
      return `${file}.${suffix}`;
    };
    const { sha256 } = await addLivepatch(task, this.folder, file, {
      now: this.now(),
      retire: beside.retire,
      ...(beside.account === undefined
        ? {}
        : { account: put("account.json", JSON.stringify(accountDocument.of({ account: beside.account as Account }))) }),
      ...(beside.review === undefined ? {} : { review: put("review.html", beside.review(digestOf(bytes))) }),
    });
    await this.#sign(this.#offline.patches);
    await publish(task, this.folder, this.out, { signers: this.signers, now: this.now() });
    return sha256;
  }

  /** By its own name. */
  async addFile(file: string, beside: { account?: string; review?: string } = {}): Promise<void> {
    await addLivepatch(task, this.folder, file, { now: this.now(), ...beside });
    await this.#sign(this.#offline.patches);
    await publish(task, this.folder, this.out, { signers: this.signers, now: this.now() });
  }

  /** What is staged, by its offline keys. */
  async signAll(): Promise<void> {
    for (const key of Object.values(this.#offline)) await this.#sign(key).catch(() => {});
    await publish(task, this.folder, this.out, { signers: this.signers, now: new Date() });
  }

  /** As a machine sees it, which believes nothing older than what it has seen. */
  async seen(): Promise<Policy> {
    this.#store ??= await TrustStore.create(join(this.#base, "store"), readFileSync(join(this.out, "metadata/1.root.json")));
    return (await refresh(task, { store: this.#store, now: this.now(), buildId: BUILD_ID }, [sourceOf(this.out)])).policy;
  }
}

/** A module that is none but for its manifest. */
export function livepatchBytes(name: string, manifest: Partial<DraftManifest> = {}): Uint8Array {
  const object = newObject(`${name}.ko`, X86_64);
  const modinfo = `license=GPL\0livepatch=Y\0name=${name}\0vermagic=${STATE.release} SMP\0`;
  object.sections.unshift(new Section({ name: ".modinfo", type: SHT.PROGBITS, flags: SHF.ALLOC, data: Buffer.from(modinfo) }));
  const draft = draftOf({ name, kernel: { release: STATE.release, buildId: BUILD_ID }, replace: true, ...manifest });
  return finish(writeElf(object), `${name}.ko`, draft, 511).bytes;
}

const newKey = (): Signer => newSigner(generateKeyPairSync("ed25519").privateKey);
