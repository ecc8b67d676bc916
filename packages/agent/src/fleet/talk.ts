/** A question to the fleet's server, and its answer, which may be anything. */
import type { Task } from "@suture/task";
import { fetching } from "@suture/trust";
import * as v from "valibot";
import { fail } from "../errors.ts";

const PATIENCE_MS = 15_000;
const LIMIT = 1024 * 1024;

const refusalSchema = v.looseObject({ error: v.looseObject({ code: v.string(), why: v.string() }) });

/** @throws AGENT_SERVER, CANCELLED */
export async function ask<S extends v.GenericSchema<unknown, unknown>>(
  task: Task,
  url: string,
  body: object,
  answer: S,
  proxy: string | undefined,
): Promise<v.InferOutput<S>> {
  task.check();
  const wrong = (why: string, cause?: unknown): Error => fail("AGENT_SERVER", why.slice(0, 500), { file: url }, { cause });
  let status: number;
  let text: string;
  try {
    const response = await (await fetching(proxy))(new URL(url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      // Whom it sends us to is not who was configured.
      redirect: "error",
      signal: AbortSignal.any([task.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    status = response.status;
    text = await within(response);
  } catch (cause) {
    task.check();
    const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : "";
    throw wrong(`it does not answer: ${cause instanceof Error ? cause.message : String(cause)}${inner}`, cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong(`it answers ${status} with what is no JSON`, cause);
  }
  const refused = v.safeParse(refusalSchema, value);
  if (refused.success) throw wrong(`it refuses: ${refused.output.error.code}, ${refused.output.error.why}`);
  const checked = v.safeParse(answer, value);
  if (status !== 200 || !checked.success) throw wrong(`it answers ${status} with what is no such answer`);
  return checked.output;
}

async function within({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > LIMIT) throw new Error(`it answers with more than ${LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
