/** The fleet's server, as a builder asks it: with a key of its role, and again where it does not answer. */
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchivedKernel } from "@suture/protocol";
import {
  type BuildEnd,
  type BuildFile,
  type BuildOrder,
  buildClaimSchema,
  buildGoesOnSchema,
  fleetAnswer,
  LONGEST_PIECE,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../../errors.ts";

const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** What may go well a moment later: what was built in hours is not given up for want of room on the server's disk. */
const PASSING: ReadonlySet<string> = new Set(["FLEET_DATABASE", "FLEET_BUSY", "FLEET_ROOM"]);
const doneSchema = v.object({});
const sizeSchema = v.strictObject({ size: v.number() });

/** The server does not do it, and says why. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, why: string) {
    super(why);
    this.code = code;
  }
}

export class BuilderClient {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url.endsWith("/") ? url : `${url}/`;
    this.#key = key;
  }

  async archive(task: Task, kernels: readonly ArchivedKernel[]): Promise<void> {
    await this.#ask(task, doneSchema, "v1/builder/archive", { kernels });
  }

  async claim(task: Task): Promise<BuildOrder | null> {
    return (await this.#ask(task, buildClaimSchema, "v1/builder/claim", {})).build;
  }

  /** @returns false where nobody waits for it any more. @throws Error where the server does not answer */
  async beat(task: Task, { id, attempt }: BuildOrder, stage: string, log: string): Promise<boolean> {
    return (await this.#once(task, buildGoesOnSchema, `v1/builder/builds/${id}/beat`, JSON.stringify({ attempt, stage, log }))).goesOn;
  }

  async end(task: Task, { id, attempt }: BuildOrder, end: Omit<BuildEnd, "attempt">): Promise<void> {
    await this.#ask(task, doneSchema, `v1/builder/builds/${id}/end`, { attempt, ...end });
  }

  /** In pieces: what was sent before a connection broke is not sent again. @throws Refused, CANCELLED */
  async send(task: Task, { id, attempt }: BuildOrder, file: BuildFile, path: string): Promise<void> {
    const opened = await open(path, "r");
    try {
      const { size: whole } = await opened.stat();
      const piece = Buffer.allocUnsafe(LONGEST_PIECE);
      for (let at = 0; at < whole; ) {
        const { bytesRead } = await opened.read(piece, 0, piece.length, at);
        const query = `v1/builder/builds/${id}/files/${file}?attempt=${attempt}&offset=${at}`;
        const { size } = await this.#again(task, () => this.#once(task, sizeSchema, query, piece.subarray(0, bytesRead)));
        if (size > whole) throw new Refused("FLEET_BUILD", `the server has ${size} bytes of ${file}, which has ${whole}`);
        at = size;
      }
    } finally {
      await opened.close();
    }
  }

  #ask<S extends v.GenericSchema<unknown, unknown>>(task: Task, schema: S, path: string, body: object): Promise<v.InferOutput<S>> {
    return this.#again(task, () => this.#once(task, schema, path, JSON.stringify(body)));
  }

  /** Until the server answers; what it refuses it refuses. */
  async #again<T>(task: Task, work: () => Promise<T>): Promise<T> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
      try {
        return await work();
      } catch (error) {
        task.check();
        if (error instanceof Refused && !PASSING.has(error.code)) throw error;
      }
      await sleep(pause * (0.75 + Math.random() / 2), undefined, { signal: task.signal }).catch(() => {});
      task.check();
    }
  }

  async #once<S extends v.GenericSchema<unknown, unknown>>(
    task: Task,
    schema: S,
    path: string,
    body: string | Uint8Array,
  ): Promise<v.InferOutput<S>> {
    const response = await fetch(new URL(path, this.#url), {
      method: "POST",
      headers: {
        authorization: `Bearer ${this.#key}`,
        "content-type": typeof body === "string" ? "application/json" : "application/octet-stream",
      },
      body,
      // The key is for the server that was named.
      redirect: "error",
      signal: AbortSignal.any([task.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const found = fleetAnswer(schema, response.status, await response.text());
    if ("refused" in found) throw new Refused(found.refused.code, found.refused.why);
    // A web server in front, whose own server is down.
    if ("wrong" in found && response.status >= 500) throw new Error(found.wrong);
    if ("wrong" in found) throw fail("FLEET_BUILDER", found.wrong, { file: this.#url });
    return found.good;
  }
}
