/**
 * A PostgreSQL of the server's own, in a folder of its own, that nobody reaches but through a socket in it. Of the processes that use one folder one owns it: that one
 * starts PostgreSQL, and starts it again when it dies. When the owner dies, another takes its place.
 */
import { once } from "node:events";
import { constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lockFile } from "@suture/files";
import { run, start, type Task } from "@suture/task";
import type { Logger } from "pino";
import { fail } from "../errors.ts";

const PROGRAMS = "/usr/lib/postgresql";
/** Debian's, for a server that runs as root: PostgreSQL refuses to. */
const USER = "postgres";
/** As the kernel has it, with the name of the socket. */
const LONGEST_SOCKET = 107;
const OWNER_LOOKS_MS = 1000;
/** For another process to make a database: a slow machine takes minutes. */
const MADE_MS = 600_000;
/** After PostgreSQL ended at once: backends of the one before may live for a moment. */
const AGAIN_MS = 300;
const STOP_MS = 30_000;

export interface Reached {
  host: string;
  user: string;
  database: string;
}

interface Means {
  task: Task;
  log: Logger;
  /** Words before a program's, so that it runs as the user that owns the cluster. */
  as: readonly string[];
  programs: string;
  folder: string;
}

export class PrivateCluster {
  readonly reached: Reached;
  readonly #means: Means;
  readonly #ending = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  private constructor(means: Means) {
    this.#means = means;
    this.reached = { host: join(means.folder, "socket"), user: "suture", database: "postgres" };
  }

  /** With data; it may take a moment until it answers. @throws FLEET_POSTGRES */
  static async open(task: Task, folder: string, log: Logger): Promise<PrivateCluster> {
    const socket = join(folder, "socket", ".s.PGSQL.5432");
    if (Buffer.byteLength(socket) > LONGEST_SOCKET)
      throw fail("FLEET_POSTGRES", `the path of its socket has more than ${LONGEST_SOCKET} bytes`, { file: socket });
    const ids = await idsOfOwner();
    const as = ids === undefined ? [] : ["setpriv", `--reuid=${ids.uid}`, `--regid=${ids.gid}`, "--clear-groups"];
    const programs = programsFolder(join(folder, "data"));
    try {
      for (const path of [folder, join(folder, "socket")]) await ownFolder(path, ids);
    } catch (cause) {
      throw fail("FLEET_POSTGRES", cause instanceof Error ? cause.message : String(cause), { file: folder }, { cause });
    }
    const cluster = new PrivateCluster({ task, log, as, programs, folder });
    cluster.#ended = cluster.#supervise(await cluster.#made());
    return cluster;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  /** @returns undefined if another process owns it */
  async #own(): Promise<FileHandle | undefined> {
    const { task, folder } = this.#means;
    const file = await open(join(folder, "owner"), "a");
    if (await lockFile(task, file, 0)) return file;
    await file.close();
    return undefined;
  }

  /** There are data, made here or by who owns it. @returns the lock of who owns it, if that is this process */
  async #made(): Promise<FileHandle | undefined> {
    const { task, folder } = this.#means;
    for (const until = Date.now() + MADE_MS; ; ) {
      const lock = await this.#own();
      if (lock !== undefined) {
        await this.#make(lock);
        return lock;
      }
      if (existsSync(join(folder, "data"))) return undefined;
      if (Date.now() > until) throw fail("FLEET_POSTGRES", "another process is to make the database, and has not", { file: folder });
      await sleep(AGAIN_MS);
      task.check();
    }
  }

  async #make(lock: FileHandle): Promise<void> {
    const { task, folder, as, programs, log } = this.#means;
    const data = join(folder, "data");
    if (existsSync(data)) return;
    const partial = join(folder, "data.partial");
    try {
      await rm(partial, { recursive: true, force: true });
      log.info({ folder }, "a database is made");
      const words = ["--username=suture", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"];
      await run(task, [...as, join(programs, "initdb"), `--pgdata=${partial}`, ...words], { cwd: "/" });
      await rename(partial, data);
    } catch (cause) {
      await lock.close();
      throw fail("FLEET_POSTGRES", cause instanceof Error ? cause.message : String(cause), { file: folder }, { cause });
    }
  }

  async #supervise(first: FileHandle | undefined): Promise<void> {
    const { signal } = this.#ending;
    let lock = first;
    while (!signal.aborted) {
      lock ??= await this.#own().catch(() => undefined);
      if (lock === undefined) {
        await sleep(OWNER_LOOKS_MS, undefined, { signal }).catch(() => {});
        continue;
      }
      await this.#stopLeftOver();
      if (signal.aborted) break;
      await this.#serve();
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
    await lock?.close();
  }

  /** One whose owner was killed goes on without it: it is ended in order, and begun again as ours. */
  async #stopLeftOver(): Promise<void> {
    const { task, folder, as, programs } = this.#means;
    const data = join(folder, "data");
    if (!existsSync(join(data, "postmaster.pid"))) return;
    await run(task, [...as, join(programs, "pg_ctl"), "stop", "--mode=fast", "--wait", "--timeout=60", `--pgdata=${data}`], {
      cwd: "/",
      accept: [1],
    }).catch(() => undefined);
  }

  /** Until it ends. */
  async #serve(): Promise<void> {
    const { task, folder, as, programs, log } = this.#means;
    const options = ["listen_addresses=", `unix_socket_directories=${join(folder, "socket")}`, "unix_socket_permissions=0700", "port=5432"];
    const argv = [...as, join(programs, "postgres"), "-D", join(folder, "data"), ...options.flatMap((option) => ["-c", option])];
    const child = start(task, argv, { cwd: "/", stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, LC_ALL: "C" } });
    let last = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      last = text.trim().slice(-2000);
      log.debug({ postgres: last }, "postgres");
    });
    const stop = (): void => {
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGQUIT"), STOP_MS).unref();
    };
    const { signal } = this.#ending;
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    const ended = await once(child, "exit").catch((error: unknown) => [String(error)]);
    signal.removeEventListener("abort", stop);
    if (!signal.aborted) log.warn({ ended, said: last }, "PostgreSQL ended; it is started again");
  }
}

/** Of the user that PostgreSQL runs as, who may have put a link to another one there. */
async function ownFolder(path: string, ids: { uid: number; gid: number } | undefined): Promise<void> {
  await mkdir(path, { recursive: true });
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await folder.chmod(0o700);
    if (ids !== undefined) await folder.chown(ids.uid, ids.gid);
  } finally {
    await folder.close();
  }
}

/** Of the release that has made the data, else the newest. */
function programsFolder(data: string): string {
  const version = join(data, "PG_VERSION");
  if (existsSync(version)) {
    const made = readFileSync(version, "utf8").trim();
    const programs = join(PROGRAMS, made, "bin");
    if (existsSync(join(programs, "postgres"))) return programs;
    throw fail("FLEET_POSTGRES", `the data are of PostgreSQL ${made}, which is not here: install postgresql-${made}`, { file: data });
  }
  const versions = existsSync(PROGRAMS) ? readdirSync(PROGRAMS).filter((name) => existsSync(join(PROGRAMS, name, "bin/postgres"))) : [];
  const newest = versions.sort((a, b) => Number(a) - Number(b)).at(-1);
  if (newest === undefined) throw fail("FLEET_POSTGRES", "there is no PostgreSQL here", { file: PROGRAMS });
  return join(PROGRAMS, newest, "bin");
}

async function idsOfOwner(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((one) => one.startsWith(`${USER}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined)
    throw fail("FLEET_POSTGRES", `it does not run as root, and there is no user ${USER}`, { file: "/etc/passwd" });
  return { uid: Number(uid), gid: Number(gid) };
}
