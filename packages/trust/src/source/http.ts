/** A repository behind a web server. */
import { fail } from "../errors.ts";
import { fetching } from "./proxy.ts";
import type { Source } from "./source.ts";

export interface HttpOptions {
  /** Milliseconds until the answer begins, and that any pause may take. */
  patience?: number;
  /** Bytes in a second, on the whole, below which it is given up: who sends drop by drop holds a machine up otherwise. */
  slowest?: number;
  /** That of the environment unless given. */
  proxy?: string | undefined;
}

const NOT_THERE: ReadonlySet<number> = new Set([403, 404, 410]);

export function httpSource(address: string, { patience = 30_000, slowest = 4096, proxy }: HttpOptions = {}): Source {
  const base = new URL(address.endsWith("/") ? address : `${address}/`);
  let ask: ReturnType<typeof fetching> | undefined;
  return {
    name: base.href,
    async read(task, path, limit) {
      task.check();
      const url = new URL(path.split("/").map(encodeURIComponent).join("/"), base);
      const file = url.href;
      const stop = new AbortController();
      const total = AbortSignal.timeout(patience + Math.ceil((limit / slowest) * 1000));
      let pause = setTimeout(() => stop.abort(new Error(`nothing came for ${patience} ms`)), patience);
      try {
        const signal = AbortSignal.any([task.signal, stop.signal, total]);
        ask ??= fetching(proxy);
        const answer = await answerOf(await ask, url, { signal, headers: { "accept-encoding": "identity", "user-agent": "suture" } });
        if (NOT_THERE.has(answer.status)) {
          await answer.body?.cancel();
          return undefined;
        }
        if (answer.status !== 200) throw fail("TRUST_FETCH", `the server answers ${answer.status} ${answer.statusText}`, { file });
        const chunks: Uint8Array[] = [];
        let length = 0;
        for await (const chunk of answer.body ?? []) {
          clearTimeout(pause);
          pause = setTimeout(() => stop.abort(new Error(`nothing came for ${patience} ms`)), patience);
          length += chunk.length;
          if (length > limit) throw fail("TRUST_TOO_BIG", `more than the ${limit} bytes came that it may have`, { file });
          chunks.push(chunk);
        }
        return Buffer.concat(chunks, length);
      } catch (cause) {
        task.check();
        if (cause instanceof Error && cause.name === "SutureError") throw cause;
        throw fail("TRUST_FETCH", saidBy(cause), { file }, { cause });
      } finally {
        clearTimeout(pause);
        stop.abort();
      }
    },
  };
}

/** A server closes a connection that is idle, perhaps in the moment in which it is used again: nothing came then, and it is asked once more. */
async function answerOf(ask: Awaited<ReturnType<typeof fetching>>, url: URL, asked: RequestInit): Promise<Response> {
  try {
    return await ask(url, asked);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof Error && "code" in cause && CLOSED.has(cause.code))) throw error;
    return ask(url, asked);
  }
}

const CLOSED: ReadonlySet<unknown> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

/** What fetch says is in what it says that it comes from. */
function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${inner}`.slice(0, 300);
}
