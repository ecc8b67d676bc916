/** What a run is, and what it works with. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { KernelContext } from "@suture/kbuild";
import { cacheRoot, ownKernel, prepareTarget, type Target } from "@suture/sources";
import { Task } from "@suture/task";
import { Kept, type Result } from "./kept.ts";
import type { Options, Word } from "./options.ts";

export interface Run {
  name: string;
  /** One line. */
  what: string;
  /** Words that only this run has, or that it takes of those that all runs write alike (options.ts), with what they are unless given. */
  words: Record<string, Word>;
  /** Programs and files that have to be there, and the packages that hold them. */
  needs?: Record<string, string>;
  /** What only root can do. */
  root?: boolean;
  /** About one kernel: which, unless --kernel says it. */
  kernel?: (context: RunContext) => Promise<string>;
  /** Results are of one commit, and count for no other: which. */
  ofCommit?: (context: RunContext) => string;
  run(context: RunContext): Promise<void>;
}

export const ROOT = join(import.meta.dirname, "..");
export const newestCloud = ({ task }: RunContext): Promise<string> => ownKernel(task);

/** What is checked out there, with a hash of what was changed in it. */
export function commitOf(checkout: string): string {
  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", checkout, ...args], { encoding: "utf8", maxBuffer: 2 ** 28 }).trim();
  const changes = git("diff", "HEAD");
  const head = git("rev-parse", "--short=12", "HEAD");
  return changes === "" ? head : `${head}+${createHash("sha256").update(changes).digest("hex").slice(0, 8)}`;
}

export type Found = Omit<Result, "name" | "ms">;

export class RunContext {
  readonly task: Task;
  readonly options: Options;
  readonly cache = cacheRoot(process.env);
  /** What this run is about: whatever has a result now, or would have. */
  readonly names = new Set<string>();
  /** The run's own sums. */
  more: Record<string, unknown> | undefined;
  /** Whether things are left to do although the run was not stopped. */
  left = false;
  #kept: Kept | undefined;
  #folder = "";
  #release: string | undefined;
  #target: Target | undefined;
  #kernel: KernelContext | undefined;

  constructor(signal: AbortSignal, options: Options) {
    this.task = new Task(undefined, signal);
    this.options = options;
  }

  async open(run: Run): Promise<void> {
    const { options } = this;
    const short = options.flag("short");
    const commit = run.ofCommit?.(this) ?? commitOf(ROOT);
    this.#release = run.kernel === undefined ? undefined : (options.text("kernel") ?? (await run.kernel(this)));
    // Short runs show that all is well now: what another commit did says nothing of this one.
    const one = short || run.ofCommit !== undefined;
    const place = [short ? "short" : "", run.name, one ? commit : ""];
    this.#folder = options.text("out") ?? join(this.cache, "qualification", ...place, this.#release ?? "");
    const again = options.list("again");
    const header = { run: run.name, commit, kernel: this.#release, options: options.given };
    this.#kept = new Kept(this.#folder, header, { again, ofCommit: one });
  }

  get kept(): Kept {
    if (this.#kept === undefined) throw new Error("the run is not open");
    return this.#kept;
  }

  /** Where results and what they are about are kept. */
  get folder(): string {
    return this.#folder;
  }

  get release(): string {
    if (this.#release === undefined) throw new Error("the run is about no kernel");
    return this.#release;
  }

  async target(): Promise<Target> {
    this.#target ??= await prepareTarget(this.task, this.release, { cache: this.cache });
    return this.#target;
  }

  async kernel(): Promise<KernelContext> {
    this.#kernel ??= await KernelContext.open(this.task, await this.target(), this.cache);
    return this.#kernel;
  }

  /** Whether --only lets it be done. */
  isWanted = (name: string): boolean => {
    const only = this.options.text("only");
    return only === undefined || new RegExp(only).test(name);
  };

  /** Does one thing, unless that is done already. @returns undefined if --only leaves it out */
  async item(name: string, work: () => Promise<Found>): Promise<Result | undefined> {
    if (!this.isWanted(name)) return undefined;
    this.names.add(name);
    const known = this.kept.get(name);
    if (known !== undefined) return known;
    this.task.check();
    const started = performance.now();
    const found = await work().catch((error: unknown): Found => {
      this.task.check();
      if (error instanceof SutureError)
        return { good: false, outcome: "refused", code: error.code, why: `${error.where.symbol ?? ""} ${error.message}`.trim() };
      return { good: false, outcome: "crashed", why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    });
    return this.add({ name, ...found, ms: Math.round(performance.now() - started) });
  }

  /** Keeps a result and says it. */
  add(result: Result): Result {
    this.names.add(result.name);
    this.kept.add(result);
    const { name, good, outcome, code, ms, why } = result;
    const words = [good ? "ok    " : "NOT OK", name, code ?? outcome, `${(ms / 1000).toFixed(1)} s`, why ?? ""];
    console.log(words.join("\t").replaceAll("\n", " ").slice(0, 300).trimEnd());
    return result;
  }

  close(): void {
    this.#kernel?.close();
  }
}
