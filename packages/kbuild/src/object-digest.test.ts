import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, it } from "vitest";
import { objectDigest } from "./object-digest.ts";

function digestOf(text: string, ...options: string[]): string {
  const folder = folderOf({ "one.c": text });
  execFileSync("gcc", [...options, "-c", "-o", "one.o", join(folder, "one.c")], { cwd: folder });
  return objectDigest(readFileSync(join(folder, "one.o")), "one.o");
}

const ONE = "struct s { int a; }; int f(struct s *s) { return s->a; }";

it.each([["-gdwarf-5", "-gbtf"], ["-g0"]])("is the same wherever the object was compiled: %s", (...options) => {
  expect(digestOf(ONE, ...options)).toBe(digestOf(ONE, ...options));
  expect(digestOf(ONE, ...options)).not.toBe(digestOf(ONE.replace("s->a", "s->a + 1"), ...options));
  expect(digestOf(ONE, ...options)).not.toBe(digestOf(`${ONE} extern int g(void); int h(void) { return g(); }`, ...options));
});
