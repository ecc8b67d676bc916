import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { lineOf, type ProvenObject, readKnown } from "./prove-objects.ts";

const result = (object: string): ProvenObject => ({
  object,
  owner: "vmlinux",
  functions: 2,
  proven: 1,
  overridden: ["a"],
  doubts: [{ function: "f", code: "bytes", why: "other" }],
  cause: undefined,
  failure: undefined,
  compileMs: 1,
  proofMs: 1,
});

test("what was proven before is read back, whatever an interrupted run left", async () => {
  const path = join(folderOf({}), "proofs.jsonl");
  expect(await readKnown(path)).toEqual(new Map());
  const whole = lineOf(result("a.o"));
  for (let size = 0; size <= whole.length; size++) {
    // Cut off anywhere, and gone on with.
    writeFileSync(path, lineOf(result("0.o")) + whole.slice(0, size));
    appendFileSync(path, lineOf(result("b.o")));
    const known = await readKnown(path);
    expect(known.get("b.o")).toEqual(result("b.o"));
    expect([...known.keys()].filter((name) => name !== "a.o")).toEqual(["0.o", "b.o"]);
    if (known.has("a.o")) expect(known.get("a.o")).toEqual(result("a.o"));
  }
});

test("lines that are no results are none", async () => {
  const path = join(folderOf({}), "proofs.jsonl");
  for (const line of ["5", "null", "[]", "{}", '{"object":"x.o"}', "{", "\0\0\0"]) writeFileSync(path, `${line}\n`, { flag: "a" });
  expect(await readKnown(path)).toEqual(new Map());
});
