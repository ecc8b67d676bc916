/** What users install: packed, installed somewhere else, run. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "suture-bundle-"));
const suture = join(scratch, "prefix/bin/suture");
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { cwd: scratch, encoding: "utf8" });

beforeAll(() => {
  execFileSync(process.execPath, ["--conditions=source", "--import", "tsx", "scripts/bundle.ts", scratch], { cwd: root });
  run("npm", "pack", "--silent", join(scratch, "package"));
  const archive = readdirSync(scratch).find((name) => name.endsWith(".tgz")) ?? "";
  run("npm", "install", "--global", "--offline", "--silent", "--prefix", join(scratch, "prefix"), join(scratch, archive));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test("the installed command says what it can do", () => {
  expect(run(suture, "--help")).toContain("inspect");
  expect(run(suture, "--version").trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

test("the licences of all that is inside go along", () => {
  const installed = join(scratch, "prefix/lib/node_modules/suture");
  expect(readdirSync(installed)).toEqual(
    expect.arrayContaining(["LICENSE", "LICENSES", "THIRD-PARTY.txt", "docs", "machine.cjs", "program.cjs", "suture.mjs"]),
  );
});

test("the decoder of instructions works where it was installed", () => {
  const installed = join(scratch, "prefix/lib/node_modules/suture");
  writeFileSync(
    join(installed, "decode.mjs"),
    `import { createRequire } from "node:module";
     const { Decoder, DecoderOptions } = createRequire(import.meta.url)("iced-x86");
     console.log(new Decoder(64, Uint8Array.of(0xc3), DecoderOptions.None).decode().length);`,
  );
  expect(run(process.execPath, join(installed, "decode.mjs")).trim()).toBe("1");
});

test("manual pages stand where `man` looks for them, with completion and schemas beside the program", () => {
  const page = execFileSync("man", ["-M", join(scratch, "prefix/share/man"), "suture-build"], {
    encoding: "utf8",
    env: { ...process.env, MANPAGER: "cat", MANWIDTH: "100" },
  });
  expect(page).toMatch(/--accept-layout/);
  const installed = join(scratch, "prefix/lib/node_modules/suture");
  expect(readdirSync(join(installed, "completion")).sort()).toEqual(["_suture", "suture", "suture.fish"]);
  const schemas = readdirSync(join(installed, "schemas"));
  expect(schemas).toContain("build-1.json");
  for (const name of schemas)
    expect(JSON.parse(readFileSync(join(installed, "schemas", name), "utf8"))).toMatchObject({
      $id: `suture/${name.replace(".json", "")}`,
    });
});
