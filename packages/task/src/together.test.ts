import { expect, test } from "vitest";
import { run } from "./process.ts";
import { Task } from "./task.ts";

test("works that go well give their values in order", async () => {
  expect(await new Task().together([async () => 1, async () => "two"])).toEqual([1, "two"]);
});

test("the first that fails ends the others, and none goes on afterwards", async () => {
  let ended = false;
  const work = new Task().together([
    async (task) => {
      await run(task, ["sleep", "600"]).finally(() => {
        ended = true;
      });
    },
    async (task) => {
      await run(task, ["sh", "-c", "exit 7"]);
    },
  ]);
  await expect(work).rejects.toMatchObject({ code: "COMMAND_FAILED" });
  expect(ended).toBe(true);
});

test("a cancelled task ends them all; stages are timed in the whole", async () => {
  const controller = new AbortController();
  const task = new Task(undefined, controller.signal);
  await task.together([(part) => part.stage("one", async () => 1)]);
  expect(task.timings.map(({ name }) => name)).toEqual(["one"]);
  const work = task.together([(part) => run(part, ["sleep", "600"]), (part) => run(part, ["sleep", "600"])]);
  setTimeout(() => controller.abort(), 50);
  await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
});
