import { describe, expect, it } from "vitest";
import { inParallel } from "./pool.ts";

describe("work in parallel", () => {
  it("keeps the order of results and the limit", async () => {
    let running = 0;
    let most = 0;
    const results = await inParallel([30, 1, 20, 5, 1], 2, async (ms, i) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running--;
      return i;
    });
    expect(results).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
  });

  it("begins nothing more after a failure, and waits for what has begun", async () => {
    const begun: number[] = [];
    let ended = false;
    const work = inParallel([0, 1, 2, 3], 2, async (i) => {
      begun.push(i);
      if (i === 0) throw new Error("first");
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended = true;
    });
    await expect(work).rejects.toThrow("first");
    expect(begun).toEqual([0, 1]);
    expect(ended).toBe(true);
  });
});
