import { codeOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { dropped } from "./find.ts";
import { suitesIn } from "./list.ts";
import { mirrorsOf, type Target } from "./mirrors.ts";
import { sourcesText } from "./suite-lists.ts";
import { SUITES, suiteNamed, suitesOf } from "./suites.ts";

const names = (release: string): string[] => suitesOf(release).map(({ name }) => name);

test("a release says which Debian it is of, and only those suites are asked", () => {
  expect(names("5.4.11+deb13-cloud-amd64")).toEqual(["trixie-backports", "trixie"]);
  expect(names("5.4.11+deb14-amd64")).toEqual(["sid", "forky"]);
  expect(names("5.4.0-7-amd64")).toEqual(["bookworm", "bullseye"]);
  expect(names("5.4.0-0.deb11.7-amd64")).toEqual(["bullseye"]);
  for (const other of ["5.4.0", "5.4.0-gvisor", "5.4.0-7-generic", "linux-amd64"]) expect(names(other), other).toEqual([]);
});

test("the suite that has another's compilers is there", () => {
  for (const { compilers } of SUITES) if (compilers !== undefined) expect(suiteNamed(compilers)?.name).toBe(compilers);
});

const target = (uri: string, label: string): Target => ({ uri, suite: "s", label, list: "" });

test("mirrors are those of the machine's sources that are Debian's, by what their lists say of themselves", () => {
  const other = target("https://packages.example/debian/", "Example");
  expect(mirrorsOf([other, target("http://m.example/d/", "Debian"), target("http://m.example/s/", "Debian-Security")])).toEqual({
    main: "http://m.example/d/",
    security: "http://m.example/s/",
  });
  expect(mirrorsOf([target("http://m.example/debian/", "$(LABEL)")])).toEqual({
    main: "http://m.example/debian/",
    security: "http://deb.debian.org/debian-security/",
  });
});

test("without a mirror of Debian's there is none", async () => {
  expect(await codeOf(async () => mirrorsOf([target("https://packages.example/debian/", "Example")]))).toBe("ARCHIVE_NO_MIRROR");
  expect(await codeOf(async () => mirrorsOf([]))).toBe("ARCHIVE_NO_MIRROR");
});

test("apt is told of a suite with its parts, each from its mirror, and of the keys that vouch for them", () => {
  const suite = { name: "x", number: 1, namesNumber: true, main: ["x", "x-updates"], security: ["x-security"] };
  const mirrors = { main: "http://m/debian/", security: "http://m/debian-security/" };
  const text = sourcesText(suite, mirrors, "/k.gpg");
  expect(text.split("\n\n").map((part) => part.split("\n").slice(1, 3))).toEqual([
    ["URIs: http://m/debian/", "Suites: x x-updates"],
    ["URIs: http://m/debian-security/", "Suites: x-security"],
  ]);
  expect(text.match(/^Signed-By: \/k\.gpg$/gm)).toHaveLength(2);
  expect(text).not.toMatch(/trusted|allow/i);
  expect(sourcesText({ ...suite, security: [] }, mirrors, "/k.gpg")).not.toContain("debian-security");
});

test("which suite has a version is read out of what apt says of its places", () => {
  const suiteOf = suitesIn(
    [
      "linux-image-5.4.0-7-amd64 |  5.4.11-2 | http://m/debian-security bookworm-security/main amd64 Packages",
      "linux-image-5.4.0-7-amd64 |  5.4.11-1 | http://m/debian bookworm/main amd64 Packages",
      "linux-image-5.4.0-7-amd64 |  5.4.11-9 | http://m/other stable/main amd64 Packages",
    ].join("\n"),
  );
  expect(suiteOf("linux-image-5.4.0-7-amd64", "5.4.11-2")).toBe("bookworm");
  expect(suiteOf("linux-image-5.4.0-7-amd64", "5.4.11-1")).toBe("bookworm");
  expect(suiteOf("linux-image-5.4.0-7-amd64", "5.4.11-9")).toBeUndefined();
});

test("of a kernel that left the archive is said where it was looked for, how old that is, and what is left to do", () => {
  const old = "what the mirror has of bullseye is 76 days old (2026-09-12)";
  const refusal = dropped("5.4.0-7-amd64", "5.4.1-2", [
    { name: "bookworm", note: undefined },
    { name: "bullseye", note: old },
  ]);
  expect([refusal.code, refusal.where?.file]).toEqual(["KERNEL_NOT_FOUND", "5.4.0-7-amd64"]);
  expect(refusal.message).toContain(`linux-image-5.4.0-7-amd64 5.4.1-2, nor has the mirror one in bookworm or bullseye; ${old}`);
  expect(refusal.mend).toMatch(/`suture kernels --suite bookworm --all`.*snapshot\.debian\.org.*--tree/);
  expect(refusal.mend).not.toContain("apt-get update");
});
