/** Debian's chromium, driven through a pipe by its own protocol. What it complains of, and whom it asks, is kept. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { start, type Task } from "@suture/task";

const PATIENCE_MS = 120_000;
/** Of a picture: what comes below is more of the same. */
const TALLEST = 2400;

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

export interface Look {
  width: number;
  dark: boolean;
}

export class Browser {
  /** Complaints of pages: errors of scripts, what a policy refused, what did not load. */
  readonly complaints: string[] = [];
  /** Of all that was asked for. */
  readonly origins = new Set<string>();
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #heard = new Map<string, () => void>();
  #last = 0;
  #session: string | undefined;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    let rest = "";
    (child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\0");
      rest = parts.pop() ?? "";
      for (const part of parts) this.#hear(JSON.parse(part) as Message);
    });
  }

  static version(): string {
    return execFileSync("chromium", ["--version"], { encoding: "utf8" }).trim();
  }

  static async open(task: Task): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "suture-browser-"));
    // Its sandbox is none of root's.
    const words = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"];
    const child = start(task, ["chromium", ...words, `--user-data-dir=${folder}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    const browser = new Browser(child, folder);
    const { targetId } = await browser.#ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#ask("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await browser.#ask(`${domain}.enable`);
    return browser;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#session = undefined;
    await this.#ask("Browser.close").catch(() => {});
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async goTo(url: string): Promise<void> {
    await this.#loading(() => this.#ask("Page.navigate", { url }));
  }

  /** What is pressed leads to another page. */
  async press(selector: string): Promise<void> {
    await this.#loading(() =>
      this.evaluate(
        `(document.querySelector(${JSON.stringify(selector)}) ?? (() => { throw new Error("there is no " + ${JSON.stringify(selector)}) })()).click()`,
      ),
    );
  }

  async fill(selector: string, value: string): Promise<void> {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).value = ${JSON.stringify(value)}`);
  }

  /** A key, as a keyboard sends it. */
  async key(key: string): Promise<void> {
    const text = key === "Enter" ? { text: "\r" } : {};
    const code = { Tab: 9, Enter: 13 }[key] ?? 0;
    for (const type of ["keyDown", "keyUp"])
      await this.#ask("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode: code, ...(type === "keyDown" ? text : {}) });
  }

  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails).slice(0, 500));
    return (result as { value: T }).value;
  }

  async look({ width, dark }: Look): Promise<void> {
    await this.#ask("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
    await this.#ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
  }

  /** All of the page. */
  async shot(file: string): Promise<void> {
    const [width = 0, height = 0] = await this.evaluate<number[]>("[innerWidth, document.documentElement.scrollHeight]");
    const clip = { x: 0, y: 0, width, height: Math.min(height, TALLEST), scale: 1 };
    const { data } = await this.#ask("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, clip });
    writeFileSync(file, Buffer.from(String(data), "base64"));
  }

  async #loading(begin: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const loaded = new Promise<void>((done, failed) => {
      this.#heard.set("Page.loadEventFired", done);
      timer = setTimeout(() => failed(new Error("the page is not there in time")), PATIENCE_MS);
    });
    try {
      await Promise.all([begin(), loaded]);
    } finally {
      clearTimeout(timer);
      this.#heard.delete("Page.loadEventFired");
    }
  }

  #ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`${method}: the browser says nothing`)), PATIENCE_MS);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (error === undefined) done(result ?? {});
        else failed(new Error(`${method}: ${error.message}`));
      });
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }

  #hear(message: Message): void {
    const { id, method = "", params = {} } = message;
    if (id !== undefined) this.#waiting.get(id)?.(message);
    this.#heard.get(method)?.();
    if (method === "Network.requestWillBeSent") this.origins.add(new URL((params.request as { url: string }).url).origin);
    if (
      method === "Runtime.exceptionThrown" ||
      method === "Log.entryAdded" ||
      (method === "Runtime.consoleAPICalled" && params.type === "error")
    )
      this.complaints.push(JSON.stringify(params).slice(0, 500));
  }
}
