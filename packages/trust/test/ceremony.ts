/** A repository as people make it: folders, holders, two livepatches. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import type { Verified } from "../src/client/refresh.ts";
import { refresh } from "../src/client/refresh.ts";
import { TrustStore } from "../src/client/store.ts";
import { type Published, publish } from "../src/repository/publish.ts";
import { type Holders, initRepository, type KeyRole } from "../src/repository/roles.ts";
import { signStaged } from "../src/repository/sign.ts";
import { folderSource } from "../src/source/folder.ts";
import { BUILD_ID } from "./livepatch.ts";
import { type Holder, holder } from "./signers.ts";

export const NOW = new Date("2026-03-01T12:00:00Z");
export const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
const task = new Task();

const held = (threshold: number, holders: readonly Holder[]): Holders => ({ threshold, keys: holders.map(({ named }) => named) });

export class Ceremony {
  readonly work: string;
  readonly out: string;
  readonly #folder: string;
  holders: Record<KeyRole, Holder[]> = {
    root: ["ada", "bob", "cyd"].map(holder),
    patches: ["dan", "eva"].map(holder),
    policy: [holder("olga")],
    withdrawal: [holder("walt")],
    snapshot: [holder("online")],
    timestamp: [holder("clock")],
  };

  constructor(folder: string) {
    this.#folder = folder;
    this.work = join(folder, "repository");
    this.out = join(folder, "out");
    mkdirSync(this.out);
  }

  async init(): Promise<void> {
    const { root, patches, policy, withdrawal, snapshot, timestamp } = this.holders;
    await initRepository(this.work, {
      fleet: "test",
      now: NOW,
      holders: {
        root: held(2, root),
        patches: held(2, patches),
        policy: held(1, policy),
        withdrawal: held(1, withdrawal),
        snapshot: held(1, snapshot),
        timestamp: held(1, timestamp),
      },
    });
  }

  /** Each reads, and then signs what it has read. */
  async sign(...signers: Holder[]): Promise<void> {
    for (const signer of signers) {
      const { digest } = await signStaged(task, this.work, signer, {});
      await signStaged(task, this.work, signer, { read: digest });
    }
  }

  get online(): Holder[] {
    return [...this.holders.snapshot, ...this.holders.timestamp];
  }

  publish(now = NOW, signers: readonly Holder[] = this.online, check = false): Promise<Published> {
    return publish(task, this.work, this.out, { signers, now, check });
  }

  async begin(): Promise<void> {
    await this.init();
    const { root, patches, policy, withdrawal } = this.holders;
    await this.sign(...root.slice(0, 2), ...patches, ...policy, ...withdrawal);
    await this.publish();
  }

  /** A machine that begins with the first root. */
  async machine(root = readFileSync(join(this.out, "metadata/1.root.json"))): Promise<Machine> {
    return new Machine(await TrustStore.create(join(this.#folder, randomUUID()), root), this.out);
  }
}

export class Machine {
  readonly store: TrustStore;
  readonly #out: string;

  constructor(store: TrustStore, out: string) {
    this.store = store;
    this.#out = out;
  }

  refresh(now = NOW): Promise<Verified> {
    return refresh(task, { store: this.store, now, buildId: BUILD_ID }, [folderSource(this.#out)]);
  }
}
