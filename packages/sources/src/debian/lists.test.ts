import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { codeOf, folderOf } from "@suture/testkit/folders";
import { afterEach, beforeEach, expect, test } from "vitest";
import { kernelPath } from "../cache/layout.ts";
import { listKernels } from "./list.ts";
import { ageNote, listsPublished } from "./lists.ts";
import { newestKernel } from "./newest.ts";
import { SUITES } from "./suites.ts";

const { PATH, XDG_CACHE_HOME } = process.env;
let folder: string;
beforeEach(() => {
  folder = folderOf({});
});
afterEach(() => {
  process.env.PATH = PATH;
  if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
});

test("lists are as old as the newest of them was published", async () => {
  expect(await codeOf(() => listsPublished(folder))).toBe("ARCHIVE_NO_LISTS");
  expect(await codeOf(() => listsPublished(join(folder, "none")))).toBe("ARCHIVE_NO_LISTS");
  writeFileSync(join(folder, "a_dists_x_main_binary-amd64_Packages.lz4"), "");
  expect(await listsPublished(folder)).toBeUndefined();
  writeFileSync(join(folder, "a_dists_x_InRelease"), "Origin: Debian\nDate: Sat, 11 Jul 2026 09:57:56 UTC\n");
  writeFileSync(join(folder, "a_dists_x-security_Release"), "Date: Sun, 12 Jul 2026 00:00:00 UTC\n");
  expect((await listsPublished(folder))?.toISOString()).toBe("2026-07-12T00:00:00.000Z");
});

test("of lists of a week and more it is said how old they are, and what to type", () => {
  const at = new Date("2026-07-12");
  expect(ageNote(undefined, Date.parse("2026-08-01"))).toBeUndefined();
  expect(ageNote(at, Date.parse("2026-07-18T23:59:59Z"))).toBeUndefined();
  expect(ageNote(at, Date.parse("2026-08-01"), "a-suite")).toBe("what the mirror has of a-suite is 20 days old (2026-07-12)");
  expect(ageNote(at, Date.parse("2026-08-01"))).toMatch(/ is 20 days old \(2026-07-12\).*`apt-get update`/);
});

/** Programs in place of apt's and dpkg's, which know nothing. */
function apt(script: string): void {
  for (const [name, text] of [["apt-cache", script] as const, ["dpkg-query", "exit 1"] as const]) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  process.env.PATH = `${folder}:${PATH}`;
}

function cachedKernel(cache: string, release: string, version: string): void {
  const path = kernelPath(cache, release, version);
  mkdirSync(path, { recursive: true });
  const description = { release, version, make: [], compiler: "gcc-9", inputs: [], source: "s", sourceBytes: 7, ownBytes: 5 };
  writeFileSync(join(path, "target.json"), JSON.stringify(description));
}

test("kernels that are ready are listed and chosen although apt does not know them; damaged ones are not", async () => {
  apt("exit 100");
  process.env.XDG_CACHE_HOME = folder;
  const cache = join(folder, "suture");
  cachedKernel(cache, "5.4.0-9-amd64", "5.4.99-1");
  cachedKernel(cache, "5.4.0-10-amd64", "5.4.100-1~deb1u1");
  cachedKernel(cache, "5.4.0-11-amd64", "5.4.101-1");
  writeFileSync(join(kernelPath(cache, "5.4.0-11-amd64", "5.4.101-1"), "target.json"), "");
  const { archive } = await listKernels(new Task(), { cache });
  expect(archive).toMatchObject([
    { release: "5.4.0-10-amd64", archived: false, cached: { bytes: 12 }, compiler: { name: "gcc-9" } },
    { release: "5.4.0-9-amd64", archived: false, cached: { bytes: 12 } },
  ]);
  expect(await newestKernel(new Task(), /^5\.4\..*-amd64$/)).toBe("5.4.0-10-amd64");
});

test("suites whose lists cannot be fetched are told, with why, and what is here is listed all the same", async () => {
  apt("exit 100");
  const cache = join(folder, "suture");
  cachedKernel(cache, "5.4.0-9-amd64", "5.4.99-1");
  const asked = join(folder, "asked");
  writeFileSync(
    join(folder, "apt-get"),
    `#!/bin/sh\ncase "$1" in indextargets) echo "http://m.example/debian/|s|Debian|/none" ;; *) echo >>${asked}; echo "E: no network" >&2; exit 100 ;; esac\n`,
    { mode: 0o755 },
  );
  const { archive, lists } = await listKernels(new Task(), { cache, suites: SUITES });
  expect(archive.map(({ release }) => release)).toEqual(["5.4.0-9-amd64"]);
  expect(lists.suites.map(({ suite }) => suite)).toEqual(SUITES.map(({ name }) => name));
  for (const { refusal, note } of lists.suites) {
    expect(refusal?.code).toBe("ARCHIVE_SUITE");
    expect(note).toContain("no network");
  }
  // The first refusal is enough: each may take as long as it takes to find out that there is no network.
  expect(readFileSync(asked, "utf8")).toBe("\n");
});

test("without apt what is ready is listed, and the refusal is told", async () => {
  const cache = join(folder, "suture");
  cachedKernel(cache, "5.4.0-9-amd64", "5.4.99-1");
  apt("exit 100");
  rmSync(join(folder, "apt-cache"));
  process.env.PATH = folder;
  const { archive, lists } = await listKernels(new Task(), { cache });
  expect(archive.map(({ release }) => release)).toEqual(["5.4.0-9-amd64"]);
  expect(lists.note).toContain("apt-cache");
});
