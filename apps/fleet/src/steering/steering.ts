/**
 * How the server steers: by the policy of a signed repository, with keys that are online. They can choose among what the offline keys of `patches` have signed,
 * how far and how fast, and nothing else; machines hold all of that by themselves.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { writeDurably } from "@suture/files";
import type { Policy, Withdrawals } from "@suture/protocol";
import type { Task } from "@suture/task";
import {
  besideOf,
  changePolicy,
  livepatchesOf,
  publish,
  publishedVersion,
  type RepositoryStatus,
  type RolloutChange,
  renew,
  repositoryStatus,
  type Signer,
  showPolicy,
  showWithdrawals,
  signStaged,
  type VerifiedPatch,
  Work,
} from "@suture/trust";
import { fail } from "../errors.ts";

export interface Repository {
  /** In which it is made. */
  folder: string;
  /** From which it is served. */
  out: string;
  /** Of policy, snapshot and timestamp. */
  signers: readonly Signer[];
}

/** Beside the repository, in its folder. */
const MARK = "fleet";
/** Of what is left of its time: then the policy is signed anew. */
const RENEW_BEFORE_MS = 3 * 86_400_000;
/** A machine takes a timestamp for good for a day; a new one tells sooner that nothing is withheld. */
const TIMESTAMP_MS = 3600_000;

export class Steering {
  readonly #task: Task;
  readonly #repository: Repository;

  constructor(task: Task, repository: Repository) {
    this.#task = task;
    this.#repository = repository;
  }

  get folder(): string {
    return this.#repository.folder;
  }

  /** Signed, and published. @throws TRUST_* */
  livepatches(): Promise<VerifiedPatch[]> {
    return livepatchesOf(this.#repository.folder);
  }

  /** It is another one whenever something else is published. @throws TRUST_REPOSITORY */
  version(): Promise<number> {
    return publishedVersion(this.#repository.folder);
  }

  /** @throws TRUST_REPOSITORY */
  withdrawals(): Promise<Withdrawals> {
    return showWithdrawals(this.#repository.folder);
  }

  /** What goes with a livepatch, as it was signed. @throws TRUST_MISSING, TRUST_MISMATCH */
  beside(file: { path: string; sha256: string }): Promise<Buffer> {
    return besideOf(this.#repository.folder, file);
  }

  status(): Promise<RepositoryStatus> {
    return repositoryStatus(this.#repository.folder, new Date());
  }

  policy(): Promise<Policy> {
    return showPolicy(this.#repository.folder);
  }

  /** Of the one that had a policy published last; undefined: nobody has. */
  async mark(): Promise<string | undefined> {
    try {
      return (await readFile(join(this.#repository.folder, MARK), "utf8")).trim();
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  async setMark(mark: string): Promise<void> {
    await writeDurably(join(this.#repository.folder, MARK), `${mark}\n`);
  }

  /** Its keys are enough for all that it signs. @throws FLEET_STEERING, TRUST_REPOSITORY */
  async check(): Promise<void> {
    const { folder, signers } = this.#repository;
    const work = await Work.open(folder);
    for (const role of ["policy", "snapshot", "timestamp"] as const) {
      const [now] = await work.requirements(role);
      const { keyids = [], threshold = 1 } = now ?? {};
      const have = signers.filter(({ id }) => keyids.includes(id)).length;
      if (have < threshold)
        throw fail("FLEET_STEERING", `${role} takes the signatures of ${threshold} keys, and ${have} of them are here`, { file: folder });
    }
  }

  /** Into the policy that is signed next. */
  async put(change: RolloutChange, now: Date): Promise<void> {
    await changePolicy(this.#task, this.#repository.folder, change, now);
  }

  /** What is to be signed and published: another policy, since there is a change or its time ends; or a timestamp alone. */
  async due(now: Date): Promise<"policy" | "timestamp" | undefined> {
    const work = await Work.open(this.#repository.folder);
    if ((await work.staged("policy", "targets")) !== undefined) return "policy";
    const policy = (await work.current("policy", "targets"))?.signed;
    if (policy !== undefined && new Date(policy.expires).getTime() - now.getTime() < RENEW_BEFORE_MS) return "policy";
    const timestamp = (await work.current("timestamp", "timestamp"))?.signed;
    const isOld = timestamp === undefined || now.getTime() - new Date(timestamp.suture.signedAt).getTime() > TIMESTAMP_MS;
    return isOld ? "timestamp" : undefined;
  }

  /** What is staged is signed and is out when this is done. @throws TRUST_*, FLEET_STEERING */
  async publish(now: Date): Promise<void> {
    const { folder, out, signers } = this.#repository;
    const work = await Work.open(folder);
    const policy = (await work.current("policy", "targets"))?.signed;
    const soon = policy !== undefined && new Date(policy.expires).getTime() - now.getTime() < RENEW_BEFORE_MS;
    if (soon && (await work.staged("policy", "targets")) === undefined) await renew(this.#task, folder, ["policy"], now);
    for (const signer of signers) await this.#sign(signer);
    const { waiting } = await publish(this.#task, folder, out, { signers, now });
    if (waiting.includes("policy"))
      throw fail("FLEET_STEERING", "the policy takes more signatures than the server has keys of", { file: folder });
  }

  async #sign(signer: Signer): Promise<void> {
    const { folder } = this.#repository;
    try {
      const { digest } = await signStaged(this.#task, folder, signer, { roles: ["policy"] });
      await signStaged(this.#task, folder, signer, { roles: ["policy"], read: digest });
    } catch (error) {
      // It is the key of another role, or has signed already.
      if (!(error instanceof SutureError) || error.code !== "TRUST_KEY") throw error;
    }
  }
}
