import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { HeaderNames } from "./headers.ts";

const closed = async (names: string[], ...texts: string[]): Promise<string[]> =>
  [...(await HeaderNames.of(texts).closed(new Task(), names))].sort();

test("names are followed through what headers declare, in whatever order and file", async () => {
  const first = "#define outer(x) middle(x)\nstatic inline int other(int a)\n{\n\treturn a;\n}\n";
  const second = "#define middle(x) inner(x)\nstruct box {\n\tstruct inner it;\n};\n";
  expect(await closed(["inner"], first, second)).toEqual(["box", "inner", "middle", "outer"]);
  expect(await closed(["other"], first, second)).toEqual(["other"]);
});

test("a macro that makes a name of pieces is by way of all names that it may make", async () => {
  const text = "#define page_flag(name) test_##name##_bit\n#define user(x) page_flag(x)\n";
  expect(await closed(["test_dirty_bit"], text)).toEqual(["page_flag", "test_dirty_bit", "user"]);
  expect(await closed(["a_bit"], text)).toEqual(["a_bit", "page_flag", "user"]);
  expect(await closed(["set_dirty_bits"], text)).toEqual(["set_dirty_bits"]);
});
