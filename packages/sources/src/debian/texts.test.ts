/** What is read out of the texts of packages and programs. */
import { homedir } from "node:os";
import { packageVersionOf } from "@suture/protocol";
import { expect, test } from "vitest";
import { cacheRoot, debPath, isKernelName, kernelPath } from "../cache/layout.ts";
import { aptSaid } from "./apt.ts";
import { asSourceList } from "./featureset.ts";
import { generators } from "./generated.ts";
import { makeArguments, parseVariables } from "./tree.ts";

test("the cache is where the specification says", () => {
  expect(cacheRoot({ XDG_CACHE_HOME: "/c" })).toBe("/c/suture");
  for (const env of [{}, { XDG_CACHE_HOME: "" }, { XDG_CACHE_HOME: "relative" }]) expect(cacheRoot(env)).toBe(`${homedir()}/.cache/suture`);
});

test("names in the cache have no epoch, and a kernel's is known again", () => {
  expect(debPath("/c", { name: "p", version: "2:1-1", architecture: "all" })).toBe("/c/debs/p_1-1_all.deb");
  const path = kernelPath("/c", "5.4.0-7-amd64", "5.4.11-2~deb1u1");
  expect(path.startsWith("/c/kernels/")).toBe(true);
  expect(isKernelName(path.slice("/c/kernels/".length))).toBe(true);
  expect(isKernelName(`${path.slice("/c/kernels/".length)}.0123456789ab.unfinished`)).toBe(false);
  expect(isKernelName("5.4.0-7-amd64_5.4.11-2_0")).toBe(false);
});

test("the running package's version is at the end of Debian's banner", () => {
  const banner =
    "Linux version 5.4.0-7-amd64 (debian-kernel@lists.debian.org) (gcc-9 (Debian 9.2.0-1) 9.2.0, GNU ld 2.33) #1 SMP Debian 5.4.11-2";
  expect(packageVersionOf(`${banner} (2020-01-26)\n`)).toBe("5.4.11-2");
  expect(packageVersionOf(`${banner}\n`)).toBe("5.4.11-2");
  expect(packageVersionOf("Linux version 5.4.0 (me@here) (gcc (Debian 9.2.0-1) 9.2.0) #1 SMP Mon Jan 1 00:00:00 UTC 2024")).toBeUndefined();
});

test("the headers say for which architecture and with which compiler", () => {
  const text = "override ARCH = x86\noverride KERNELRELEASE = R\nCC = $(if $(CACHED),$(CCACHE)) $(CROSS_COMPILE)gcc-9\nifneq (a,b)\n";
  expect(parseVariables(text, "f")).toEqual({ arch: "x86", compiler: "gcc-9" });
  expect(() => parseVariables("ARCH = x86\n", "f")).toThrow("does not say CC");
  expect(makeArguments("R", "x86", { kernel: ["CC=gcc-9"], host: "gcc" })).toEqual(
    expect.arrayContaining(["ARCH=x86", "KERNELRELEASE=R", "CC=gcc-9", "HOSTCC=gcc"]),
  );
});

test("apt's own sources become sources of source packages, in both forms", () => {
  expect(asSourceList("Types: deb\n  deb-src\nURIs: http://d/\n\n# c\nTypes: deb\nURIs: http://e/\n", true)).toBe(
    "Types: deb-src\nURIs: http://d/\n\n# c\nTypes: deb-src\nURIs: http://e/\n",
  );
  expect(asSourceList("Types: deb\nTargets: Packages\nURIs: http://d/\n", true)).toBe("Types: deb-src\nURIs: http://d/\n");
  expect(asSourceList("# c\ndeb [signed-by=/k] http://d s main\ndeb-src http://d s main\n", false)).toBe(
    "deb-src [signed-by=/k] http://d s main\n",
  );
});

test("of what apt prints its errors are told", () => {
  expect(aptSaid(new Error("apt-get x\n  ended with 100:\nW: careful\nE: Failed to fetch a\nE: And b"))).toBe("Failed to fetch a; And b");
  expect(aptSaid(new Error("apt-get is not there"))).toBe("apt-get is not there");
});

test("of the recipes that make prints, those that make sources are run", () => {
  const source = [
    "set -e;  echo '  gcc-9 -Wp,-MMD,lib/.gen.o.d -Wall -c -o lib/gen.o lib/gen.c';  gcc-9 -Wall -c -o lib/gen.o lib/gen.c",
    "set -e;  echo '  gcc-9   -o lib/gen lib/gen.o';  gcc-9   -o lib/gen lib/gen.o",
    "set -e;  echo '  ./scripts/asn1_compiler a.asn1 a.asn1.c a.asn1.h';    ./scripts/asn1_compiler a.asn1 a.asn1.c a.asn1.h",
    "set -e; echo '# GEN     lib/t.h'; echo '  lib/gen > lib/t.h';   lib/gen > lib/t.h; printf '%s\\n' 'cmd' > lib/.t.h.cmd",
    "set -e;  echo '  sed -e s/a/b/ \\\n x > x.h';  sed -e s/a/b/ \\\n x > x.h",
    'set -e; mkdir -p k/; trap "rm -f k/.o.h.tmp" EXIT; { echo; } > k/.o.h.tmp; mv -f k/.o.h.tmp k/o.h',
  ];
  const others = [
    "make -f ./scripts/Makefile.build obj=lib",
    ":",
    "set -e;  echo '  gcc-9 -D__KERNEL__ -c -o lib/a.o lib/a.c';  gcc-9 -D__KERNEL__ -c -o lib/a.o lib/a.c; scripts/basic/fixdep lib/.a.o.d lib/a.o 'x' > lib/.a.o.cmd",
    "set -e;  echo '  ld -r -o m.ko m.o';  ld -r -o m.ko m.o",
    "set -e; echo '# BINDGEN rust/b.rs'; echo '  bindgen rust/b.h';   bindgen rust/b.h > rust/b.rs",
    "set -e; echo '# RUSTC PL rust/p.rlib'; echo '   rustc p.rs';   rustc p.rs",
    "set -e;  echo '  /c/gcc-9_1/bin/ld -r -o m.o a.o';  /c/gcc-9_1/bin/ld -r -o m.o a.o",
    "set -e;  echo '  tool v.so.dbg v.so v.c';  tool v.so.dbg v.so v.c",
    "set -e; mkdir -p init/; { utsver=$(date); } > init/.v.h.tmp; mv -f init/.v.h.tmp init/v.h",
  ];
  expect(generators([...others, ...source, ...others].join("\n"))).toEqual(source);
});
