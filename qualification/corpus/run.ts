/** A folder of real fixes (manifest.json, patches/): a livepatch of each is built, and tried in a virtual machine with the module that it is for. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../edits/random.ts";
import { COMMON, WrongUse } from "../options.ts";
import type { Run, RunContext } from "../run.ts";
import { buildFix, type FixResult } from "./build.ts";
import { type Fix, readManifest } from "./manifest.ts";
import { summarise } from "./summary.ts";
import { Trials } from "./trials.ts";

export const corpus: Run = {
  name: "corpus",
  what: "a folder of real fixes: a livepatch of each is built, and tried in a virtual machine",
  words: {
    corpus: { value: "DIR", what: "the folder: manifest.json and patches/" },
    kernel: { ...COMMON.kernel, what: "the one of the manifest unless given" },
    class: { value: "NAME", what: "fixes of this class of the manifest" },
    sample: { ...COMMON.sample, what: "so many fixes, chosen by the seed", short: "5" },
    seed: COMMON.seed,
    limit: COMMON.limit,
    "no-headers": { what: "without fixes of include/, which may have a thousand objects preprocessed" },
    "no-try": { what: "only built" },
  },
  kernel: async (context) => readManifest(folderOf(context)).release,
  async run(context) {
    const { task, options, kept, cache } = context;
    const folder = folderOf(context);
    mkdirSync(join(context.folder, "modules"), { recursive: true });
    const fixes = chosen(context, readManifest(folder).patches);
    const kernel = await context.kernel();
    const trials = options.flag("no-try") ? undefined : new Trials(task, kernel.target, cache);
    try {
      for (const fix of fixes) {
        context.names.add(fix.name);
        const known = kept.get(fix.name);
        const module = join(context.folder, "modules", `${fix.name}.ko`);
        if (known !== undefined && !(known.outcome === "built" && trials !== undefined)) continue;
        const built = (known as FixResult | undefined) ?? (await buildFix(task, kernel, fix, folder, module));
        if (built.outcome !== "built" || trials === undefined) context.add(built);
        // Tried beside the next build.
        else await trials.add(built, module, (result) => context.add(result));
      }
      await trials?.finish();
    } finally {
      await trials?.stop();
      context.more = { ...summarise(fixes, kept) };
    }
  },
};

function folderOf({ options }: RunContext): string {
  const folder = options.text("corpus");
  if (folder === undefined) throw new WrongUse("--corpus DIR is missing: the folder of real fixes");
  return folder;
}

function chosen({ options, isWanted }: RunContext, patches: readonly Fix[]): Fix[] {
  const kind = options.text("class");
  const suitable = patches.filter(
    (fix) =>
      !((options.flag("no-headers") || options.flag("short")) && fix.files.some((file) => file.startsWith("include/"))) &&
      isWanted(fix.name) &&
      (kind === undefined || fix.class === kind),
  );
  const sample = new Set(new Random(options.number("seed")).shuffled(suitable).slice(0, options.number("sample")));
  return suitable.filter((fix) => sample.has(fix)).slice(0, options.number("limit"));
}
