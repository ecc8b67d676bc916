/**
 * Livepatches that take the place of others: what a livepatch was made of stands in its manifest, so that the next one can be made of the same and
 * more. It contains all that the old one does, knows its states, and frees its shadow variables when it goes.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { sha256 } from "@suture/files";
import type { KernelContext } from "@suture/kbuild";
import { inspect } from "@suture/livepatch";
import type { Made, Manifest } from "@suture/protocol";
import { fail } from "./errors.ts";
import type { BuildOptions, Carried, Predecessor } from "./options.ts";
import { parseSourcePatch } from "./patch/read.ts";

/** @throws BUILD_UPON, ELF_*, KLP_* */
export async function readPredecessor(path: string): Promise<Predecessor> {
  const bytes = await readFile(path);
  const file = basename(path);
  const { manifest, faults } = inspect(bytes, path);
  if (faults.length > 0) throw fail("BUILD_UPON", faults.join("; "), { file: path });
  const made = manifest?.made;
  if (manifest === undefined || made === undefined) throw fail("BUILD_UPON", "it does not say what it was made of", { file: path });
  return {
    file,
    sha256: sha256(bytes),
    kernel: manifest.kernel,
    patches: await Promise.all(made.patches.map(({ name, text }) => parseSourcePatch(Buffer.from(text, "latin1"), name))),
    sources: made.sources.map(({ name, text, beside }) => ({
      name,
      bytes: Buffer.from(text, "latin1"),
      folder: undefined,
      beside: beside.map((file) => ({ name: file.name, bytes: Buffer.from(file.text, "latin1") })),
    })),
    rebuild: made.rebuild,
    acceptLayouts: made.acceptLayouts,
    acceptInits: made.acceptInits ?? [],
    acceptData: made.acceptData ?? [],
    shadows: made.shadows ?? [],
    holes: made.holes ?? [],
    redirects: made.redirects ?? [],
    // Whoever changes the same words, or redirects the same functions, says so itself; who does not may not take the place of one that does.
    states: (manifest.states ?? []).filter(
      ({ id }) =>
        ![...(manifest.live ?? []), ...(manifest.members ?? []), ...(manifest.holes ?? []), ...(manifest.redirects ?? [])].some(
          ({ state }) => state === id,
        ),
    ),
    carried: carriedBy(manifest),
    level: levelIn(manifest),
  };
}

/** The old one's patches come first. @throws BUILD_UPON */
export function withPredecessor(options: BuildOptions, kernel: KernelContext): BuildOptions {
  const { predecessor } = options;
  if (predecessor === undefined) return options;
  checkKernel(predecessor, kernel);
  for (const { name, bytes } of [...options.patches, ...(options.sources ?? [])]) {
    const twin = [...predecessor.patches, ...predecessor.sources].find((other) => Buffer.from(other.bytes).equals(bytes));
    if (twin !== undefined)
      throw fail("BUILD_UPON", `it contains ${name} already${twin.name === name ? "" : `, as ${twin.name}`}`, { file: predecessor.file });
  }
  return {
    ...options,
    patches: [...predecessor.patches, ...options.patches],
    // A source of the same name is the old one's next version.
    sources: [...predecessor.sources.filter(({ name }) => !options.sources?.some((own) => own.name === name)), ...(options.sources ?? [])],
    ...(options.rebuild === undefined && predecessor.rebuild.length === 0
      ? {}
      : { rebuild: [...predecessor.rebuild, ...(options.rebuild ?? [])] }),
    acceptLayouts: [...predecessor.acceptLayouts, ...(options.acceptLayouts ?? [])],
    acceptInits: [...predecessor.acceptInits, ...(options.acceptInits ?? [])],
    acceptData: [...predecessor.acceptData, ...(options.acceptData ?? [])],
    shadows: [...predecessor.shadows, ...(options.shadows ?? [])],
    holes: [...predecessor.holes, ...(options.holes ?? [])],
    redirects: [...predecessor.redirects, ...(options.redirects ?? [])],
    states: [...predecessor.states, ...(options.states ?? [])],
    replace: true,
  };
}

/**
 * What an earlier catch-up carried is part of the newer release; what was accepted for it was said of other code. Other patches cannot be told from
 * the release's own.
 * @throws BUILD_UPON
 */
export function catchUpBefore(predecessor: Predecessor, kernel: KernelContext): Predecessor {
  checkKernel(predecessor, kernel);
  const { patches, sources, rebuild, carried, file } = predecessor;
  if (patches.length > 1 || sources.length > 0 || rebuild.length > 0 || carried === undefined)
    throw fail(
      "BUILD_UPON",
      "it carries more than a catch-up: what of that the newer release has already cannot be told",
      { file },
      {
        mend: "Load the new livepatch by `suture replace` if the release has those fixes; otherwise build them upon the new one: suture build --upon.",
      },
    );
  return { ...predecessor, patches: [], acceptLayouts: [], acceptInits: [], acceptData: [], shadows: [], holes: [], redirects: [] };
}

/** Undefined where it is no catch-up. */
function carriedBy({
  catchUp,
  functions,
  account,
  made,
}: Pick<Manifest, "catchUp" | "functions" | "account" | "made">): Carried | undefined {
  if (catchUp === undefined) return undefined;
  return {
    functions: functions.map(({ owner, name }) => `${owner}:${name}`),
    commits: catchUp.from === "git" ? catchUp.units.filter(({ state }) => state === "carried").map(({ title }) => title) : [],
    cves: account?.carried ?? [],
    words: [...(made?.acceptData ?? []), ...(made?.redirects ?? []), ...(made?.holes ?? [])],
  };
}

const levelIn = ({ catchUp, account }: Pick<Manifest, "catchUp" | "account">): Pick<Manifest, "catchUp" | "account"> => ({
  ...(catchUp === undefined ? {} : { catchUp }),
  ...(account === undefined ? {} : { account }),
});

/** What a catch-up says of the release and of CVEs is so of what is built upon it as well, where that replaces all that it did. */
export function levelKept(
  predecessor: Predecessor | undefined,
  { functions }: Pick<Manifest, "functions">,
): Pick<Manifest, "catchUp" | "account"> | undefined {
  if (predecessor?.level?.catchUp === undefined) return {};
  return lostOf(predecessor, { ...predecessor.level, functions }).functions.length === 0 ? predecessor.level : undefined;
}

/** What a catch-up carries that the one in its place does not: that goes from the kernel when it is replaced. */
export function lostOf({ carried }: Predecessor, manifest: Pick<Manifest, "catchUp" | "functions" | "account" | "made">): Carried {
  const now = carriedBy(manifest);
  const without = (before: readonly string[] = [], after: readonly string[] = []): string[] => {
    const kept = new Set(after);
    return [...new Set(before)].filter((one) => !kept.has(one));
  };
  return {
    functions: without(carried?.functions, now?.functions),
    commits: without(carried?.commits, now?.commits),
    // Without an account nothing is known of them.
    cves: now === undefined || manifest.account === undefined ? [] : without(carried?.cves, now.cves),
    words: without(carried?.words, now?.words),
  };
}

function checkKernel({ kernel: of, file }: Predecessor, kernel: KernelContext): void {
  const { release, buildId } = kernel.image;
  if (of.buildId !== buildId)
    throw fail("BUILD_UPON", `it is for ${of.release} with build-id ${of.buildId}, not for ${release} with ${buildId}`, { file });
}

/** For the manifest. */
export function madeOf({
  patches,
  sources = [],
  rebuild = [],
  acceptLayouts = [],
  acceptInits = [],
  acceptData = [],
  shadows = [],
  holes = [],
  redirects = [],
}: BuildOptions): Made {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
  return {
    patches: patches.map(({ name, bytes }) => ({ name, text: text(bytes) })),
    sources: sources.map(({ name, bytes, beside }) => ({
      name,
      text: text(bytes),
      beside: beside.map((file) => ({ name: file.name, text: text(file.bytes) })),
    })),
    rebuild: [...rebuild],
    acceptLayouts: [...acceptLayouts],
    ...(acceptInits.length === 0 ? {} : { acceptInits: [...acceptInits] }),
    ...(acceptData.length === 0 ? {} : { acceptData: [...acceptData] }),
    ...(shadows.length === 0 ? {} : { shadows: [...shadows] }),
    ...(holes.length === 0 ? {} : { holes: [...holes] }),
    ...(redirects.length === 0 ? {} : { redirects: [...redirects] }),
  };
}
