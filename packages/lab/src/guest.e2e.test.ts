/** Real kernels in real machines. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, Task } from "@suture/task";
import { ofAnotherKernel } from "@suture/testkit/other-kernel";
import { inFull, KERNELS, type TestKernel, testKernel } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BootOptions, boot, type Guest, lineText, loadOrder } from "./index.ts";

const task = new Task();

/** The code of the error that a promise is rejected with, and its text. */
async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => ({ code: "none", message: "" }),
    (error) => ({ code: error.code, message: error.message }),
  );
}

/** A process that is gone, or only waits for its parent to be told. */
async function ended(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    if (!existsSync(`/proc/${pid}/exe`)) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

const leftovers = async (): Promise<string[]> => (await readdir(tmpdir())).filter((name) => /^suture-lab-\w{6}$/.test(name));

describe.each([...new Set(KERNELS)])("%s", (metaPackage) => {
  let kernel: TestKernel;
  let guest: Guest;

  beforeAll(async () => {
    kernel = await testKernel(task, metaPackage);
    guest = await boot(task, {
      image: kernel.image,
      modules: { tree: kernel.modules, names: ["nf_nat", "ext4"] },
      files: [
        { path: "/opt/a/greet", content: Buffer.from("#!/bin/sh\necho hello $1\n"), mode: 0o755 },
        { path: "/opt/a/self", content: { file: join(import.meta.dirname, "index.ts") } },
      ],
      append: ["suture.test=1"],
    });
  });

  afterAll(() => guest?.stop());

  test("it is the kernel that was asked for, untouched and without complaints", async () => {
    expect(guest.release).toBe(kernel.release);
    expect(guest.buildId).toMatch(/^[0-9a-f]{40}$/);
    expect(guest.events()).toEqual([]);
    expect(guest.kernelLog().find(({ text }) => text.startsWith("Linux version"))?.text).toContain(kernel.release);
    const { output } = await guest.run("cat /proc/cmdline; nproc; cat /proc/sys/kernel/tainted; grep -c . /proc/net/dev");
    expect(output).toMatch(/suture\.test=1\n2\n0\n3\n$/);
    expect(guest.kernelLog().some(({ text }) => text.includes("suture-lab"))).toBe(false);
  });

  test("modules are loaded with what they need", async () => {
    const { output } = await guest.run("cut -d' ' -f1 /proc/modules");
    expect(output.split("\n")).toEqual(expect.arrayContaining(["nf_nat", "nf_conntrack"]));
    expect((await guest.run("grep -w ext4 /proc/filesystems")).code).toBe(0);
  });

  if (!inFull(metaPackage)) return;

  test("the caller's files are there", async () => {
    expect((await guest.run("/opt/a/greet you; wc -c </opt/a/self")).output).toMatch(/^hello you\n[1-9]\d+\n$/);
  });

  test("codes, outputs and lines of the kernel come with their command", async () => {
    const results = await Promise.all([
      guest.run("echo out; echo err >&2; exit 3"),
      guest.run("echo 'lab: one line' >/dev/kmsg"),
      guest.run("cat"),
      guest.run("kill -SEGV $$"),
      guest.run("printf 'a\\0\\1\\377b'"),
      guest.run("no-such-program"),
    ]);
    expect(results.map(({ code }) => code)).toEqual([3, 0, 0, 139, 0, 127]);
    expect(results[0]?.output).toBe("out\nerr\n");
    expect(results[1]?.log.map(({ text }) => text)).toEqual(["lab: one line"]);
    expect(results[2]?.log).toEqual([]);
    expect(Buffer.from(results[4]?.bytes ?? []).toString("hex")).toBe("610001ff62");
    expect(results[5]?.output).toContain("not found");
  });

  test("answers that look like the protocol's are only output", async () => {
    const { output } = await guest.run("printf '\\001%s 9 0 3 0 0\\nabc' wrong; printf '\\n\\n\\n'");
    expect(output).toBe("\x01wrong 9 0 3 0 0\nabc\n\n\n");
  });

  test("a command that does not end is killed with all that it started", async () => {
    const slow = await guest.run("sleep 1234 & echo started; sleep 1234", { timeoutMs: 1500 });
    expect(slow).toMatchObject({ timedOut: true, code: 137, output: "started\n" });
    expect((await guest.run("ps | grep 'sleep 123[4]'")).code).toBe(1);
  });

  test("a program that stays keeps nobody waiting", async () => {
    expect(await guest.run("sleep 1000 & echo $!", { timeoutMs: 5000 })).toMatchObject({ timedOut: false, code: 0 });
  });

  test("output without end is cut off", async () => {
    const { truncated, bytes, code } = await guest.run("yes 0123456");
    expect([truncated, bytes.length, code]).toEqual([true, 256 * 1024, 1]);
    expect(Buffer.from(bytes).toString("latin1", 0, 16)).toBe("0123456\n0123456\n");
    expect(await guest.run("echo well")).toMatchObject({ output: "well\n", truncated: false });
  });

  test("what filled its output, and goes on to, takes nothing from the next command", async () => {
    const results = await Promise.all(["yes", "echo well", "yes & echo started", "echo well", "echo well"].map((line) => guest.run(line)));
    expect(results.map(({ output, code }) => [output.slice(-5), code])).toEqual([
      ["\ny\ny\n".slice(-5), 1],
      ["well\n", 0],
      [expect.any(String), 0],
      ["well\n", 0],
      ["well\n", 0],
    ]);
    await guest.run("killall yes");
  });

  test("a guest whose file system is full still answers", async () => {
    await guest.run("cat /dev/zero >/tmp/full; cat /dev/zero >/tmp/fuller", { timeoutMs: 120_000 });
    const full = await guest.run("echo well; head -c 100000 /dev/zero >/tmp/fullest; code=$?; rm -f /tmp/fullest; exit $code");
    expect(full).toMatchObject({ code: 1, output: expect.stringMatching(/^well\nhead: standard output/) });
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7919) >> 5));
    expect(await refusal(guest.put("/tmp/more", bytes))).toMatchObject({ code: "LAB_PUT_FAILED" });
    await guest.run("rm /tmp/full /tmp/fuller");
    await guest.put("/tmp/more", bytes);
    expect((await guest.run("wc -c </tmp/more")).output).toBe("200000\n");
  });

  test("files are put, large scripts are run", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 7919) >> 5));
    await guest.put("/tmp/new dir/it's", bytes, 0o750);
    expect(Buffer.compare(Buffer.from((await guest.run("cat /tmp/new*/*")).bytes), bytes)).toBe(0);
    expect((await guest.run("stat -c %a /tmp/new*/*")).output).toBe("750\n");
    expect(await refusal(guest.put("/proc/nowhere/x", bytes))).toMatchObject({ code: "LAB_PUT_FAILED" });
    await guest.put("/tmp/empty", new Uint8Array(0));
    expect((await guest.run("stat -c %s /tmp/empty")).output).toBe("0\n");
    expect((await guest.run(`: ${"x".repeat(100_000)}; echo $((6 * 7)); exit 5`)).code).toBe(5);
  });
});

describe("trouble", () => {
  let kernel: TestKernel;
  let options: BootOptions;

  beforeAll(async () => {
    kernel = await testKernel(task, KERNELS[0]);
    options = { image: kernel.image, accelerator: "tcg" };
  });

  test("a panic is one, with the lines that tell", async () => {
    const guest = await boot(task, options);
    const { code, message } = await refusal(guest.run("echo c >/proc/sysrq-trigger"));
    expect(code).toBe("LAB_PANIC");
    expect(message).toMatch(/^Kernel panic - not syncing: sysrq triggered crash/);
    expect(message).toContain("Call Trace:");
    expect(await refusal(guest.run("true"))).toMatchObject({ code: "LAB_PANIC" });
    expect(guest.alive).toBe(false);
    expect(await ended(guest.pid)).toBe(true);
  });

  test("a guest whose QEMU is killed is lost", async () => {
    const guest = await boot(task, options);
    const run = refusal(guest.run("echo 'the last line' >/dev/kmsg; sleep 100"));
    await expect.poll(() => guest.kernelLog().at(-1)?.text, { timeout: 30_000 }).toBe("the last line");
    process.kill(guest.pid, "SIGKILL");
    const { code, message } = await run;
    expect([code, message.split("\n")[0]]).toEqual(["LAB_LOST", "QEMU was ended by SIGKILL"]);
    expect(message).toContain("the last line");
  });

  test("a guest that powers off is lost", async () => {
    const guest = await boot(task, options);
    expect(await refusal(guest.run("poweroff -f; sleep 100"))).toMatchObject({ code: "LAB_LOST" });
  });

  test("a machine that stands still is a hang", async () => {
    const guest = await boot(task, { ...options, graceMs: 3000 });
    // Nothing in the guest can answer, not even to an NMI.
    process.kill(guest.pid, "SIGSTOP");
    expect(await refusal(guest.run("true", { timeoutMs: 500 }))).toMatchObject({ code: "LAB_HANG" });
    expect(await ended(guest.pid)).toBe(true);
  });

  test("a machine that others keep from running does not stand still: it is waited for", async () => {
    const bytes = randomBytes(16 * 1024);
    const timeOf = async (guest: Guest): Promise<number> => {
      const started = performance.now();
      await guest.put("/opt/large", bytes);
      return performance.now() - started;
    };
    // By itself, a quarter of a second or a whole one: this machine is not always as fast.
    const alone = await boot(task, options);
    const aloneMs = await timeOf(alone);
    await alone.stop();
    const graceMs = Math.max(1000, 3 * aloneMs);
    const guest = await boot(task, { ...options, graceMs });
    // Each a session of its own, as QEMU is: the scheduler may share out by sessions.
    const busy = () => spawn("taskset", ["-c", "0", "sh", "-c", "while :; do :; done"], { stdio: "ignore", detached: true });
    const others = Array.from({ length: 5 }, busy);
    try {
      await run(task, ["taskset", "-a", "-p", "-c", "0", String(guest.pid)]);
      expect(await timeOf(guest)).toBeGreaterThan(graceMs);
    } finally {
      for (const other of others) other.kill("SIGKILL");
    }
    expect((await guest.run("stat -c %s /opt/large")).output).toBe(`${16 * 1024}\n`);
    await guest.stop();
  });

  test("a stopped guest is not to be used", async () => {
    const guest = await boot(task, options);
    await guest.stop();
    await guest.stop();
    expect(await refusal(guest.run("true"))).toMatchObject({ code: "LAB_STOPPED" });
  });

  test("cancelling ends the machine, while it boots and later, and leaves nothing", async () => {
    const before = await leftovers();
    for (const ms of [0, 30, 300, 1500]) {
      const abort = new AbortController();
      const booting = refusal(boot(new Task(undefined, abort.signal), options));
      setTimeout(() => abort.abort(), ms);
      expect(await booting, `after ${ms} ms`).toMatchObject({ code: "CANCELLED" });
    }
    const abort = new AbortController();
    const guest = await boot(new Task(undefined, abort.signal), options);
    const run = refusal(guest.run("sleep 100"));
    abort.abort();
    expect(await run).toMatchObject({ code: "CANCELLED" });
    expect(await ended(guest.pid)).toBe(true);
    expect(await leftovers()).toEqual(before);
  });

  test.each(["SIGKILL", "SIGINT"] as const)("%s of our own process leaves no machine", async (signal) => {
    const script = join(import.meta.dirname, "../test/boot-and-wait.ts");
    const child = spawn(process.execPath, ["--import", "tsx", "--conditions=source", script, kernel.image], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = await new Promise<number>((resolve) => child.stdout.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))));
    expect(existsSync(`/proc/${pid}/exe`)).toBe(true);
    child.kill(signal);
    expect(await ended(pid)).toBe(true);
  });

  test("what is missing is named", async () => {
    expect(await refusal(boot(task, { ...options, image: "/nowhere/vmlinuz" }))).toMatchObject({ code: "LAB_FILE_UNREADABLE" });
    expect(await refusal(boot(task, { ...options, files: [{ path: "/x", content: { file: "/nowhere/x" } }] }))).toMatchObject({
      code: "LAB_FILE_UNREADABLE",
    });
    expect(await refusal(boot(task, { ...options, modules: { tree: kernel.modules, names: ["no_such"] } }))).toMatchObject({
      code: "LAB_MODULE_MISSING",
    });
    const path = process.env.PATH;
    process.env.PATH = "";
    const missing = await refusal(boot(task, options));
    process.env.PATH = path;
    expect(missing).toMatchObject({ code: "LAB_QEMU_MISSING" });
  });

  test("an image that is none, one that finds no console", async () => {
    const directory = await mkdtemp(join(tmpdir(), "suture-lab-test-"));
    try {
      await writeFile(join(directory, "vmlinuz"), "no kernel at all".repeat(1000));
      const none = await refusal(boot(task, { ...options, image: join(directory, "vmlinuz") }));
      expect(none.code).toBe("LAB_IMAGE");
    } finally {
      await rm(directory, { recursive: true });
    }
    const early = await refusal(boot(task, { ...options, append: ["rdinit=/nowhere", "root=/dev/none"] }));
    expect(early.code).toBe("LAB_PANIC");
    const slow = await refusal(boot(task, { ...options, append: ["rdinit=/bin/cat"], deadlineMs: 5000 }));
    expect(slow.code).toMatch(/^LAB_(HANG|PANIC)$/);
  });

  test("a module of another kernel is refused", async () => {
    const own = (await loadOrder(task, kernel.modules, ["nf_nat"])).at(-1);
    const directory = await mkdtemp(join(tmpdir(), "suture-lab-test-"));
    try {
      const other = join(directory, "nf_nat.ko");
      await writeFile(other, ofAnotherKernel(own?.data ?? Buffer.of()));
      const refused = await refusal(boot(task, { ...options, modules: { tree: kernel.modules, names: [other] } }));
      expect(refused).toMatchObject({ code: "LAB_MODULE_REFUSED", message: expect.stringContaining("version magic") });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("KVM is tried once for each boot of this machine", async () => {
    const cache = await mkdtemp(join(tmpdir(), "suture-lab-cache-"));
    try {
      const first = await boot(task, { image: kernel.image, cache });
      expect(await first.run("echo up")).toMatchObject({ output: "up\n" });
      await first.stop();
      const second = await boot(task, { image: kernel.image, cache });
      expect(second.accelerator).toBe(first.accelerator);
      expect(second.kernelLog().map(lineText).length).toBeGreaterThan(100);
      await second.stop();
      expect(await readdir(cache)).toEqual(existsSync("/dev/kvm") ? ["accelerator"] : []);
    } finally {
      await rm(cache, { recursive: true });
    }
  });
});
