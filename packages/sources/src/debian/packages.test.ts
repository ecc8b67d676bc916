import { expect, test } from "vitest";
import { parseDependencies, parseRecords } from "./packages.ts";

const SHA = "ab".repeat(32);

const SIGNED = `Package: linux-image-5.4.0-7-cloud-amd64
Source: linux-signed-amd64 (5.4.11+2)
Version: 5.4.11-2
Installed-Size: 105390
Architecture: amd64
Depends: kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool
Description: Linux 5.4 for x86-64 cloud (signed)
 A text of
 several lines: with a colon
Built-Using: linux (= 5.4.11-2)
Filename: pool/main/l/linux-signed-amd64/linux-image-5.4.0-7-cloud-amd64_5.4.11-2_amd64.deb
Size: 26639112
SHA256: ${SHA}`;

const HEADERS = `Package: linux-headers-5.4.0-7-cloud-amd64
Source: linux
Version: 5.4.11-2
Architecture: amd64
Filename: pool/x.deb
Size: 10
SHA256: ${SHA}`;

test("a signed image is from the source of what was signed, others from that of the package", () => {
  const [image, headers] = parseRecords(`${SIGNED}\n\n${HEADERS}\n\n`);
  expect(image).toMatchObject({
    name: "linux-image-5.4.0-7-cloud-amd64",
    version: "5.4.11-2",
    architecture: "amd64",
    source: { name: "linux", version: "5.4.11-2" },
    download: { size: 26639112, sha256: SHA },
  });
  expect(headers?.source).toEqual({ name: "linux", version: "5.4.11-2" });
});

test("the version of the source may be given, and the name be the package's own", () => {
  const of = (fields: string) => parseRecords(`Package: p\nVersion: 2\nArchitecture: all\n${fields}`)[0]?.source;
  expect(of("Source: s (1:3)")).toEqual({ name: "s", version: "1:3" });
  expect(of("Size: 1")).toEqual({ name: "p", version: "2" });
});

test("what is only installed, or has no SHA-256, cannot be downloaded", () => {
  const of = (fields: string) => parseRecords(`Package: p\nVersion: 2\nArchitecture: all\n${fields}`)[0]?.download;
  expect(of("Status: install ok installed")).toBeUndefined();
  expect(of("Filename: pool/p.deb\nSize: 5\nMD5sum: 00")).toBeUndefined();
  expect(of(`Filename: pool/p.deb\nSize: many\nSHA256: ${SHA}`)).toBeUndefined();
  expect(of(`Filename: pool/p.deb\nSize: 5\nSHA256: ${SHA}`)).toEqual({ size: 5, sha256: SHA });
});

test("records that are none are left out", () => {
  expect(parseRecords("")).toEqual([]);
  expect(parseRecords("N: a note of apt\n\nPackage: p\nVersion: 1")).toEqual([]);
});

test("dependencies with alternatives, relations and architectures", () => {
  expect(parseDependencies("a (= 1-2), b:any | c (>= 3~), d")).toEqual([
    [{ name: "a", relation: "=", version: "1-2" }],
    [
      { name: "b", relation: undefined, version: undefined },
      { name: "c", relation: ">=", version: "3~" },
    ],
    [{ name: "d", relation: undefined, version: undefined }],
  ]);
  expect(parseDependencies(undefined)).toEqual([]);
});
