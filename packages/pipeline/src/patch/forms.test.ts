/** Every form of patch file, as docs/patch-files.md tells it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, it } from "vitest";
import { CHANGED, formsTable, PATCH_FORMS, SOURCE } from "../../test/patch-forms.ts";
import { isNoCode } from "../reach/no-code.ts";
import { applyPatches } from "./apply.ts";
import { parseSourcePatch } from "./read.ts";

const bytesOf = (patch: string | Uint8Array): Uint8Array => (typeof patch === "string" ? Buffer.from(patch, "latin1") : patch);

it.each(PATCH_FORMS)("$form: $done", async ({ patch, done, says, becomes = CHANGED }) => {
  const tree = folderOf({ "fs/x.c": SOURCE, "fs/y.c": "x\n" });
  const work = async () => applyPatches(tree, [await parseSourcePatch(bytesOf(patch), "fix.patch")], isNoCode("kernel"));
  if (done === "refused") {
    await expect(work()).rejects.toMatchObject({ code: expect.stringMatching(/^PATCH_/), message: expect.stringContaining(says ?? "?") });
    return;
  }
  const { files, notes } = await work();
  expect(files).toEqual([{ path: "fs/x.c", before: SOURCE, after: becomes }]);
  expect(notes.map(({ text }) => text)).toEqual(done === "read" ? [] : [expect.stringContaining(says ?? "?")]);
});

it("is what docs/patch-files.md says", () => {
  expect(readFileSync(join(import.meta.dirname, "../../../../docs/patch-files.md"), "utf8")).toContain(`\n${formsTable()}\n`);
});
