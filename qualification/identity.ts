/**
 * Identity patches: all functions of real objects of a kernel are replaced by themselves, in a virtual machine under a workload, one object after
 * another and several together. `npm run identity -- [OBJECT...] [--count N] [--seed N] [--kernel R] [--out DIR] [--together N] [--cpus N]`.
 * Without objects, a number of them is chosen by the seed, of each of the kernel's large folders alike. What is done already is not done again.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KernelContext, objectsNamed, pick } from "@suture/kbuild";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { type Built, buildIdentity } from "./identity/build.ts";
import { Guests, type Outcome } from "./identity/guests.ts";

const FOLDERS = ["kernel", "mm", "fs", "net", "block", "lib", "drivers"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    kernel: { type: "string" },
    out: { type: "string" },
    together: { type: "string", default: "8" },
    // Each function that is replaced stops all processors several times: that takes an emulated guest with two twice as long.
    cpus: { type: "string", default: "1" },
  },
});
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const target = await prepareTarget(task, release, { cache });
const kernel = await KernelContext.open(task, target, cache);
const folder = values.out ?? join(cache, "identity", release);
mkdirSync(folder, { recursive: true });

function chosen(count: number, seed: number): string[] {
  const { builtIn } = kernel.commands;
  const each = Math.ceil(count / FOLDERS.length);
  const lists = FOLDERS.map((name) =>
    pick(
      builtIn.filter((object) => object.startsWith(`${name}/`)),
      each,
      seed,
    ),
  );
  return Array.from({ length: each }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1)))
    .flat()
    .slice(0, count);
}

const objects = positionals.length > 0 ? objectsNamed(kernel.commands, positionals) : chosen(Number(values.count), Number(values.seed));
const kept = join(folder, "identity.jsonl");
const known = new Map(
  (existsSync(kept) ? readFileSync(kept, "utf8").split("\n") : [])
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as Built & Outcome)
    .map((result) => [result.object, result]),
);
const results: (Built & Outcome)[] = [];
const groups: (Outcome & { objects: string[] })[] = [];
const guests = new Guests(task, target, { cache, folder, cpus: Number(values.cpus) });
const say = (...words: readonly (string | number | undefined)[]): void =>
  console.log(
    words
      .map((word) => word ?? "")
      .join("\t")
      .replaceAll("\n", " "),
  );
try {
  for (const object of objects) {
    const before = known.get(object);
    if (before !== undefined) {
      results.push(before);
      continue;
    }
    const built = await buildIdentity(task, kernel, object, folder);
    const outcome =
      built.module === undefined ? { outcome: built.refusal?.code ?? "", why: built.refusal?.why } : await guests.load([built.module]);
    results.push({ ...built, ...outcome });
    appendFileSync(kept, `${JSON.stringify(results.at(-1))}\n`);
    say(object, `${built.functions} functions`, `${built.notTaken.length} left out`, outcome.outcome, outcome.why);
  }
  const loaded = results.filter(({ outcome }) => outcome === "passed");
  const size = Number(values.together);
  for (let at = 0; at < loaded.length; at += size) {
    const group = loaded.slice(at, at + size);
    if (group.length < 2) continue;
    const outcome = await guests.load(group.flatMap(({ module }) => module ?? []));
    groups.push({ ...outcome, objects: group.map(({ object }) => object) });
    say(
      `${group.length} together`,
      `${group.reduce((sum, { functions }) => sum + functions, 0)} functions`,
      "",
      outcome.outcome,
      outcome.why,
    );
  }
} finally {
  await guests.stop();
  kernel.close();
}
writeFileSync(join(folder, "identity.json"), `${JSON.stringify({ release, results, groups }, undefined, 1)}\n`);
console.log("\nnot taken");
const reasons = new Map<string, string[]>();
for (const { object, notTaken } of results)
  for (const { name, why } of notTaken) {
    // Grouped by the reason, whatever the names in it.
    const reason = why.replaceAll(name, "it");
    reasons.set(reason, [...(reasons.get(reason) ?? []), `${object}:${name}`]);
  }
for (const [reason, names] of [...reasons].sort(([, a], [, b]) => b.length - a.length))
  console.log(`  ${names.length} ${reason}: ${names.slice(0, 6).join(", ")}${names.length > 6 ? ", ..." : ""}`);
const total = results.reduce((sum, { functions }) => sum + functions, 0);
// An object may have no functions, or be compiled without ftrace entries: then nothing in it can be replaced.
const good = ["passed", "BUILD_REBUILD", "BUILD_NOTHING_CHANGED"];
const bad = [...results, ...groups].filter(({ outcome }) => !good.includes(outcome)).length;
console.log(
  `\n${total} functions of ${results.length} objects; ${bad === 0 ? "all went in and out, and the kernel said nothing" : `${bad} did not pass`}`,
);
process.exitCode = bad === 0 ? 0 : 1;
