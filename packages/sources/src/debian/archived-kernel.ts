/** Which packages of the archive belong to one kernel. */
import { compareVersions } from "@suture/protocol";
import { fail } from "../errors.ts";
import type { Archive } from "./archive.ts";
import type { Dependency, Package, SourceName } from "./packages.ts";

/** A kernel's image in the archive with what there is to build for it. */
export interface ArchivedKernel {
  release: string;
  image: Package;
  /** The packages with its files: the image's own, or those that it depends on. */
  files: readonly Package[];
  /** The exact source that the image was built from. */
  source: Package | undefined;
  headers: Package | undefined;
  /** The kernel's own build tools. The archive may have newer ones of the series only. */
  kbuild: Package | undefined;
  /** Undefined where the headers do not say. */
  compiler: string | undefined;
  /** A set of patches on top of the source that the flavour is built with (rt). */
  featureset: string | undefined;
}

/** Packages of the newest (linux-image-FLAVOUR) only depend on the newest image: the name of a real one holds a whole version. */
const IMAGE = /^linux-image-(\d+\.\d+\.\d.*)$/;
const UNSIGNED = /-unsigned$/;

/** Every image that can still be downloaded, or that is installed: the newest release and version first. */
export function archivedKernels(archive: Archive): ArchivedKernel[] {
  return archive
    .names()
    .filter((name) => IMAGE.test(name) && !UNSIGNED.test(name))
    .flatMap((name) => archive.versions(name))
    .sort((a, b) => compareVersions(b.version, a.version) || compareVersions(b.name, a.name))
    .map((image) => archivedKernel(archive, image));
}

function archivedKernel(archive: Archive, image: Package): ArchivedKernel {
  const release = IMAGE.exec(image.name)?.[1] ?? image.name;
  const headers = archive.versions(`linux-headers-${release}`).find((p) => p.version === image.version && p.download !== undefined);
  const common = dependency(headers, /^linux-headers-.*-common(?:-(.+))?$/);
  const compiler = dependency(headers, /^(?:linux-compiler-)?((?:gcc|clang)-\d+)(?:-for-host|-[a-z0-9]+)?$/);
  const files = filesOf(archive, release, image);
  return {
    release,
    image,
    files,
    source: sourceOf(archive, files[0]?.source ?? image.source),
    headers,
    kbuild: kbuildOf(archive, headers),
    compiler: compiler?.match,
    featureset: common?.match,
  };
}

/** Since 6.19 the image's package is empty, and others hold what it held: first the one that says what it was built from. */
function filesOf(archive: Archive, release: string, image: Package): Package[] {
  const parts = ["binary", "modules", "base"].map((part) =>
    archive.versions(`linux-${part}-${release}`).find((p) => p.version === image.version && p.download !== undefined),
  );
  const [binary] = parts;
  const names = new Set(image.depends.flatMap((entry) => entry.map(({ name }) => name)));
  return binary !== undefined && names.has(binary.name) ? parts.filter((p) => p !== undefined) : [image];
}

/** The linux-source package that was built together with the image. */
function sourceOf(archive: Archive, source: SourceName): Package | undefined {
  return archive
    .names()
    .filter((name) => name.startsWith("linux-source-"))
    .flatMap((name) => archive.versions(name))
    .find((p) => p.source.name === source.name && p.version === source.version && p.download !== undefined);
}

/** Of the same version if that is there, else the newest. */
function kbuildOf(archive: Archive, headers: Package | undefined): Package | undefined {
  const needed = dependency(headers, /^linux-kbuild-/);
  if (headers === undefined || needed === undefined) return undefined;
  const there = archive.versions(needed.name).filter((p) => p.download !== undefined);
  return there.find((p) => p.version === headers.version) ?? there[0];
}

function dependency(p: Package | undefined, pattern: RegExp): { name: string; match: string | undefined } | undefined {
  const found = p?.depends.flatMap((entry: Dependency) => entry).find(({ name }) => pattern.test(name));
  return found === undefined ? undefined : { name: found.name, match: pattern.exec(found.name)?.[1] };
}

/** An archived kernel with all that is needed to build for it. */
export interface CompleteKernel extends ArchivedKernel {
  source: Package;
  headers: Package;
  kbuild: Package;
}

/**
 * @param version of the image package, where one release has several. The newest if undefined.
 * @throws KERNEL_NOT_FOUND, SOURCE_NOT_FOUND, ARCHIVE_NO_HEADERS
 */
export function findKernel(archive: Archive, release: string, version: string | undefined): CompleteKernel {
  const all = archivedKernels(archive);
  const ofRelease = all.filter((kernel) => kernel.release === release);
  const found = ofRelease.find((kernel) => version === undefined || kernel.image.version === version);
  if (found === undefined) throw notFound(all, release, version, ofRelease, archive.note);
  const { image, source, headers, kbuild } = found;
  if (image.download === undefined)
    throw fail("KERNEL_NOT_FOUND", `${image.name} ${image.version} is installed, but the archive does not have it any more`, {
      file: image.name,
    });
  if (source === undefined) {
    const others = archive
      .names()
      .filter((name) => name.startsWith("linux-source-"))
      .flatMap((name) => archive.versions(name))
      .filter((p) => p.source.name === image.source.name);
    throw fail(
      "SOURCE_NOT_FOUND",
      `${image.name} was built from ${image.source.name} ${image.source.version}, and the archive has no linux-source of it; ` +
        `it has ${others.length === 0 ? "none" : others.map((p) => p.version).join(", ")}`,
      { file: image.name },
    );
  }
  if (headers === undefined || kbuild === undefined)
    throw fail(
      "ARCHIVE_NO_HEADERS",
      `the archive has no linux-${headers === undefined ? "headers" : "kbuild"} for ${release} ${image.version}`,
      {
        file: image.name,
      },
    );
  return { ...found, source, headers, kbuild };
}

function notFound(
  all: readonly ArchivedKernel[],
  release: string,
  version: string | undefined,
  ofRelease: readonly ArchivedKernel[],
  note: string | undefined,
) {
  const age = note === undefined ? "" : `; ${note}`;
  if (ofRelease.length > 0)
    return fail(
      "KERNEL_NOT_FOUND",
      `the archive has ${release} in version ${ofRelease.map((k) => k.image.version).join(", ")}, not in ${version}${age}`,
      { file: release },
    );
  return fail(
    "KERNEL_NOT_FOUND",
    (all.length === 0
      ? "apt knows no kernel at all"
      : `apt knows no linux-image-${release}; the newest that it knows is ${all[0]?.release}`) + age,
    { file: release },
  );
}
