import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { chooseAccelerator, rememberAccelerator } from "./accelerator.ts";

test("the answer holds for this boot of the machine and is never half-written", async () => {
  const cache = await mkdtemp(join(tmpdir(), "suture-lab-cache-"));
  try {
    const fresh = await chooseAccelerator(cache);
    // Where there is no /dev/kvm nothing has to be tried.
    expect(fresh.known).toBe(fresh.accelerator === "tcg");
    await rememberAccelerator("tcg", cache);
    expect(await chooseAccelerator(cache)).toEqual({ accelerator: "tcg", known: true });
    expect(await readdir(cache)).toEqual(["accelerator"]);
    await writeFile(join(cache, "accelerator"), "another boot\ntcg\n");
    expect(await chooseAccelerator(cache)).toEqual(fresh);
    await writeFile(join(cache, "accelerator"), "");
    expect(await chooseAccelerator(cache)).toEqual(fresh);
    // Where nothing can be written nothing is remembered, and nothing fails.
    await rememberAccelerator("tcg", join(cache, "accelerator", "below a file"));
  } finally {
    await rm(cache, { recursive: true });
  }
});
