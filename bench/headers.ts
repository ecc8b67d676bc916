/** Real fixes of the kernel's wide headers against gcc and objtool alone on the objects that come out otherwise, in the same run. */
import { join } from "node:path";
import { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { readManifest } from "../qualification/corpus/manifest.ts";
import { corpusOr, timed, withoutObjects } from "./fixes.ts";
import { row } from "./text.ts";
import { compileAlone } from "./warm.ts";

const COUNT = 14;

export async function headers(corpus: string | undefined, cache: string, folder: string): Promise<void> {
  const given = corpusOr(corpus, "headers");
  if (given === undefined) return;
  const { release, patches } = readManifest(given);
  const target = await prepareTarget(new Task(), release, { cache });
  const kernel = await KernelContext.open(new Task(), target, withoutObjects(cache, folder));
  const isWide = (file: string): boolean => /^include\/(?:linux|net)\//.test(file);
  const wide = patches.filter(({ files }) => files.some(isWide));
  console.log(
    `\nfixes of wide headers of ${given}, ${release} (${kernel.commands.sources.length} C files): nothing was compiled before, the index of names is there`,
  );
  console.log(row(["fix", "objects", "gcc+objtool", "build", "ratio", "names", "preprocess", "compile", "outcome"]));
  try {
    for (const fix of wide.slice(0, COUNT)) {
      const options = { patches: [await readPatch(join(given, fix.patch))], replace: false, unproven: false };
      const built = await timed((task) => buildLivepatch(task, kernel, options));
      const alone = fix.objects.reduce((sum, { object }) => sum + compileAlone(kernel, object, folder), 0);
      const stage = (name: string): string => `${((built.stages.get(name) ?? 0) / 1000).toFixed(1)} s`;
      console.log(
        row([
          fix.name.slice(0, 24),
          String(fix.objects.length),
          `${(alone / 1000).toFixed(1)} s`,
          `${(built.ms / 1000).toFixed(1)} s`,
          (built.ms / alone).toFixed(1),
          stage("names"),
          stage("preprocess"),
          stage("compile"),
          built.refused ?? "built",
        ]),
      );
    }
  } finally {
    kernel.close();
  }
}
