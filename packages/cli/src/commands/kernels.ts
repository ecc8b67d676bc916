import { kernelsDocument } from "@suture/protocol";
import type { KernelList, ListedKernel, Suite } from "@suture/sources";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { cacheDirectory } from "../kernel-option.ts";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

interface Options {
  suite?: string;
  flavour?: string;
  all?: boolean;
}

export const kernelsCommand: AddCommand = (program, run) => {
  program
    .command("kernels")
    .description("what can be targeted: the running kernel, those installed, those in Debian's archive, of all its suites")
    .option("--suite <name>", "only kernels of that suite of Debian: bullseye, bookworm, trixie, trixie-backports, forky, sid")
    .option("--flavour <name>", "only kernels of that flavour: cloud-amd64, amd64, rt-amd64")
    .option("--all", "also older ones, and those that cannot be built for")
    .action(
      run(async (task, options: Options) => {
        const { listKernels, SUITES, suiteNamed } = await import("@suture/sources");
        const all = await listKernels(task, { cache: cacheDirectory(), suites: suitesOf(options, SUITES, suiteNamed) });
        const found = chosen(all, options);
        return { document: kernelsDocument.of(documentOf(found)), text: safeText(kernelsText(found, options, cachedIn(all))) };
      }),
    );
};

/** @throws CLI_USAGE */
function suitesOf({ suite }: Options, all: readonly Suite[], named: (name: string) => Suite | undefined): readonly Suite[] {
  if (suite === undefined) return all;
  const found = named(suite);
  if (found === undefined)
    throw fail("CLI_USAGE", `--suite ${suite} is no suite that has kernels: they are ${all.map(({ name }) => name).join(", ")}`);
  return [found];
}

function chosen(list: KernelList, { suite, flavour }: Options): KernelList {
  const fits = (kernel: ListedKernel): boolean =>
    (suite === undefined || kernel.suite === suite) && (flavour === undefined || flavourOf(kernel.release) === flavour);
  return { ...list, installed: list.installed.filter(fits), archive: list.archive.filter(fits) };
}

function cachedIn({ running, installed, archive }: KernelList): number {
  return new Set([running, ...installed, ...archive].filter(({ cached }) => cached !== undefined)).size;
}

/** What a release has behind its version, as Debian names kernels: `cloud-amd64`. */
export function flavourOf(release: string): string {
  return /^\d+\.\d+\.\d+[^-]*(?:-[\d.]+(?:\.deb\d+\.\d+)?)?-(.*)$/.exec(release)?.[1] ?? release;
}

function documentOf({ lists: { published, note, suites }, ...found }: KernelList) {
  const told = suites.map(({ suite, published: at, note: of }) => ({ suite, published: at, note: of }));
  return { ...found, lists: { published, note, suites: told } };
}

function kernelsText({ running, installed, archive, cache, lists }: KernelList, options: Options, cached: number): string {
  const kernels = [
    ...new Set([...(options.suite === undefined && options.flavour === undefined ? [running] : []), ...installed, ...archive]),
  ];
  const ready = kernels.filter((kernel) => problems(kernel).length === 0);
  const shown = options.all === true ? kernels : worthShowing(kernels, options.suite !== undefined);
  const notes = [...(lists.note === undefined ? [] : [lists.note]), ...new Set(lists.suites.flatMap(({ note }) => note ?? []))];
  return partsText([
    fieldsText([
      ["running", `${running.release}${running.version === undefined ? "" : ` (${running.version})`}: ${verdict(running)}`],
      ["cache", `${cache.path}, ${bytesText(cache.bytes)} for ${countText(cached, "kernel")}`],
      ...notes.map((note) => ["note", note] as [string, string]),
    ]),
    headedText(
      `${ready.length} of ${countText(kernels.length, "kernel")} can be built for`,
      tableText(
        ["release", "suite", "where", "package", "livepatch", "source", "headers", "compiler", "in the cache"],
        shown.map((kernel) => [
          kernel.release,
          kernel.suite ?? "",
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
    notShownText(kernels, shown),
  ]);
}

/**
 * What is here, and of the archive the newest of each series and flavour of a suite: of one suite all that can be built for.
 * @param kernels the newest first
 */
export function worthShowing(kernels: readonly ListedKernel[], ofOneSuite: boolean): ListedKernel[] {
  const seen = new Set<string>();
  return kernels.filter((kernel) => {
    const here = kernel.running || kernel.installed || kernel.cached !== undefined;
    if (problems(kernel).length > 0) return here;
    const kind = [kernel.suite ?? "", /^\d+\.\d+/.exec(kernel.release)?.[0] ?? "", flavourOf(kernel.release)].join(" ");
    const isNewest = !seen.has(kind);
    seen.add(kind);
    return here || ofOneSuite || isNewest;
  });
}

function notShownText(kernels: readonly ListedKernel[], shown: readonly ListedKernel[]): string {
  const left = kernels.filter((kernel) => !shown.includes(kernel));
  if (left.length === 0) return "";
  const older = left.filter((kernel) => problems(kernel).length === 0).length;
  const kinds = [
    ...(older === 0 ? [] : [`${older} older`]),
    ...(left.length === older ? [] : [`${left.length - older} that cannot be built for`]),
  ];
  return `not shown: ${kinds.join(", ")}; --all shows them`;
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
  if (compiler.installed) return compiler.name;
  return compiler.cached.length === 0 ? `${compiler.name}, to be fetched` : `${compiler.name}, in the cache`;
}

function verdict(kernel: ListedKernel): string {
  const found = problems(kernel);
  return found.length === 0 ? "can be built for" : `cannot be built for: ${found.join("; ")}`;
}

/** Why a kernel cannot be built for. */
function problems(kernel: ListedKernel): string[] {
  const { compiler } = kernel;
  const cannot = (kernel.obstacles ?? []).map((option) => `${option} is needed for livepatching`);
  if (kernel.archived && kernel.source && kernel.headers) return cannot;
  if (kernel.cached !== undefined) {
    const here = compiler === undefined || compiler.installed || compiler.cached.length > 0;
    return here ? cannot : [...cannot, `${compiler.name} is not installed`];
  }
  if (!kernel.archived) return [...cannot, "the archive does not have it"];
  return [
    ...cannot,
    ...(kernel.source ? [] : ["the archive does not have its source any more"]),
    ...(kernel.headers ? [] : ["the archive does not have its headers any more"]),
  ];
}
