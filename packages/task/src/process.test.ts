import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run, start, Task } from "./index.ts";

const task = new Task();

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    // One that only waits for its parent to be told runs nothing any more.
    if (!existsSync(`/proc/${pid}/exe`)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

test("what a program leaves running in the background ends with it, and keeps nobody waiting", async () => {
  const started = performance.now();
  const { stdout } = await run(task, ["sh", "-c", "sleep 1000 & echo $!"]);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(await gone(Number(stdout))).toBe(true);
  const { stdout: silent } = await run(task, ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
  expect(await gone(Number(silent))).toBe(true);
});

test("cancelling ends the whole group, also when its leader has just ended", async () => {
  const abort = new AbortController();
  const child = start(new Task(undefined, abort.signal), ["sh", "-c", "sleep 1000 & echo $!; wait"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const pid = await new Promise<number>((resolve) => child.stdout?.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))));
  abort.abort();
  expect(await gone(pid)).toBe(true);
});

test("pipes that a process of another group holds are not waited for without end", async () => {
  const { stdout, code } = await run(task, ["sh", "-c", "setsid sleep 1000 & sleep 0.5; echo $!"]);
  expect(code).toBe(0);
  const pid = Number(stdout);
  expect(pid).toBeGreaterThan(1);
  process.kill(pid, "SIGKILL");
});

test("characters that come in pieces are whole", async () => {
  const heard: string[] = [];
  const script = "printf '\\303'; sleep 0.3; printf '\\244\\n'";
  const { stdout } = await run(task, ["sh", "-c", script], { onOutput: (text) => heard.push(text) });
  expect(stdout).toBe("ä\n");
  expect(heard.join("")).toBe("ä\n");
  const cut: string[] = [];
  await run(task, ["sh", "-c", "printf 'a\\303'"], { onOutput: (text) => cut.push(text) });
  expect(cut.join("")).toBe("a\ufffd");
});

test("output without end ends the program", async () => {
  await expect(run(task, ["yes"], { outputLimit: 100_000 })).rejects.toMatchObject({
    code: "COMMAND_FAILED",
    message: expect.stringContaining("printed more than 100000 bytes"),
  });
});

test("a time limit, exit codes and missing programs", async () => {
  await expect(run(task, ["sleep", "1000"], { timeoutMs: 100 })).rejects.toMatchObject({
    message: expect.stringContaining("within 100 ms"),
  });
  await expect(run(task, ["sh", "-c", "echo why >&2; exit 3"])).rejects.toMatchObject({
    message: expect.stringMatching(/ended with 3:\nwhy$/),
  });
  expect((await run(task, ["sh", "-c", "exit 3"], { accept: [3] })).code).toBe(3);
  await expect(run(task, ["/nowhere/at-all"])).rejects.toMatchObject({ code: "COMMAND_MISSING" });
});

test("nothing outlives a process of ours that ends", async () => {
  const script = `import { run, Task } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
void run(new Task(), ["sh", "-c", "echo $$; sleep 1000"], { onOutput: (text) => { console.log(text.trim()); process.exit(0); } });`;
  const child = spawnSync(process.execPath, ["--import", "tsx", "--conditions=source", "--input-type=module", "-e", script], {
    encoding: "utf8",
    cwd: join(import.meta.dirname, "../../.."),
  });
  expect(child.stderr).toBe("");
  expect(await gone(Number(child.stdout))).toBe(true);
});
