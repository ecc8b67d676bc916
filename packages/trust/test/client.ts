/** A machine that follows a repository in memory. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Task } from "@suture/task";
import { recall, refresh, type Verified } from "../src/client/refresh.ts";
import { TrustStore } from "../src/client/store.ts";
import { BUILD_ID, type MadeRepository, NOW } from "./made-repository.ts";

const task = new Task();

export interface Client {
  store: TrustStore;
  refresh(now?: Date): Promise<Verified>;
  recall(now?: Date): Promise<Verified>;
}

/** @param root that it begins with */
export async function clientOf(
  folder: string,
  repository: MadeRepository,
  root = repository.bytes("metadata/1.root.json"),
): Promise<Client> {
  const store = await TrustStore.create(join(folder, randomUUID()), root);
  return {
    store,
    refresh: (now = NOW) => refresh(task, { store, now, buildId: BUILD_ID }, [repository.source]),
    recall: (now = NOW) => recall(task, { store, now, buildId: BUILD_ID }),
  };
}
