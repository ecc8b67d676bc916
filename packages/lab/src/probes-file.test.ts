import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readProbes } from "./probes-file.ts";

const folder = mkdtempSync(join(tmpdir(), "suture-probes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(content: unknown): string {
  const path = join(folder, "probes.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

for (const path of ["reproducers", "others"]) {
  mkdirSync(join(folder, path));
  writeFileSync(join(folder, path, "one"), "");
}

test("commands by themselves or with a limit, checks with what they do after", async () => {
  expect(
    await readProbes(
      file({
        "suture-probes": 1,
        files: ["reproducers/one"],
        setup: ["mkdir /tmp/a"],
        checks: ["true", { command: "false", limit: 2.5, after: "fail" }],
        keeps: [{ command: "cat /proc/filesystems" }],
      }),
    ),
  ).toEqual({
    files: [{ path: "/root/one", content: { file: join(folder, "reproducers/one") }, mode: 0o755 }],
    setup: [{ command: "mkdir /tmp/a" }],
    probes: [],
    checks: [
      { command: "true", after: undefined },
      { command: "false", limitMs: 2500, after: "fail" },
    ],
    keeps: [{ command: "cat /proc/filesystems", limitMs: undefined }],
    cleanup: [],
  });
});

test.each<[string, unknown, RegExp]>([
  ["no JSON", "{", /cannot be read/],
  ["of another form", [], /suture-probes/],
  ["of another version", { "suture-probes": 2 }, /suture-probes/],
  ["with a word that is none", { "suture-probes": 1, check: ["true"] }, /check/],
  ["with an empty command", { "suture-probes": 1, probes: ["  "] }, /probes/],
  ["with a limit that is none", { "suture-probes": 1, probes: [{ command: "true", limit: 0 }] }, /probes/],
  ["with an end that is none", { "suture-probes": 1, checks: [{ command: "true", after: "maybe" }] }, /checks\.0\.after/],
  ["with a member that is none", { "suture-probes": 1, checks: ["true", { comand: "true" }] }, /^checks\.1\.com/],
  ["with two files of one name", { "suture-probes": 1, files: ["reproducers/one", "others/one"] }, /two are called one/],
])("a file %s is refused", async (_, content, why) => {
  await expect(readProbes(file(content))).rejects.toMatchObject({ code: "LAB_PROBES_FILE", message: expect.stringMatching(why) });
});

test("one that is not there is refused", async () => {
  await expect(readProbes(join(folder, "none"))).rejects.toMatchObject({ code: "LAB_PROBES_FILE" });
});

test.each(["none", "reproducers"])("a file for the guest that cannot be had (%s) is refused before anything is built", async (path) => {
  await expect(readProbes(file({ "suture-probes": 1, files: [path] }))).rejects.toMatchObject({
    code: "LAB_FILE_UNREADABLE",
    where: { file: join(folder, path) },
  });
});
