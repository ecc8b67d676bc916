import { Task } from "@suture/task";
import { afterEach, expect, test, vi } from "vitest";
import { type Screen, ScreenReporter } from "./reporter.ts";

class Paper implements Screen {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 60;
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
  /** What a terminal shows after the erasing sequences did their work. */
  shown(): string {
    const lines: string[] = [];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const [, up, line] of this.text.matchAll(/\u001b\[(\d+)A\u001b\[J|([^\u001b\n]*)\n/g)) {
      if (up !== undefined) lines.length -= Number(up);
      else lines.push(line ?? "");
    }
    return lines.join("\n");
  }
}

afterEach(() => vi.useRealTimers());

const plain = { verbose: false, colour: false };

test("in a pipe a stage is one line when it ends", async () => {
  const paper = new Paper(false);
  const task = new Task(new ScreenReporter(paper, plain));
  await task.stage("compile", async (stage) => {
    stage.note("fs/pipe.o");
    stage.progress(1, 3, "objects");
    stage.result("3 objects");
  });
  expect(paper.text).toMatch(/^ {2}compile {8}3 objects +\d+ ms\n$/);
});

test("in a pipe a stage that takes long says where it is, at least every ten seconds", async () => {
  vi.useFakeTimers();
  const paper = new Paper(false);
  const task = new Task(new ScreenReporter(paper, plain));
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  let longest = 0;
  let last = performance.now();
  const write = paper.write.bind(paper);
  paper.write = (text) => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    write(text);
  };
  const work = task.stage("compile", async (stage) => {
    for (let done = 0; done < 60; done++) {
      stage.note(`object-${done}.o`);
      stage.progress(done, 60, "objects");
      await sleep(1000);
    }
    await task.stage("link", () => sleep(25_000));
    stage.result("60 objects");
  });
  await vi.runAllTimersAsync();
  await work;
  expect(longest).toBeGreaterThan(8_000);
  expect(longest).toBeLessThan(10_000);
  const lines = paper.text.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^ {2}compile \.\.\. +\d+ of 60 objects, 1\d %, \d\d\.0 s left {3}object-\d\.o {3}9\.0 s so far$/);
  expect(lines.filter((line) => line.startsWith("  link ..."))).toHaveLength(2);
  expect(lines.at(-1)).toMatch(/^ {2}compile +60 objects +1 min 25 s$/);
  expect(vi.getTimerCount()).toBe(0);
});

test("work that leaves the processor to nobody says where it is when it tells us", async () => {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const paper = new Paper(false);
  const task = new Task(new ScreenReporter(paper, plain));
  await task.stage("diff", async (stage) => {
    // No timer runs between these.
    for (let done = 0; done < 100; done++, now += 300) stage.progress(done, 100, "objects");
  });
  clock.mockRestore();
  const lines = paper.text.trimEnd().split("\n");
  expect(lines.slice(0, -1).map((line) => line.slice(0, 26))).toEqual(["29", "58", "87"].map((done) => `  diff ...       ${done} of 100`));
});

test("a stage that throws is shown as failed", async () => {
  const paper = new Paper(false);
  const task = new Task(new ScreenReporter(paper, plain));
  await expect(task.stage("link", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(paper.text).toMatch(/^ {2}link +failed +\d+ ms\n$/);
});

test("commands are shown only when asked for", () => {
  const quiet = new Paper(false);
  new ScreenReporter(quiet, plain).command("gcc-12 -c a.c", 12);
  expect(quiet.text).toBe("");
  const verbose = new Paper(false);
  new ScreenReporter(verbose, { ...plain, verbose: true }).command("gcc-12 -c a.c", 12);
  expect(verbose.text).toBe("    $ gcc-12 -c a.c   12 ms\n");
});

test("on a terminal each running stage has a live line that goes away", () => {
  const paper = new Paper(true);
  const reporter = new ScreenReporter(paper, plain);
  const first = reporter.begin("download", 0);
  const second = reporter.begin("unpack", 0);
  first.progress(1_000_000, 4_000_000, "bytes");
  second.note(`a note that is much too long ${"for this terminal ".repeat(5)}`);
  reporter.warn("slow mirror");
  expect(paper.shown()).toMatch(/^warning: slow mirror\n {2}download {7}1.0 MB of 4.0 MB, 25 %\n {2}unpack .*…$/);
  for (const line of paper.shown().split("\n")) expect(line.length).toBeLessThan(paper.columns);
  first.result("4.0 MB");
  first.end("done", 1500);
  second.end("done", 20);
  reporter.close();
  expect(paper.shown()).toMatch(/^warning: slow mirror\n {2}download +4.0 MB +1.5 s\n {2}unpack +20 ms$/);
});

test("colour is used for warnings only where it is wanted", () => {
  const paper = new Paper(false);
  new ScreenReporter(paper, { verbose: false, colour: true }).warn("a");
  expect(paper.text).toBe("\u001b[33mwarning\u001b[0m: a\n");
});
