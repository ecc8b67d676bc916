/**
 * `npm run bench [-- all warm cold diff scaling fixes headers many load proof proof-all peer] [--corpus DIR] [--kernel R] [--most MB] [--fixes N]`: the times
 * that we hold ourselves to, each against a limit or a peer. `all` is all but proof-all; without a word it is all but headers, many, peer and proof-all.
 * `fixes`, `headers` and `many` want a folder of real fixes, by --corpus or SUTURE_CORPUS. --most: the largest object that `scaling` makes; --fixes: so
 * many go into `many`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KernelContext } from "@suture/kbuild";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { cold } from "./cold.ts";
import { differ } from "./diff.ts";
import { fixes } from "./fixes.ts";
import { headers } from "./headers.ts";
import { load } from "./load.ts";
import { many } from "./many.ts";
import { peer } from "./peer.ts";
import { proof } from "./proof.ts";
import { scaling } from "./scaling.ts";
import { warm } from "./warm.ts";

const suture = join(import.meta.dirname, "..", "suture");
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    corpus: { type: "string" },
    kernel: { type: "string" },
    most: { type: "string", default: "64" },
    fixes: { type: "string", default: "1000" },
  },
});
const isAll = wanted.includes("all");
const wants = (name: string): boolean => wanted.length === 0 || isAll || wanted.includes(name);
const task = new Task();
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await ownKernel(task));
const target = await prepareTarget(task, release, { cache });
const kernel = await KernelContext.open(task, target, cache);
const folder = mkdtempSync(join(tmpdir(), "suture-bench-"));
try {
  console.log(`${release}, ${kernel.compiler}`);
  if (wants("warm")) await warm(kernel, folder, suture);
  if (wants("cold")) cold(release, target.tree, folder, suture);
  if (wants("diff")) await differ(kernel, folder);
  if (wants("scaling")) await scaling(kernel, folder, Number(values.most));
  if (wants("fixes")) await fixes(values.corpus ?? process.env.SUTURE_CORPUS, cache, folder);
  if (isAll || wanted.includes("headers")) await headers(values.corpus ?? process.env.SUTURE_CORPUS, cache, folder);
  if (isAll || wanted.includes("many")) await many(values.corpus ?? process.env.SUTURE_CORPUS, cache, folder, Number(values.fixes));
  if (wants("load")) await load(kernel);
  if (wants("proof")) await proof(kernel, folder, { seed: 1, vmlinux: 16, modules: 6, flips: 1000, changed: 4 });
  // Of a kernel whose source has klp-build.
  if (isAll || wanted.includes("peer")) await peer(kernel, folder);
  // Takes an hour.
  if (wanted.includes("proof-all")) await proof(kernel, folder, { seed: 1, vmlinux: 200, modules: 40, flips: 10_000, changed: 20 });
} finally {
  kernel.close();
  rmSync(folder, { recursive: true, force: true });
}
