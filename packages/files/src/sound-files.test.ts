import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { SoundFiles } from "./sound-files.ts";

test("a file is hashed once, and again where it is another", async () => {
  const path = join(folderOf({ kept: "sound" }), "kept");
  const files = new SoundFiles();
  let asked = 0;
  const read = async (): Promise<string | undefined> => {
    const file = await files.read(path, (bytes) => {
      asked++;
      return bytes.toString().startsWith("sound");
    });
    return file?.toString();
  };
  expect([await read(), await read(), asked]).toEqual(["sound", "sound", 1]);
  // In place, of the same length.
  writeFileSync(path, "SOUND");
  expect([await read(), asked]).toEqual([undefined, 2]);
  writeFileSync(`${path}.new`, "sound again");
  renameSync(`${path}.new`, path);
  expect([await read(), await read(), asked]).toEqual(["sound again", "sound again", 3]);
  expect(readFileSync(path, "utf8")).toBe("sound again");
  expect(await files.read(`${path}.none`, () => true)).toBeUndefined();
  expect(await files.read(join(path, "below"), () => true)).toBeUndefined();
});
