import { kernelsDocument } from "@suture/protocol";
import type { KernelList, ListedKernel } from "@suture/sources";
import type { AddCommand } from "../answer.ts";
import { cacheDirectory } from "../kernel-option.ts";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

export const kernelsCommand: AddCommand = (program, run) => {
  program
    .command("kernels")
    .description("what can be targeted: the running kernel, those installed, those in the archive")
    .action(
      run(async (task) => {
        const { listKernels } = await import("@suture/sources");
        const found = await listKernels(task, { cache: cacheDirectory() });
        return { document: kernelsDocument.of(documentOf(found)), text: safeText(kernelsText(found)) };
      }),
    );
};

function documentOf({ lists: { published, note }, ...found }: KernelList) {
  return { ...found, lists: { published, note } };
}

function kernelsText({ running, installed, archive, cache, lists }: KernelList): string {
  const kernels = [...new Set([running, ...installed, ...archive])];
  const ready = kernels.filter((kernel) => problems(kernel).length === 0);
  return partsText([
    fieldsText([
      ["running", `${running.release}${running.version === undefined ? "" : ` (${running.version})`}: ${verdict(running)}`],
      [
        "cache",
        `${cache.path}, ${bytesText(cache.bytes)} for ${countText(kernels.filter((k) => k.cached !== undefined).length, "kernel")}`,
      ],
      ...(lists.note === undefined ? [] : [["note", lists.note] as [string, string]]),
    ]),
    headedText(
      `${ready.length} of ${countText(kernels.length, "kernel")} can be built for`,
      tableText(
        ["release", "where", "package", "livepatch", "source", "headers", "compiler", "in the cache"],
        kernels.map((kernel) => [
          kernel.release,
          placesOf(kernel),
          kernel.version ?? "",
          livepatchText(kernel),
          sourceText(kernel),
          kernel.headers ? "yes" : notNeeded(kernel),
          compilerText(kernel),
          kernel.cached === undefined ? "" : bytesText(kernel.cached.bytes),
        ]),
      ),
    ),
  ]);
}

function placesOf(kernel: ListedKernel): string {
  const places = (["running", "installed", "archived"] as const).filter((place) => kernel[place]);
  if (places.length === 0) return "cache only";
  return places.map((place) => (place === "archived" ? "archive" : place)).join(", ");
}

/** A kernel whose configuration is not here is not asked about: `suture doctor --kernel` says how to find out. */
function livepatchText({ obstacles }: ListedKernel): string {
  if (obstacles === undefined) return "";
  return obstacles.length === 0 ? "yes" : `no: ${obstacles.join(", ")}`;
}

function sourceText(kernel: ListedKernel): string {
  if (!kernel.source) return notNeeded(kernel);
  return kernel.featureset === undefined ? "yes" : `yes, with patches of ${kernel.featureset}`;
}

/** What is ready in the cache needs nothing of the archive. */
function notNeeded({ cached }: ListedKernel): string {
  return cached === undefined ? "no" : "in the cache";
}

function compilerText({ compiler }: ListedKernel): string {
  if (compiler === undefined) return "";
  return compiler.installed ? compiler.name : `${compiler.name}, not installed`;
}

function verdict(kernel: ListedKernel): string {
  const found = problems(kernel);
  return found.length === 0 ? "can be built for" : `cannot be built for: ${found.join("; ")}`;
}

/** Why a kernel cannot be built for. */
function problems(kernel: ListedKernel): string[] {
  const { compiler } = kernel;
  const cannot = (kernel.obstacles ?? []).map((option) => `${option} is needed for livepatching`);
  const noCompiler = compiler !== undefined && !compiler.installed ? [`${compiler.name} is not installed`] : [];
  if (kernel.cached !== undefined) return [...cannot, ...noCompiler];
  if (!kernel.archived) return [...cannot, "the archive does not have it"];
  return [
    ...cannot,
    ...(kernel.source ? [] : ["the archive does not have its source any more"]),
    ...(kernel.headers ? [] : ["the archive does not have its headers any more"]),
    ...noCompiler,
  ];
}
