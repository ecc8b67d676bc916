import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { keepRows, readRows } from "./kept-rows.ts";
import { makeRow } from "./row.ts";

const rows = [
  makeRow({ object: "a.o", source: "a.c", owner: "vmlinux", compile: `gcc  -I./x -I y -DX='"a  b"' -c -o a.o a.c`, objtool: "" }),
  makeRow({ object: "é/b.o", source: "é/b.c", owner: "", compile: "gcc -I./x -I y -c", objtool: "./objtool --orc é/b.o" }),
];
const printed = { steps: [], programs: [["p.ro", ["a.o"]] as [string, string[]]] };

async function kept(): Promise<string> {
  const path = join(folderOf({}), "k/rows");
  await keepRows(new Task(), path, rows, printed);
  return path;
}

test("what is kept is what was given, to the last blank", async () => {
  const read = await readRows(await kept());
  expect(read?.printed).toEqual(printed);
  const plain = read?.rows.map(({ object, source, owner, compile, objtool, folders }) => ({
    object,
    source,
    owner,
    compile,
    objtool,
    folders,
  }));
  expect(plain).toEqual(rows);
});

test("folders that are the same are one list", async () => {
  const [a, b] = (await readRows(await kept()))?.rows ?? [];
  expect(a?.folders).toBe(b?.folders);
});

test("what is damaged anywhere, or is not there, is not there", async () => {
  const path = await kept();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(path, damaged);
    expect(await readRows(path), `byte ${at}`).toBeUndefined();
  }
  for (const size of [0, 10, 23, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, size));
    expect(await readRows(path)).toBeUndefined();
  }
  expect(await readRows(`${path}x`)).toBeUndefined();
});
