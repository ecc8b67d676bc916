import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Reporter, silentReporter, Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { afterEach, expect, test } from "vitest";
import { fail } from "../errors.ts";
import { inCache, makeOnce } from "./store.ts";

const PROGRAM = join(import.meta.dirname, "../../test/make-once.ts");
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
});

function place(): { cache: string; path: string } {
  const cache = join(folderOf({}), "cache");
  return { cache, path: join(cache, "sources", "thing_1") };
}

/** Another run that makes the same. */
function other(cache: string, path: string, content: string, ms: number): ChildProcess {
  const child = spawn(process.execPath, ["--conditions=source", "--import", "tsx", PROGRAM, cache, path, content, String(ms)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

function says(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes(word)) resolve();
    });
    child.once("exit", () => reject(new Error(`it ended without saying ${word}`)));
  });
}

const make =
  (content: string) =>
  async (beside: string): Promise<void> => {
    await writeFile(join(beside, "first"), content);
    await writeFile(join(beside, "second"), content);
  };

function files(path: string): string[] {
  return readdirSync(path)
    .sort()
    .map((name) => `${name}: ${readFileSync(join(path, name), "utf8")}`);
}

test("a run that is killed in the middle leaves nothing that the next one trusts", async () => {
  const { cache, path } = place();
  const killed = other(cache, path, "half", 60_000);
  await says(killed, "making");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(readdirSync(join(path, ".."))).toEqual([expect.stringMatching(/^thing_1\.[0-9a-f]+\.unfinished$/)]);
  await makeOnce(new Task(), cache, path, make("whole"));
  expect(files(path)).toEqual(["first: whole", "second: whole"]);
  expect(readdirSync(join(path, ".."))).toEqual(["thing_1"]);
});

test("of two runs one makes it; the other waits, says so, and takes it", async () => {
  const { cache, path } = place();
  const first = other(cache, path, "first run", 1500);
  await says(first, "making");
  const stages: string[] = [];
  const reporter: Reporter = {
    ...silentReporter,
    begin: (name) => {
      stages.push(name);
      return silentReporter.begin(name, 0);
    },
  };
  await makeOnce(new Task(reporter), cache, path, make("second run"));
  expect(files(path)).toEqual(["first: first run", "second: first run"]);
  expect(stages).toEqual(["wait"]);
});

test("a run that waits goes on when the other one is killed", async () => {
  const { cache, path } = place();
  const killed = other(cache, path, "half", 60_000);
  await says(killed, "making");
  const waiting = makeOnce(new Task(), cache, path, make("whole"));
  await setTimeout(500);
  killed.kill("SIGKILL");
  await waiting;
  expect(files(path)).toEqual(["first: whole", "second: whole"]);
});

test("a run that waits can be cancelled", async () => {
  const { cache, path } = place();
  await says(other(cache, path, "x", 60_000), "making");
  const controller = new AbortController();
  const waiting = makeOnce(new Task(silentReporter, controller.signal), cache, path, make("whole"));
  await setTimeout(500);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
});

test("many at once in one process make it once", async () => {
  const { cache, path } = place();
  let made = 0;
  const one = () =>
    makeOnce(new Task(), cache, path, async (beside) => {
      made += 1;
      await make("whole")(beside);
    });
  await Promise.all([one(), one(), one(), one()]);
  expect(made).toBe(1);
});

test("when making fails nothing is left, and the next run makes it", async () => {
  const { cache, path } = place();
  const failing = makeOnce(new Task(), cache, path, async (beside) => {
    await writeFile(join(beside, "first"), "half");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(readdirSync(join(path, ".."))).toEqual([]);
  await makeOnce(new Task(), cache, path, make("whole"));
  expect(files(path)).toEqual(["first: whole", "second: whole"]);
});

test.skipIf(process.getuid?.() !== 0)("a full disk is told as such, and leaves nothing", async () => {
  const { cache, path } = place();
  mkdirSync(cache);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=200k", "tmpfs", cache]);
  try {
    const large = makeOnce(new Task(), cache, path, (beside) => writeFile(join(beside, "first"), Buffer.alloc(1 << 20)));
    await expect(large).rejects.toMatchObject({ code: "CACHE_FULL", where: { file: cache } });
    expect(readdirSync(join(path, ".."))).toEqual([]);
    await makeOnce(new Task(), cache, path, make("small"));
    expect(files(path)).toEqual(["first: small", "second: small"]);
  } finally {
    execFileSync("umount", [cache]);
  }
});

test("a cache that cannot be written is told as such", async () => {
  const { cache, path } = place();
  writeFileSync(cache, "a file where the directory should be");
  await expect(makeOnce(new Task(), cache, path, make("x"))).rejects.toMatchObject({ code: "CACHE_UNWRITABLE" });
});

test("apt's word of a full disk is understood, with the server's address behind it, too", async () => {
  const said = "E: Failed to fetch http://x/y.deb  Error writing to file - write (28: No space left on device)";
  for (const text of [said, `${said} [IP: 203.0.113.80 80]`])
    await expect(inCache("/cache", () => Promise.reject(fail("ARCHIVE_DOWNLOAD", text)))).rejects.toMatchObject({ code: "CACHE_FULL" });
});
