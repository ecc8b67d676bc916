import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { processorFor } from "./processor.ts";

const described = (model: string, mhz = "1000", flags = "fpu avx") =>
  `processor\t: 0\nmodel name\t: ${model}\ncpu MHz\t\t: ${mhz}\nflags\t\t: ${flags}\n\nprocessor\t: 1\nmodel name\t: other\n\n`;

test("only what is made for the machine that compiles is of its processor", async () => {
  const path = join(folderOf({}), "cpuinfo");
  const of = async (command: string, text: string): Promise<string> => {
    writeFileSync(path, text);
    return processorFor(command, path);
  };
  for (const plain of ["gcc -march=x86-64 -c", "gcc -DX=-march=native-like -c", "gcc -march=nativeX"])
    expect(await of(plain, described("A"))).toBe("");
  for (const native of ["gcc -march=native -c", "gcc -mtune=native", "gcc -O2 -mcpu=native -c"]) {
    const one = await of(native, described("A"));
    expect(one).toContain("A");
    expect(await of(native, described("A", "2000"))).toBe(one);
    expect(await of(native, described("B"))).not.toBe(one);
    expect(await of(native, described("A", "1000", "fpu"))).not.toBe(one);
  }
});
