/**
 * Livepatches that take the place of others: what a livepatch was made of stands in its manifest, so that the next one can be made of the same and
 * more. It contains all that the old one does, knows its states, and frees its shadow variables when it goes.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { sha256 } from "@suture/files";
import type { KernelContext } from "@suture/kbuild";
import { inspect } from "@suture/livepatch";
import type { Made } from "@suture/protocol";
import { fail } from "./errors.ts";
import type { BuildOptions, Upon } from "./options.ts";
import { parseSourcePatch } from "./patch/read.ts";

/** @throws BUILD_UPON, ELF_*, KLP_* */
export async function readUpon(path: string): Promise<Upon> {
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
    states: manifest.states ?? [],
  };
}

/** The old one's patches come first. @throws BUILD_UPON */
export function withUpon(options: BuildOptions, kernel: KernelContext): BuildOptions {
  const { upon } = options;
  if (upon === undefined) return options;
  const { release, buildId } = kernel.image;
  if (upon.kernel.buildId !== buildId)
    throw fail("BUILD_UPON", `it is for ${upon.kernel.release} with build-id ${upon.kernel.buildId}, not for ${release} with ${buildId}`, {
      file: upon.file,
    });
  for (const { name, bytes } of [...options.patches, ...(options.sources ?? [])]) {
    const twin = [...upon.patches, ...upon.sources].find((other) => Buffer.from(other.bytes).equals(bytes));
    if (twin !== undefined)
      throw fail("BUILD_UPON", `it contains ${name} already${twin.name === name ? "" : `, as ${twin.name}`}`, { file: upon.file });
  }
  return {
    ...options,
    patches: [...upon.patches, ...options.patches],
    // A source of the same name is the old one's next version.
    sources: [...upon.sources.filter(({ name }) => !options.sources?.some((own) => own.name === name)), ...(options.sources ?? [])],
    ...(options.rebuild === undefined && upon.rebuild.length === 0 ? {} : { rebuild: [...upon.rebuild, ...(options.rebuild ?? [])] }),
    acceptLayouts: [...upon.acceptLayouts, ...(options.acceptLayouts ?? [])],
    acceptInits: [...upon.acceptInits, ...(options.acceptInits ?? [])],
    states: [...upon.states, ...(options.states ?? [])],
    replace: true,
  };
}

/** For the manifest. */
export function madeOf({ patches, sources = [], rebuild = [], acceptLayouts = [], acceptInits = [] }: BuildOptions): Made {
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
  };
}
