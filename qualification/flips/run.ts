/** Bits are flipped, in the kernel's code and in what was compiled, one after the other: the proof of the object has to fail each time. */
import { kernelObjects } from "@suture/kbuild";
import { Random } from "../edits/random.ts";
import { COMMON } from "../options.ts";
import { newestCloud, type Run } from "../run.ts";
import { flipsOf } from "./flips.ts";
import { subjectOf } from "./subject.ts";

export const flips: Run = {
  name: "flips",
  what: "no flipped bit of code, no-ops, references or tables passes the proof",
  words: {
    kernel: COMMON.kernel,
    sample: { ...COMMON.sample, what: "so many objects with proven functions, chosen by the seed", is: "40", short: "4" },
    seed: COMMON.seed,
    flips: { value: "N", what: "so many bits, of all objects alike", is: "10000", short: "200" },
  },
  kernel: newestCloud,
  async run(context) {
    const { task, options } = context;
    const kernel = await context.kernel();
    const [sample, seed] = [options.number("sample"), options.number("seed")];
    const each = Math.ceil(options.number("flips") / sample);
    const totals: Record<string, number> = {};
    let objects = 0;
    for (const object of Random.of("flips", seed).shuffled(kernelObjects(kernel))) {
      if (objects === sample) break;
      const result = await context.item(object, async () => {
        const subject = await subjectOf(task, kernel, object);
        if (subject === undefined) return { good: true, outcome: "nothing" };
        const counts: Record<string, number> = {};
        const missed: string[] = [];
        for (const { kind, where, name, undo } of flipsOf(subject, each, seed)) {
          counts[kind] = (counts[kind] ?? 0) + 1;
          if (!subject.fails(name)) missed.push(`${kind}: ${where}`);
          undo();
          await task.pause();
        }
        if (subject.fails()) missed.push("it is not proven without a change either");
        return { good: missed.length === 0, outcome: missed.length === 0 ? "caught" : "missed", why: missed.join("; "), more: counts };
      });
      if (result?.outcome !== "caught" && result?.outcome !== "missed") continue;
      objects++;
      for (const [kind, count] of Object.entries(result.more as Record<string, number>)) totals[kind] = (totals[kind] ?? 0) + count;
    }
    context.more = { objects, flips: totals };
  },
};
