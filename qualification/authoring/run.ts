/**
 * What docs/authoring.md says, seen at length. samples: the kernel's own samples and self-test modules, built unchanged and loaded. chain: ten livepatches,
 * each built upon the one before, up and down again under load. extract: functions chosen by the seed become files, and the files identity livepatches.
 * fixes: real ones that the differ refuses, made by hand.
 */
import { KernelContext } from "@suture/kbuild";
import { prepareTarget } from "@suture/sources";
import { readManifest } from "../corpus/manifest.ts";
import { COMMON } from "../options.ts";
import { newestCloud, type Run, type RunContext } from "../run.ts";
import { chain } from "./chain.ts";
import { extracts } from "./extracts.ts";
import { fixes } from "./fixes.ts";
import { samples } from "./samples.ts";

export const authoring: Run = {
  name: "authoring",
  what: "livepatches in C: the kernel's samples, a chain of ten, extracted functions, fixes by hand",
  words: {
    kernel: COMMON.kernel,
    corpus: { value: "DIR", what: "the folder of real fixes that some are made by hand of; without, that is left out" },
    sample: { ...COMMON.sample, what: "so many functions that become files", is: "20", short: "2" },
    seed: COMMON.seed,
  },
  kernel: newestCloud,
  async run(context) {
    const { task, options } = context;
    const corpus = options.text("corpus");
    const wanted = { count: options.number("sample"), seed: options.number("seed") };
    const kernel = await context.kernel();
    const shows: [string, () => Promise<boolean>][] = [
      ["extract", () => extracts(task, kernel, wanted)],
      ["chain", () => chain(task, kernel)],
      ...(options.flag("short") ? [] : [["samples", () => samples(task, kernel)] as [string, () => Promise<boolean>]]),
      ...(corpus === undefined ? [] : [["fixes", () => onKernelOf(context, corpus)] as [string, () => Promise<boolean>]]),
    ];
    for (const [name, show] of shows)
      await context.item(name, async () => {
        const good = await show();
        return { good, outcome: good ? "passed" : "failed" };
      });
  },
};

/** A fix is made by hand for a kernel that lacks it. */
async function onKernelOf({ task, cache }: RunContext, corpus: string): Promise<boolean> {
  const kernel = await KernelContext.open(task, await prepareTarget(task, readManifest(corpus).release, { cache }), cache);
  try {
    return await fixes(task, kernel, corpus);
  } finally {
    kernel.close();
  }
}
