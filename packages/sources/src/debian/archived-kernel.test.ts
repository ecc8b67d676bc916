import { SutureError } from "@suture/errors";
import { expect, test } from "vitest";
import { Archive } from "./archive.ts";
import { archivedKernels, findKernel } from "./archived-kernel.ts";
import { parseRecords } from "./packages.ts";

const SHA = "0".repeat(64);

function record(name: string, version: string, fields: Record<string, string> = {}): string {
  const all = {
    Package: name,
    Version: version,
    Architecture: "amd64",
    Source: "linux",
    Filename: "x.deb",
    Size: "1",
    SHA256: SHA,
    ...fields,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}: ${value}`)
    .join("\n");
}

const headers = (release: string, version: string, common: string, kbuild: string): string =>
  record(`linux-headers-${release}`, version, {
    Depends: `linux-headers-${common} (= ${version}), ${kbuild}, linux-compiler-gcc-9-x86`,
  });

/** Of one name the newest first, as apt prints them. */
const ARCHIVE = new Archive(
  parseRecords(
    [
      record("linux-image-amd64", "5.4.11-2", { "Built-Using": "linux (= 5.4.11-2)" }),
      record("linux-image-5.4-amd64", "5.4.11-2"),
      record("linux-image-5.4.0-7-amd64", "5.4.11-2", { Source: "linux-signed-amd64 (5.4.11+2)", "Built-Using": "linux (= 5.4.11-2)" }),
      record("linux-image-5.4.0-7-amd64-unsigned", "5.4.11-2"),
      record("linux-image-5.4.0-7-rt-amd64", "5.4.11-2", { "Built-Using": "linux (= 5.4.11-2)" }),
      record("linux-image-5.4.0-6-amd64", "5.4.9-2", { "Built-Using": "linux (= 5.4.9-2)" }),
      record("linux-image-5.4.0-6-amd64", "5.4.9-1", { "Built-Using": "linux (= 5.4.9-1)" }),
      record("linux-image-5.4.0-5-amd64", "5.4.8-1", { "Built-Using": "linux (= 5.4.8-1)" }),
      record("linux-image-5.4.0-4-amd64", "5.4.7-1", { "Built-Using": "linux (= 5.4.7-1)" }),
      "Package: linux-image-5.4.0-3-amd64\nVersion: 5.4.6-1\nArchitecture: amd64\nStatus: install ok installed",
      headers("5.4.0-7-amd64", "5.4.11-2", "5.4.0-7-common", "linux-kbuild-5.4 (>= 5.4.11-2)"),
      headers("5.4.0-7-rt-amd64", "5.4.11-2", "5.4.0-7-common-rt", "linux-kbuild-5.4 (>= 5.4.11-2)"),
      headers("5.4.0-6-amd64", "5.4.9-2", "5.4.0-6-common", "linux-kbuild-5.4 (>= 5.4.9-2)"),
      headers("5.4.0-6-amd64", "5.4.9-1", "5.4.0-6-common", "linux-kbuild-5.4 (>= 5.4.9-1)"),
      headers("5.4.0-5-amd64", "5.4.8-1", "5.4.0-5-common", "linux-kbuild-5.4 (>= 5.4.8-1)"),
      record("linux-source-5.4", "5.4.11-2"),
      record("linux-source-5.4", "5.4.9-2"),
      record("linux-source-5.4", "5.4.9-1"),
      record("linux-source-5.4", "5.4.7-1"),
      record("linux-source-5.9", "5.4.8-1", { Source: "linux-5.9" }),
      record("linux-kbuild-5.4", "5.4.11-2"),
      record("linux-kbuild-5.4", "5.4.9-1"),
    ].join("\n\n"),
  ),
);

test("every image, not what only depends on one, the newest first", () => {
  expect(archivedKernels(ARCHIVE).map((k) => `${k.release} ${k.image.version}`)).toEqual([
    "5.4.0-7-rt-amd64 5.4.11-2",
    "5.4.0-7-amd64 5.4.11-2",
    "5.4.0-6-amd64 5.4.9-2",
    "5.4.0-6-amd64 5.4.9-1",
    "5.4.0-5-amd64 5.4.8-1",
    "5.4.0-4-amd64 5.4.7-1",
    "5.4.0-3-amd64 5.4.6-1",
  ]);
});

test("the compiler and the patches of a flavour are what its headers depend on", () => {
  expect(findKernel(ARCHIVE, "5.4.0-7-amd64", undefined)).toMatchObject({ compiler: "gcc-9", featureset: undefined });
  expect(findKernel(ARCHIVE, "5.4.0-7-rt-amd64", undefined)).toMatchObject({ compiler: "gcc-9", featureset: "rt" });
});

test("a release with several versions is the newest unless one is asked for; all parts are of that version", () => {
  const versions = (version: string | undefined): string[] => {
    const { image, source, headers, kbuild } = findKernel(ARCHIVE, "5.4.0-6-amd64", version);
    return [image, source, headers, kbuild].map((p) => p.version);
  };
  // The build tools of 5.4.9-2 are gone: the newest take their place.
  expect(versions(undefined)).toEqual(["5.4.9-2", "5.4.9-2", "5.4.9-2", "5.4.11-2"]);
  expect(versions("5.4.9-1")).toEqual(["5.4.9-1", "5.4.9-1", "5.4.9-1", "5.4.9-1"]);
});

function refusal(release: string, version?: string): { code: string; why: string } {
  try {
    findKernel(ARCHIVE, release, version);
  } catch (error) {
    if (error instanceof SutureError) return { code: error.code, why: error.message };
    throw error;
  }
  throw new Error("it was found");
}

test("what is missing is told by name", () => {
  expect(refusal("5.4.0-99-amd64")).toEqual({
    code: "KERNEL_NOT_FOUND",
    why: "apt knows no linux-image-5.4.0-99-amd64; the newest that it knows is 5.4.0-7-rt-amd64",
  });
  expect(refusal("5.4.0-6-amd64", "5.4.9-3")).toEqual({
    code: "KERNEL_NOT_FOUND",
    why: "the archive has 5.4.0-6-amd64 in version 5.4.9-2, 5.4.9-1, not in 5.4.9-3",
  });
  expect(refusal("5.4.0-3-amd64").code).toBe("KERNEL_NOT_FOUND");
  expect(refusal("5.4.0-4-amd64").code).toBe("ARCHIVE_NO_HEADERS");
  // A source of that version, but from another source package, is not its source.
  expect(refusal("5.4.0-5-amd64")).toEqual({
    code: "SOURCE_NOT_FOUND",
    why:
      "linux-image-5.4.0-5-amd64 was built from linux 5.4.8-1, and the archive has no linux-source of it; " +
      "it has 5.4.11-2, 5.4.9-2, 5.4.9-1, 5.4.7-1",
  });
});

test("an archive without kernels", () => {
  expect(archivedKernels(new Archive([]))).toEqual([]);
  expect(() => findKernel(new Archive([]), "5.4.0-7-amd64", undefined)).toThrow("apt knows no kernel at all");
});

test("where others hold what the image's package held, they are its files, and say what it was built from", () => {
  const release = "7.4.5+deb0-amd64";
  const parts = (version: string): string[] => [
    record(`linux-image-${release}`, version, {
      Source: `linux-signed-amd64 (${version})`,
      Depends: `linux-base-${release} (= ${version}), linux-binary-${release} (= ${version}), linux-modules-${release} (= ${version})`,
    }),
    record(`linux-binary-${release}`, version, { Source: "linux-signed-amd64", "Built-Using": `linux (= ${version})` }),
    record(`linux-modules-${release}`, version),
    record(`linux-base-${release}`, version),
    record(`linux-headers-${release}`, version, { Depends: "gcc-9-for-host, linux-headers-7.4.5+deb0-common, linux-kbuild-7.4.5+deb0" }),
    record("linux-kbuild-7.4.5+deb0", version),
    record("linux-source-7.4", version),
  ];
  const archive = new Archive(parseRecords([...parts("7.4.5-2"), ...parts("7.4.5-1")].join("\n\n")));
  const kernel = findKernel(archive, release, "7.4.5-1");
  expect(kernel.files.map(({ name, version }) => `${name} ${version}`)).toEqual(
    ["binary", "modules", "base"].map((part) => `linux-${part}-${release} 7.4.5-1`),
  );
  expect(kernel).toMatchObject({ source: { version: "7.4.5-1" }, compiler: "gcc-9", featureset: undefined });
  expect(findKernel(ARCHIVE, "5.4.0-7-amd64", undefined).files.map(({ name }) => name)).toEqual(["linux-image-5.4.0-7-amd64"]);
});
