/**
 * What docs/authoring.md says, seen at length: `npm run authoring -- samples|chain|extract|fixes [--kernel R] [--count N] [--seed N] [--corpus DIR]`.
 * samples: the kernel's own samples and self-test modules, built unchanged and loaded. chain: ten livepatches, each built upon the one before,
 * up and down again under load. extract: functions chosen by the seed become files, and the files identity livepatches.
 * fixes: real ones that the differ refuses, made by hand.
 */
import { parseArgs } from "node:util";
import { KernelContext } from "@suture/kbuild";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { chain } from "./authoring/chain.ts";
import { extracts } from "./authoring/extracts.ts";
import { fixes } from "./authoring/fixes.ts";
import { samples } from "./authoring/samples.ts";

const KINDS: Record<
  string,
  (task: Task, kernel: KernelContext, options: { count: number; seed: number; corpus: string | undefined }) => Promise<boolean>
> = {
  samples,
  chain,
  extract: extracts,
  fixes,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: "string" },
    count: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    corpus: { type: "string" },
  },
});
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const kernel = await KernelContext.open(task, await prepareTarget(task, release, { cache }), cache);
console.log(release);
for (const word of positionals) {
  const show = KINDS[word];
  if (show === undefined) throw new Error(`${word} is none of ${Object.keys(KINDS).join(", ")}`);
  if (!(await show(task, kernel, { count: Number(values.count), seed: Number(values.seed), corpus: values.corpus }))) process.exitCode = 1;
}
kernel.close();
