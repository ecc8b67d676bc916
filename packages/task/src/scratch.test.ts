import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scratchFolder } from "./scratch.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "suture-scratch-test-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A process of its own that has a scratch folder with a file in it, and waits. */
async function holder(env: Record<string, string>, cwd: string = root): Promise<ChildProcess> {
  const source = join(import.meta.dirname, "scratch.ts");
  const code = `const { scratchFolder } = await import(${JSON.stringify(source)});
const { writeFileSync } = await import("node:fs");
writeFileSync((await scratchFolder("held")) + "/file", "x");
process.stdin.on("end", () => process.exit(0)).resume();
console.log("made");`;
  const tsx = join(import.meta.dirname, "../../../node_modules/tsx/dist/loader.mjs");
  const args = ["--import", `file://${tsx}`, "--input-type=module", "--eval", code];
  const child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  return child;
}

test("what a killed process left is removed by the next one, what a living one holds is not", async () => {
  const living = await holder({ TMPDIR: root });
  const killed = await holder({ TMPDIR: root });
  killed.kill("SIGKILL");
  await once(killed, "exit");
  // Nothing of ours.
  for (const name of ["suture-other", "suture-1-2-3-abcdef", "x"]) mkdirSync(join(root, name));
  // tsx has a folder there, too.
  const entries = (): string[] => readdirSync(root).filter((name) => !name.startsWith("tsx-"));
  expect(entries()).toHaveLength(5);
  const mine = await scratchFolder("mine", root);
  writeFileSync(join(mine, "file"), "x");
  const left = entries();
  expect(left).toHaveLength(5);
  expect(left.filter((name) => name.includes(`-${killed.pid}-`))).toEqual([]);
  expect(left.filter((name) => name.includes(`-${living.pid}-`))).toHaveLength(1);
  living.stdin?.end();
  await once(living, "exit");
  expect(readdirSync(root).filter((name) => name.includes(`-${living.pid}-`))).toEqual([]);
  expect(existsSync(mine)).toBe(true);
});

test("a relative TMPDIR is of the folder that the process runs in", async () => {
  mkdirSync(join(root, "here"));
  const child = await holder({ TMPDIR: "here" });
  const entries = (): string[] => readdirSync(join(root, "here")).filter((name) => name.startsWith("suture-"));
  expect(entries()).toHaveLength(1);
  child.stdin?.end();
  await once(child, "exit");
  expect(entries()).toEqual([]);
});
