/** Of the modules that a run opens a few are held, however many they are; what a livepatch is linked by stays known. */
import type { KernelContext } from "@suture/kbuild";
import { Task } from "@suture/task";
import { testContext } from "@suture/testkit/context";
import { afterAll, beforeAll, expect, test } from "vitest";

let kernel: KernelContext;
/** More than are held. */
let modules: string[];
beforeAll(async () => {
  kernel = await testContext();
  const owners = new Set(kernel.commands.objects.map((object) => kernel.commands.ownerOf(object) ?? ""));
  modules = [...owners].filter((name) => kernel.hasModule(name)).slice(0, 8);
  expect(modules).toHaveLength(8);
}, 300_000);
afterAll(() => kernel?.close());

test("the oldest is let go, and opened again when it is asked for", async () => {
  const task = new Task();
  const [first = "", ...others] = modules;
  const opened = await kernel.module(task, first);
  for (const name of others) {
    const module = await kernel.module(task, name);
    expect(await kernel.module(task, name)).toBe(module);
  }
  const again = await kernel.module(task, first);
  expect(again).not.toBe(opened);
  expect(again.sha256).toBe(opened.sha256);
  for (const name of modules) expect(kernel.moduleIdentity(name)).toMatchObject({ name, buildId: expect.stringMatching(/^[0-9a-f]{40}$/) });
});

test("what modules export is known when they are let go", async () => {
  const task = new Task();
  const ownerOf = (module: string): string => module.slice(module.lastIndexOf("/") + 1).replaceAll("-", "_");
  const some = new Map<string, string>();
  for (const { name, module } of kernel.symbolSources.kernel.exports.values())
    if (some.size < 6 && module !== "vmlinux" && kernel.hasModule(ownerOf(module))) some.set(ownerOf(module), name);
  expect(some.size).toBe(6);
  await kernel.openExporters(task, some.values());
  for (const name of modules) await kernel.module(task, name);
  for (const [module, name] of some) expect(kernel.symbolSources.module(module).global(name, "a.o")).toEqual({ name, sympos: 0 });
  expect(() => kernel.symbolSources.module("none")).toThrow("module none was not opened");
});
