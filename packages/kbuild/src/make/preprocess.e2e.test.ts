import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { testContext } from "@suture/testkit/context";
import { expect, test } from "vitest";
import { readStep } from "./preprocess.ts";

test("a linker script is read, and all that it reads where it includes what only a whole build makes", { timeout: 300_000 }, async () => {
  const task = new Task();
  const kernel = await testContext();
  const scripts = kernel.commands.steps.filter(({ kind }) => kind === "linker script");
  const path = "include/linux/kconfig.h";
  const text = readFileSync(join(kernel.target.tree, path), "latin1");
  const view = await kernel.changed(task, new Map([[path, `${text}\n#define ADDED_BY_A_TEST 1\n`]]));
  try {
    for (const step of scripts) {
      const [before, after] = [await readStep(task, step, kernel.original), await readStep(task, step, view)];
      expect(before, step.output).toBeDefined();
      if (after?.includes("ADDED_BY_A_TEST")) expect(before).toContain('.h",null]');
      else expect(after, step.output).toBe(before);
    }
    expect(scripts.length).toBeGreaterThan(1);
  } finally {
    await view.dispose();
    kernel.close();
  }
});
