/** How a compiler of the cache is named, chosen and called. That it runs is shown in toolchain.e2e.test.ts. */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { isToolchainName, toolchainName } from "../../cache/layout.ts";
import { nearestVersion } from "./packages.ts";
import { packageVersion } from "./toolchain.ts";
import { besideWrapper, compilerWrapper, programWrapper } from "./wrappers.ts";

test("the package's version is read out of what the compiler says of itself", () => {
  expect(packageVersion("gcc-9 (Debian 9.2.0-14+deb9u1) 9.2.0")).toBe("9.2.0-14+deb9u1");
  expect(packageVersion("x86_64-linux-gnu-gcc-9 (Debian 9.2.0-3) 9.2.0")).toBe("9.2.0-3");
  expect(packageVersion("gcc (GCC) 9.2.0")).toBeUndefined();
});

test("the version that was meant is taken, else the next newer one, else the newest", () => {
  expect(nearestVersion(["9.2.0-4", "9.2.0-3", "9.2.0-2"], "9.2.0-3")).toBe("9.2.0-3");
  expect(nearestVersion(["9.2.0-10", "9.2.0-4", "9.2.0-2"], "9.2.0-3")).toBe("9.2.0-4");
  expect(nearestVersion(["9.1.0-1", "9.2.0-2"], "9.2.0-3")).toBe("9.2.0-2");
  expect(nearestVersion([], "9.2.0-3")).toBeUndefined();
});

test("a toolchain is named by the versions of both packages, without epochs", () => {
  const name = toolchainName("gcc-9", "2:9.2.0-3", "2.44-3");
  expect(name).toMatch(/^gcc-9_9\.2\.0-3_2\.44-3_\d+$/);
  expect(isToolchainName(name)).toBe(true);
  expect(isToolchainName(`${name}.0123456789ab.unfinished`)).toBe(false);
});

/** A program in the loader's place, which prints its own words and what it was not to see. */
function loaderIn(folder: string): { path: string; libraries: string[] } {
  const path = join(folder, "ld.so");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is shell
  writeFileSync(path, '#!/bin/sh\nprintf "%s\\n" "$@" "${LD_LIBRARY_PATH-none}${LD_PRELOAD-none}${GCC_EXEC_PREFIX-none}"\n');
  chmodSync(path, 0o755);
  return { path, libraries: ["/r/usr/lib", "/r/lib"] };
}

test("a wrapper hands on every word as it was, by the folder's own loader and libraries, and nothing of the user's environment", () => {
  const folder = folderOf({});
  const loader = loaderIn(folder);
  const call = (text: string, name: string, ...words: string[]): string[] => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
    const env = { ...process.env, LD_LIBRARY_PATH: "/mine", GCC_EXEC_PREFIX: "/mine" };
    return execFileSync(`./${name}`, words, { cwd: folder, env, encoding: "utf8" }).trimEnd().split("\n");
  };
  const libraries = ["--inhibit-cache", "--library-path", "/r/usr/lib:/r/lib"];
  expect(call(programWrapper(loader, "/r/usr/bin/ld"), "ld", "-o", "a b", "$x", "")).toEqual([
    ...libraries,
    "/r/usr/bin/ld",
    "-o",
    "a b",
    "$x",
    "",
    "nonenonenone",
  ]);
  expect(call(compilerWrapper(loader, "/r/usr/bin/gcc-9", "/r/usr/bin"), "gcc-9", "-DX='a b'").slice(0, -1)).toEqual([
    ...libraries,
    "/r/usr/bin/gcc-9",
    "-wrapper",
    [loader.path, ...libraries].join(","),
    "-B/r/usr/bin/",
    "-DX='a b'",
  ]);
  expect(call(besideWrapper(loader), "modpost", "-m").slice(0, -1)).toEqual(["--argv0", "./modpost", ...libraries, "./modpost.elf", "-m"]);
});
