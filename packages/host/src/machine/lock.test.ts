import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { machineOf } from "../../test/tree.ts";
import { locked } from "./lock.ts";

test("a folder that cannot be used is told as that, not as missing rights", async () => {
  const machine = machineOf({ "/run/suture": "a file" });
  const nothing = async (): Promise<void> => {};
  await expect(locked(new Task(), machine, "test", nothing)).rejects.toMatchObject({
    code: "HOST_RUN_FOLDER",
    message: expect.stringContaining("EEXIST"),
  });
  const other = machineOf({});
  mkdirSync(join(other.root, "run/suture/lock"), { recursive: true });
  await expect(locked(new Task(), other, "test", nothing)).rejects.toMatchObject({ code: "HOST_RUN_FOLDER" });
});

test("one after the other", async () => {
  const machine = machineOf({});
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    order.push(`${name} ends`);
  };
  await Promise.all(["a", "b", "c"].map((name) => locked(new Task(), machine, name, work(name))));
  expect(order).toHaveLength(6);
  for (let i = 0; i < order.length; i += 2) expect(order[i + 1]).toBe(order[i]?.replace("begins", "ends"));
});
