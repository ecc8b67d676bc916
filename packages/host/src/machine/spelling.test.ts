import { join } from "node:path";
import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { Snapshot } from "./snapshot.ts";
import { loadedName, nameAmong } from "./spelling.ts";

test.each([
  ["host_cmdline"],
  ["host-cmdline"],
  ["host_cmdline.ko"],
  ["host-cmdline.ko"],
  ["/nowhere/host-cmdline.ko"],
  ["livepatch-host-cmdline"],
  ["./livepatch-host-cmdline.ko"],
])("%s is the livepatch host_cmdline", async (word) => {
  expect(await nameAmong(word, ["other", "host_cmdline"])).toBe("host_cmdline");
});

test.each([["fix"], ["fix.ko"], ["livepatch-fix"], ["livepatch_fix"]])("%s is the livepatch that a build named", async (word) => {
  const machine = machineOf({ ...WELL, ...patchFiles("livepatch_fix", true, false, []) });
  expect(await loadedName(new Snapshot(machine), word)).toBe("livepatch_fix");
});

test("where both are there, each is itself", async () => {
  for (const name of ["fix", "livepatch_fix"]) expect(await nameAmong(name, ["livepatch_fix", "fix"])).toBe(name);
});

test("what is not known is a plain name in the refusal, and never a path", async () => {
  expect(await nameAmong("../../nowhere/passwd", [])).toBe("passwd");
  expect(await nameAmong("a b", [])).toBe("a?b");
});

test("a file that is there is what is in it, and not read as a name if it is none", async () => {
  const { root } = machineOf({ "/x/host_cmdline.ko": "no module" });
  await expect(nameAmong(join(root, "x/host_cmdline.ko"), ["host_cmdline"])).rejects.toMatchObject({
    code: expect.stringMatching(/^ELF_/),
  });
});
