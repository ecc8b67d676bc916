/** On a kernel that takes landing pads away: what is known of a module's functions is known as long as the module is held, and holds it no longer. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { KernelContext } from "@suture/kbuild";
import { Task } from "@suture/task";
import { kernelOf } from "@suture/testkit/authoring";
import { IBT } from "@suture/testkit/series";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkSealedIn } from "./sealed-functions.ts";

const task = new Task();
let kernel: KernelContext;

beforeAll(async () => {
  kernel = await kernelOf(task, IBT);
}, 600_000);
afterAll(() => kernel?.close());

/** As if a livepatch had all code and data of the module, and named what it exports. */
async function ask(name: string): Promise<WeakRef<object>> {
  const { elf } = await kernel.module(task, name);
  const owner = await kernel.owner(task, name);
  const externals = elf.symbols.map((symbol) => ({ symbol, original: undefined }));
  const delta = { object: elf, functions: [], callbacks: [], externals, exposed: [] };
  await checkSealedIn(task, kernel, { object: name, owner, delta, locate: () => expect.unreachable() }).catch((error: unknown) =>
    expect(error).toMatchObject({ code: "BUILD_SEALED" }),
  );
  return new WeakRef(elf);
}

test("modules that were asked about are let go", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const owners = [...new Set(kernel.commands.objects.map((object) => kernel.commands.ownerOf(object) ?? ""))];
  const asked: WeakRef<object>[] = [];
  for (const name of owners.filter((one) => kernel.hasModule(one)).slice(0, 12)) asked.push(await ask(name));
  await new Promise((resolve) => setTimeout(resolve, 10));
  gc();
  const held = asked.filter((one) => one.deref() !== undefined);
  expect(asked).toHaveLength(12);
  expect(held.length).toBeLessThan(6);
});
