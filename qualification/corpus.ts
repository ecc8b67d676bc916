/**
 * Measures on a folder of real fixes (manifest.json, patches/): builds a livepatch of each, tries it in a virtual machine with the module that
 * it is for, and prints one line for each and a summary. `npm run corpus -- DIR [--out DIR] [--only REGEX] [--class NAME] [--kernel R] [--sample N] [--no-headers]
 * [--no-try]`. --sample chooses some, always the same. --no-headers leaves out fixes of include/, which may have a thousand objects preprocessed.
 * What is done already is not done again, so that it can be stopped at any time; --again NAME,... forgets some.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KernelContext, pick } from "@suture/kbuild";
import { cacheRoot, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { buildFix } from "./corpus/build.ts";
import { type Fix, readManifest } from "./corpus/manifest.ts";
import { type Result, Results } from "./corpus/results.ts";
import { summarise } from "./corpus/summary.ts";
import { Trials } from "./corpus/trials.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    only: { type: "string" },
    class: { type: "string" },
    kernel: { type: "string" },
    again: { type: "string" },
    limit: { type: "string" },
    sample: { type: "string" },
    "no-try": { type: "boolean" },
    "no-headers": { type: "boolean" },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error(
    "usage: npm run corpus -- DIR [--out DIR] [--only REGEX] [--class NAME] [--kernel R] [--again NAMES] [--limit N] [--sample N] [--no-headers] [--no-try]",
  );
  process.exit(2);
}
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const manifest = readManifest(folder);
const release = values.kernel ?? manifest.release;
const cache = cacheRoot(process.env);
const out = values.out ?? join(cache, "corpus", release);
mkdirSync(join(out, "modules"), { recursive: true });
const results = new Results(join(out, "results.jsonl"), values.again === undefined ? [] : values.again.split(","));
const wanted = (fix: Fix): boolean =>
  !(values["no-headers"] === true && fix.files.some((file) => file.startsWith("include/"))) &&
  (values.only === undefined || new RegExp(values.only).test(fix.name)) &&
  (values.class === undefined || fix.class === values.class);
const suitable = manifest.patches.filter(wanted);
const sample =
  values.sample === undefined
    ? undefined
    : new Set(
        pick(
          suitable.map(({ name }) => name),
          Number(values.sample),
          1,
        ),
      );
const fixes = suitable
  .filter(({ name }) => sample?.has(name) ?? true)
  .slice(0, values.limit === undefined ? undefined : Number(values.limit));

const target = await prepareTarget(task, release, { cache });
const kernel = await KernelContext.open(task, target, cache);
const trials = values["no-try"] === true ? undefined : new Trials(task, target, cache);
const say = (result: Result): void => {
  results.add(result);
  const words = [result.name, result.class, result.outcome, result.code ?? "", `${(result.buildMs / 1000).toFixed(1)} s`, result.why ?? ""];
  console.log(words.join("\t").replaceAll("\n", " ").slice(0, 300));
};
try {
  for (const fix of fixes) {
    const known = results.get(fix.name);
    const module = join(out, "modules", `${fix.name}.ko`);
    if (known !== undefined && !(known.outcome === "built" && trials !== undefined)) continue;
    const built = known ?? (await buildFix(task, kernel, fix, folder, module));
    if (built.outcome !== "built" || trials === undefined) say(built);
    // Tried beside the next build.
    else await trials.add(built, module, say);
  }
  await trials?.finish();
} finally {
  await trials?.stop();
  kernel.close();
}
const summary = summarise(fixes, results);
writeFileSync(join(out, "summary.json"), `${JSON.stringify(summary, undefined, 1)}\n`);
console.log(readFileSync(join(out, "summary.json"), "utf8"));
