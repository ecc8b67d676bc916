import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { expect, onTestFinished, test } from "vitest";
import { lockFile } from "./lock.ts";

async function opened(path: string): Promise<FileHandle> {
  const file = await open(path, "a");
  onTestFinished(() => file.close().catch(() => {}));
  return file;
}

test("another one in this process waits, for so long, or until it is closed", async () => {
  const path = join(folderOf({}), "lock");
  const [first, second] = [await opened(path), await opened(path)];
  expect(await lockFile(new Task(), first)).toBe(true);
  expect(await lockFile(new Task(), second, 0)).toBe(false);
  let has = false;
  const waiting = lockFile(new Task(), second).then((locked) => {
    has = locked;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(has).toBe(false);
  await first.close();
  await waiting;
  expect(has).toBe(true);
});

test("the lock of a process that was killed is free", async () => {
  const path = join(folderOf({}), "lock");
  const holder = spawn("flock", ["--no-fork", path, "sh", "-c", "echo locked; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  await once(holder.stdout, "data");
  const file = await opened(path);
  expect(await lockFile(new Task(), file, 0)).toBe(false);
  holder.kill("SIGKILL");
  expect(await lockFile(new Task(), file, 10)).toBe(true);
});

test("a program that locks nothing is told, and one that is not there", async () => {
  const folder = folderOf({});
  const file = await opened(join(folder, "lock"));
  const path = process.env.PATH;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  process.env.PATH = folder;
  await expect(lockFile(new Task(), file)).rejects.toThrow("the program flock is not there");
  const false1 = await open(join(folder, "flock"), "w", 0o755);
  await false1.writeFile("#!/bin/sh\nexit 75\n");
  await false1.close();
  await expect(lockFile(new Task(), file)).rejects.toThrow("it ended with 75");
  expect(await lockFile(new Task(), file, 0)).toBe(false);
});

test("who is cancelled while waiting does not wait", async () => {
  const path = join(folderOf({}), "lock");
  const [first, second] = [await opened(path), await opened(path)];
  await lockFile(new Task(), first);
  const stop = new AbortController();
  const task = new Task(undefined, stop.signal);
  const waiting = lockFile(task, second);
  setTimeout(() => stop.abort(), 100);
  await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
});
