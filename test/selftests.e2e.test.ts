/** A part of the kernel's own livepatch self-tests, with Suture loading and unloading; `npm run qualify -- selftests` runs all of them, on any kernel. */
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { SelfTests } from "../qualification/selftests/selftests.ts";

test("one livepatch, several, and one in place of all: the kernel says what its own tests expect", async () => {
  const task = new Task();
  const cache = cacheRoot(process.env);
  const target = await prepareTarget(task, await ownKernel(task), { cache });
  const tests = await SelfTests.of(task, cache, target);
  for await (const { script, verdict, why, tests: each } of tests.run("through suture", ["test-livepatch.sh"])) {
    expect([script, verdict], why).toEqual(["test-livepatch.sh", "ok"]);
    expect(each.length).toBeGreaterThan(2);
  }
});
