/**
 * What a machine keeps of a repository: the metadata that it trusts, each as soon as it is verified, and the latest time that it has been shown. A folder:
 *
 *     root.json  timestamp.json  snapshot.json  roles/ROLE.json  documents/*.json  memory.json
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, makeFolderDurably, removeDurably, writeDurably } from "@suture/files";
import { instant } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { readMetadata } from "../metadata/read.ts";
import { Verification } from "./verification.ts";

const memorySchema = v.strictObject({
  suture: v.literal(1),
  /** Digests of the keys of timestamp and snapshot: what other keys signed is no measure of what these sign. */
  keys: v.string(),
  /** The latest time at which all roles agreed that they were good; the clock of the machine may be behind it. */
  floor: v.nullable(instant),
  /** Of the withdrawals that were accepted: by which keys, and which digests. */
  withdrawals: v.nullable(v.strictObject({ keys: v.string(), counter: v.number(), digests: v.array(v.string()) })),
});

export type Memory = v.InferOutput<typeof memorySchema>;

export type Kept = "root" | "timestamp" | "snapshot" | `roles/${string}` | "documents/policy" | "documents/withdrawals";

const NEW: Memory = { suture: 1, keys: "", floor: null, withdrawals: null };

export class TrustStore {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** What was set up before. @throws TRUST_STORE */
  static async open(folder: string): Promise<TrustStore> {
    if (!(await exists(join(folder, "root.json")))) throw fail("TRUST_STORE", "it holds no trusted root metadata", { file: folder });
    return new TrustStore(folder);
  }

  /**
   * Sets one up with a root that came by a way that is trusted. One that is there stays, if it is of the same fleet.
   * @throws TRUST_FORM, TRUST_SIGNATURES, TRUST_STORE
   */
  static async create(folder: string, root: Uint8Array): Promise<TrustStore> {
    const { fleet } = new Verification(root, undefined).root.suture;
    const store = new TrustStore(folder);
    const old = (await exists(join(folder, "root.json"))) ? await store.read("root") : undefined;
    if (old === undefined) {
      await makeFolderDurably(join(folder, "roles"));
      await makeFolderDurably(join(folder, "documents"));
      await store.remember(NEW);
      await store.write("root", root);
      return store;
    }
    const other = readMetadata("root", old, join(folder, "root.json")).signed.suture.fleet;
    if (other !== fleet) throw fail("TRUST_STORE", `it trusts the repository of the fleet ${other} already`, { file: folder });
    return store;
  }

  async read(name: Kept): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#path(name));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw fail("TRUST_STORE", cause instanceof Error ? cause.message : String(cause), { file: this.#path(name) }, { cause });
    }
  }

  /** It is on the disk when this is done. @throws TRUST_STORE */
  async write(name: Kept, bytes: Uint8Array): Promise<void> {
    await this.#change(this.#path(name), (path) => writeDurably(path, bytes));
  }

  async remove(name: Kept): Promise<void> {
    await this.#change(this.#path(name), removeDurably);
  }

  /** @throws TRUST_STORE */
  async memory(): Promise<Memory> {
    const file = join(this.folder, "memory.json");
    try {
      return v.parse(memorySchema, JSON.parse(await readFile(file, "utf8")));
    } catch (cause) {
      throw fail("TRUST_STORE", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
    }
  }

  async remember(memory: Memory): Promise<void> {
    await this.#change(join(this.folder, "memory.json"), (path) => writeDurably(path, `${JSON.stringify(memory)}\n`));
  }

  async #change(file: string, work: (file: string) => Promise<void>): Promise<void> {
    try {
      await work(file);
    } catch (cause) {
      throw fail("TRUST_STORE", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
    }
  }

  #path(name: Kept): string {
    return join(this.folder, `${name}.json`);
  }
}
