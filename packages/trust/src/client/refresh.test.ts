import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Task } from "@suture/task";
import { folderInMemory } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { after, BUILD_ID, MadeRepository, NOW } from "../../test/made-repository.ts";
import { fetchTarget, recall, refresh, TrustStore, type Verified } from "../index.ts";

const task = new Task();

async function client(
  repository: MadeRepository,
): Promise<{ store: TrustStore; refresh(now?: Date): Promise<Verified>; recall(now?: Date): Promise<Verified> }> {
  const store = await TrustStore.create(join(folderInMemory({}), randomUUID()), repository.bytes("metadata/1.root.json"));
  return {
    store,
    refresh: (now = NOW) => refresh(task, { store, now, buildId: BUILD_ID }, [repository.source]),
    recall: (now = NOW) => recall(task, { store, now, buildId: BUILD_ID }),
  };
}

test("a fresh machine learns what is signed, and gets a livepatch that is what was signed", async () => {
  const repository = new MadeRepository();
  const { refresh } = await client(repository);
  const found = await refresh();
  expect(found).toMatchObject({ fleet: "test", refused: [], warnings: [], policy: { channels: ["stable"] }, withdrawals: { entries: [] } });
  expect(found.patches.map(({ custom }) => custom.counter)).toEqual([1]);
  const [patch] = found.patches;
  if (patch === undefined) throw new Error("none");
  expect(Buffer.from(await fetchTarget(task, patch, [repository.source])).toString()).toBe("the first livepatch");
});

test("what was refreshed is recalled without a network, and what has expired meanwhile is told", async () => {
  const repository = new MadeRepository();
  const { refresh, recall } = await client(repository);
  await expect(recall()).rejects.toMatchObject({ code: "TRUST_STORE" });
  const found = await refresh();
  expect(await recall()).toEqual(found);
  const later = await recall(new Date(after(2)));
  expect(later.patches).toEqual(found.patches);
  expect(later.refused.map(({ code, where }) => `${code} ${where.file}`)).toEqual(["TRUST_EXPIRED timestamp.json"]);
});
