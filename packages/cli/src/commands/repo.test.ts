/** The ceremonies of docs/trust.md as command lines: keys in files, a repository, signatures, what is published, a mirror. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DOCUMENTS } from "@suture/protocol";
import { folderOf } from "@suture/testkit/folders";
import * as v from "valibot";
import { expect, test } from "vitest";
import { runCli } from "../cli.ts";

async function suture(...words: string[]): Promise<{ code: number; document: Record<string, unknown> }> {
  let text = "";
  const stdout = { write: (more: string) => (text += more) };
  const code = await runCli([...words, "--json"], {
    stdout: stdout as never,
    stderr: { write: () => true } as never,
    signal: new AbortController().signal,
    env: {},
  });
  const document = JSON.parse(text) as Record<string, unknown>;
  const kind = DOCUMENTS.get(String(document.schema));
  if (kind === undefined) throw new Error(text);
  v.parse(kind.schema, document);
  return { code, document };
}

test("keys, a repository, signatures, and what is published", { timeout: 240_000 }, async () => {
  const folder = folderOf({ secret: "correct horse\n", wrong: "correct battery\n" });
  const at = (name: string): string => join(folder, name);
  const secret = ["--passphrase-file", at("secret")];
  for (const name of ["ada", "online"]) await suture("repo", "key", "new", at(name), ...secret);
  expect(readFileSync(at("ada.key"), "utf8")).toContain("BEGIN ENCRYPTED PRIVATE KEY");
  expect((await suture("repo", "key", "new", at("ada"), ...secret)).document).toMatchObject({ error: { code: "TRUST_KEY" } });
  const held = ["root", "patches", "policy", "withdrawal"].map((role) => `${role}=1:${at("ada.pub")}`);
  const online = ["snapshot", "timestamp"].map((role) => `${role}=1:${at("online.pub")}`);
  const holders = [...held, ...online].flatMap((word) => ["--holders", word]);
  const begun = await suture("repo", "init", at("repository"), "--fleet", "acme", ...holders);
  expect(begun.document.staged).toEqual(["root", "targets", "patches", "policy", "withdrawal"]);
  const key = ["--key", at("ada.key")];
  expect((await suture("repo", "sign", at("repository"), ...key, "--passphrase-file", at("wrong"))).document).toMatchObject({
    error: { code: "TRUST_KEY" },
  });
  const shown = await suture("repo", "sign", at("repository"), ...key, ...secret);
  expect(shown.document.signed).toBe(false);
  const early = await suture("repo", "publish", at("repository"), at("out"), "--key", at("online.key"), ...secret);
  expect(early).toMatchObject({ code: 1, document: { error: { code: "TRUST_UNSIGNED" } } });
  const changed = await suture("repo", "sign", at("repository"), ...key, ...secret, "--read", "0".repeat(64));
  expect(changed.document).toMatchObject({ error: { code: "TRUST_CHANGED" } });
  expect((await suture("repo", "sign", at("repository"), ...key, ...secret, "--read", String(shown.document.digest))).document.signed).toBe(
    true,
  );
  const publish = ["repo", "publish", at("repository"), at("out"), "--key", at("online.key"), ...secret];
  expect((await suture(...publish, "--check")).document).toMatchObject({ written: 0, check: true });
  expect(existsSync(at("out"))).toBe(false);
  expect((await suture(...publish)).document.versions).toMatchObject({ root: 1, timestamp: 1, policy: 1 });
  expect((await suture("repo", "status", at("repository"))).document).toMatchObject({ fleet: "acme" });
  expect((await suture("repo", "key", "list", at("repository"))).document.roles).toHaveLength(6);
  expect((await suture("repo", "policy", at("repository"))).document.policy).toMatchObject({ fleet: "acme", rollouts: [] });
  const root = ["--root", at("out/metadata/1.root.json")];
  expect((await suture("repo", "mirror", at("out"), at("mirror"), ...root)).document).toMatchObject({ fleet: "acme", timestamp: 1 });
  await suture("repo", "export", at("out"), at("carried"));
  expect((await suture("repo", "import", at("carried"), at("inside"), ...root)).document).toMatchObject({ timestamp: 1 });
  writeFileSync(at("carried"), "damaged");
  expect((await suture("repo", "import", at("carried"), at("inside"))).document).toMatchObject({ error: { code: "TRUST_ARCHIVE" } });
});

test.each([
  ["repo", "policy", "folder", "--hold"],
  ["repo", "policy", "folder", "--roll-out", "x", "--ring", "all=101"],
  ["repo", "policy", "folder", "--roll-out", "x", "--window", "mon,25:00"],
  ["repo", "policy", "folder", "--roll-out", "x", "--hold", "--resume"],
  ["repo", "init", "folder", "--fleet", "x"],
  ["repo", "sign", "folder"],
  ["repo"],
])("%s %s %s %s %s is refused as wrong usage", async (...words: string[]) => {
  expect((await suture(...words.filter((word) => word !== undefined))).document).toMatchObject({ error: { code: "CLI_USAGE" } });
});
