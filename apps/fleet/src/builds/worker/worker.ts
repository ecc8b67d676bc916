/**
 * A builder: asks the fleet's server what is to be built, builds and tries it by the command `suture`, and sends what came of it. It holds no key but that by which
 * it asks, and no password of a database; what it makes nobody has signed.
 */
import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SutureError } from "@suture/errors";
import { sha256OfFile } from "@suture/files";
import type { BuildFile, BuildOrder } from "@suture/protocol";
import { run, Task } from "@suture/task";
import type { Logger } from "pino";
import { alone } from "../../alone.ts";
import { fail } from "../../errors.ts";
import { type BuilderClient, Refused } from "./client.ts";
import { kernelsIn } from "./kernels.ts";
import { build, type Outcome } from "./steps.ts";

const LOOK_MS = 30_000;
const ARCHIVE_MS = 3600_000;
/** A kernel's source, its objects, and what is kept of them. */
const ROOM_BYTES = 8 * 1024 ** 3;
const LISTING_MS = 600_000;
const LONGEST_BEAT = 32 * 1024;

export interface WorkerOptions {
  client: BuilderClient;
  /** The command, with words that stand before others. */
  suture: readonly string[];
  /** Of what is being built. */
  folder: string;
  /** Without them nothing is begun. */
  room?: number;
  lookMs?: number;
  /** It ends when there is nothing to do. */
  once?: boolean;
}

/** Until the task is cancelled. @throws FLEET_BUILDER where it can do nothing: its key is none, or the command is not there; FLEET_FOLDER */
export async function work(task: Task, options: WorkerOptions, log: Logger): Promise<void> {
  const { folder } = options;
  const lock = await alone(task, folder);
  try {
    // Of builds in which a builder was killed.
    for (const name of await readdir(folder))
      if (/^[0-9a-f]{12}-\d+$/.test(name)) await rm(join(folder, name), { recursive: true, force: true });
    await looking(task, options, log);
  } finally {
    await lock.close();
  }
}

async function looking(task: Task, options: WorkerOptions, log: Logger): Promise<void> {
  const { client, folder, room = ROOM_BYTES, lookMs = LOOK_MS, once = false } = options;
  let told: number | undefined;
  while (!task.signal.aborted) {
    try {
      if (told === undefined || performance.now() - told > ARCHIVE_MS) {
        await client.archive(task, await kernels(task, options));
        told = performance.now();
      }
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < room) throw fail("FLEET_BUILDER", `${bavail * bsize} bytes are free, and it takes ${room}`, { file: folder });
      const order = await client.claim(task);
      if (order !== null) {
        await one(task, options, order, log);
        continue;
      }
    } catch (error) {
      if (task.signal.aborted) return;
      if (error instanceof Refused && /^FLEET_(?:LOGIN|ROLE)$/.test(error.code))
        throw fail("FLEET_BUILDER", `${error.code}: ${error.message}`);
      if (once) throw error;
      log.error({ err: error }, "the builder waits");
    }
    if (once) return;
    await sleep(lookMs * (0.75 + Math.random() / 2), undefined, { signal: task.signal }).catch(() => {});
  }
}

/** @throws FLEET_BUILDER */
async function kernels(task: Task, { suture }: WorkerOptions) {
  try {
    const { stdout } = await run(task, [...suture, "kernels", "--all", "--json"], { timeoutMs: LISTING_MS });
    const found = kernelsIn(stdout);
    if (found === undefined) throw fail("FLEET_BUILDER", "it does not list kernels as is known here", { file: suture.join(" ") });
    return found;
  } catch (cause) {
    task.check();
    if (cause instanceof SutureError && cause.code !== "FLEET_BUILDER")
      throw fail("FLEET_BUILDER", `it does not list kernels: ${cause.message}`, { file: suture.join(" ") }, { cause });
    throw cause;
  }
}

async function one(task: Task, options: WorkerOptions, order: BuildOrder, log: Logger): Promise<void> {
  const { client, suture } = options;
  const { id, release, targetRelease, attempt } = order;
  const told = { build: id, release, targetRelease, attempt };
  log.info(told, "a build begins");
  const folder = join(options.folder, `${id}-${attempt}`);
  const given = new AbortController();
  // What is cancelled on the server ends here, and so does what nobody can be told of.
  const own = new Task(task.reporter, AbortSignal.any([task.signal, given.signal]));
  const beats = new Beats(own, client, order, given);
  const until = performance.now() + order.hours * 3600_000;
  try {
    await mkdir(folder);
    const left = (): number => until - performance.now();
    const outcome = await build(own, {
      ...{ suture, order, folder, left },
      stage: (name) => beats.at(name),
      print: (text) => beats.print(text),
    });
    beats.at("what was built is sent");
    const files = await sent(own, client, order, outcome);
    await beats.end();
    const { outcome: what, code, why, mend } = outcome;
    await client.end(own, order, { outcome: what, code, why, mend, files });
    log.info({ ...told, outcome: what, code, why }, "a build ends");
  } catch (error) {
    if (task.signal.aborted) await giveBack(client, order);
    else if (given.signal.aborted) log.warn(told, "nobody waits for the build any more");
    else {
      const why = error instanceof Error ? error.message.slice(0, 2000) : String(error);
      log.error({ ...told, err: error }, "a build cannot be sent");
      await client
        .end(own, order, { outcome: "failed", code: error instanceof Refused ? error.code : "", why, mend: "", files: [] })
        .catch(() => {});
    }
  } finally {
    await beats.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function sent(
  task: Task,
  client: BuilderClient,
  order: BuildOrder,
  { files }: Outcome,
): Promise<{ file: BuildFile; sha256: string }[]> {
  const done: { file: BuildFile; sha256: string }[] = [];
  for (const [file, path] of Object.entries(files) as [BuildFile, string][]) {
    await client.send(task, order, file, path);
    done.push({ file, sha256: await sha256OfFile(task, path) });
  }
  return done;
}

/** Another one may take it at once. A server that does not answer now sees it by itself. */
async function giveBack(client: BuilderClient, order: BuildOrder): Promise<void> {
  const soon = new Task(undefined, AbortSignal.timeout(5000));
  await client.end(soon, order, { outcome: "given back", code: "", why: "the builder was stopped", mend: "", files: [] }).catch(() => {});
}

/** Says to the server that it goes on, and what was printed since. */
class Beats {
  readonly #task: Task;
  readonly #client: BuilderClient;
  readonly #order: BuildOrder;
  readonly #given: AbortController;
  readonly #timer: NodeJS.Timeout;
  #stage = "";
  #log = "";
  /** Bytes that were printed, and that are not kept any more. */
  #gone = 0;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(task: Task, client: BuilderClient, order: BuildOrder, given: AbortController) {
    this.#task = task;
    this.#client = client;
    this.#order = order;
    this.#given = given;
    this.#timer = setInterval(() => this.#beat(), order.beatSeconds * 1000);
  }

  at(stage: string): void {
    this.#stage = stage;
    this.#beat();
  }

  print(text: string): void {
    // The newest is what says why.
    const all = `${this.#log}${text.replaceAll("\0", "")}`;
    this.#log = all.slice(-20 * LONGEST_BEAT);
    this.#gone += all.length - this.#log.length;
  }

  /** One at a time, and one more after it: a server that says nothing for hours is not told all at once what it missed. */
  #beat(): void {
    this.#again = this.#running !== undefined;
    this.#running ??= this.#once().finally(() => {
      this.#running = undefined;
      if (this.#again) this.#beat();
    });
  }

  async #once(): Promise<void> {
    const piece = this.#log.slice(0, LONGEST_BEAT);
    const from = this.#gone;
    try {
      if (!(await this.#client.beat(this.#task, this.#order, this.#stage, piece))) this.#given.abort();
      else {
        const said = from + piece.length - this.#gone;
        this.#log = this.#log.slice(Math.max(0, said));
        this.#gone += Math.max(0, said);
      }
    } catch {
      // It is said again; a server that hears nothing for long gives it to another, and says so then.
    }
  }

  /** All that was printed is there; it is said on that it goes on, since the server may not take the end at once. */
  async end(): Promise<void> {
    for (let i = 0; i < 20 && this.#log !== "" && !this.#task.signal.aborted; i++) {
      this.#beat();
      await this.#running;
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#running !== undefined) {
      this.#again = false;
      await this.#running;
    }
  }
}
