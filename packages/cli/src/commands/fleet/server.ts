/** The fleet's server, asked with a key that its user has kept. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeFolderDurably, writeDurably } from "@suture/files";
import { type FleetLogin, fleetAnswer, fleetLoginSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { Command } from "commander";
import type { Run } from "../../answer.ts";
import { fail } from "../../errors.ts";

export type Add = (fleet: Command, run: Run) => void;

const PATIENCE_MS = 30_000;
const fileOf = (): string => join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "suture", "fleet.json");

export async function keepLogin(login: FleetLogin): Promise<void> {
  const file = fileOf();
  await makeFolderDurably(join(file, ".."), 0o700);
  await writeDurably(file, `${JSON.stringify(login, undefined, 1)}\n`, 0o600);
}

/** @throws CLI_FLEET */
async function keptLogin(): Promise<FleetLogin> {
  const file = fileOf();
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw fail(
      "CLI_FLEET",
      cause instanceof Error ? cause.message : String(cause),
      { file },
      { cause, mend: "`suture fleet login` keeps it." },
    );
  });
  const found = fleetAnswer(fleetLoginSchema, 200, text);
  if (!("good" in found)) throw fail("CLI_FLEET", "it is not what `suture fleet login` has kept", { file });
  return found.good;
}

type Schema = Parameters<typeof fleetAnswer>[0];
type Output<S extends Schema> = Extract<ReturnType<typeof fleetAnswer<S>>, { good: unknown }>["good"];

/** @param path as of /openapi.json of the server. @throws CLI_FLEET, CANCELLED */
export async function askFleet<S extends Schema>(
  task: Task,
  schema: S,
  path: string,
  body?: object,
  login?: FleetLogin,
): Promise<Output<S>> {
  const { server, key } = login ?? (await keptLogin());
  const url = new URL(path, server).href;
  let found: ReturnType<typeof fleetAnswer<S>>;
  try {
    const response = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // The key is for the server that was named.
      redirect: "error",
      signal: AbortSignal.any([task.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    found = fleetAnswer(schema, response.status, await response.text());
  } catch (cause) {
    task.check();
    const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : "";
    throw fail(
      "CLI_FLEET",
      `it does not answer: ${cause instanceof Error ? cause.message : String(cause)}${inner}`,
      { file: url },
      { cause },
    );
  }
  if ("wrong" in found) throw fail("CLI_FLEET", found.wrong, { file: url });
  if ("refused" in found)
    throw fail("CLI_FLEET", `${found.refused.code}, ${found.refused.why}`, { file: url }, { mend: found.refused.mend });
  return found.good;
}
