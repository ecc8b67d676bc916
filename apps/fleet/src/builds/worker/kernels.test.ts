import { expect, test } from "vitest";
import { kernelsIn } from "./kernels.ts";

const KERNEL = {
  release: "6.1.0-1-amd64",
  version: "6.1.10-1",
  suite: "one",
  running: false,
  installed: false,
  archived: true,
  source: true,
  headers: true,
};
const compiler = { name: "gcc-12", installed: false, cached: [] };

test.each([
  [{}, ""],
  [{ compiler }, ""],
  [{ source: false }, "source"],
  [{ headers: false }, "headers"],
  [{ featureset: "rt" }, "patches of rt"],
  [{ obstacles: ["CONFIG_LIVEPATCH=y"] }, "CONFIG_LIVEPATCH"],
  [{ archived: false, cached: { bytes: 1 } }, ""],
  [{ archived: false, cached: { bytes: 1 }, compiler }, "gcc-12 is not installed"],
  [{ archived: false }, "does not have it any more"],
])("of a kernel with %j it is said whether it can be built for", (more, why) => {
  const [found] = kernelsIn(JSON.stringify({ archive: [{ ...KERNEL, ...more }] })) ?? [];
  expect(found).toMatchObject({ can: why === "", why: why === "" ? "" : expect.stringContaining(why) });
});

test("what is no list is none", () => {
  for (const text of ["", "{}", "[]", '{"archive":[{}]}']) expect(kernelsIn(text)).toBeUndefined();
  expect(kernelsIn(JSON.stringify({ archive: [{ ...KERNEL, version: undefined }] }))).toEqual([]);
});
