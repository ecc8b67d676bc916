/** The examples of docs/authoring.md, built, loaded, at work and taken out again, on the newest kernels of two series. */
import type { KernelContext, Livepatch } from "@suture/build";
import type { Guest } from "@suture/lab";
import { Task } from "@suture/task";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootWith, buildExamples, EXAMPLE_CHECKS, kernelOf, SERIES, said } from "./authoring.ts";

describe.each(SERIES)("on %s", (series) => {
  const task = new Task();
  let kernel: KernelContext;
  let built: Livepatch[] = [];
  let guest: Guest;

  beforeAll(async () => {
    kernel = await kernelOf(task, series);
    built = await buildExamples(task, kernel);
    guest = await bootWith(task, kernel, built);
  });
  afterAll(async () => {
    await guest?.stop();
    kernel?.close();
  });

  test("every example is built, proven, and has a check", () => {
    expect(built.map(({ file }) => file.slice("livepatch-".length, -".ko".length))).toEqual(EXAMPLE_CHECKS.map(({ name }) => name).sort());
    for (const { manifest } of built) expect(manifest.proof).toMatchObject({ proven: true });
  });

  test.each(EXAMPLE_CHECKS)("$name does its work, and leaves nothing behind", async ({ script, expected }) => {
    const from = guest.logPosition;
    const before = await said(guest, "loaded");
    expect(await said(guest, script)).toMatch(expected);
    expect(await said(guest, "loaded")).toBe(before);
    expect(guest.events(from)).toEqual([]);
  });
});
