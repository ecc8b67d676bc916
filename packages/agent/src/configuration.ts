/** /etc/suture/agent.json, which a person writes. */
import type { Machine } from "@suture/host";
import { type AgentConfiguration, agentConfigurationSchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "./errors.ts";
import { CONFIGURATION } from "./layout.ts";
import { readPlain } from "./plain-file.ts";

const LIMIT = 1024 * 1024;

/** @throws AGENT_CONFIGURATION: also for a word that is not known, which may have been meant to forbid something */
export async function readConfiguration(machine: Machine): Promise<AgentConfiguration> {
  const file = machine.path(CONFIGURATION);
  const wrong = (why: string, cause?: unknown): Error => fail("AGENT_CONFIGURATION", why, { file }, { cause });
  let value: unknown;
  try {
    const bytes = await readPlain(file, LIMIT);
    if (bytes === undefined) throw wrong("it is not there");
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw wrong(`it is no JSON: ${cause.message}`, cause);
    throw cause instanceof Error && "syscall" in cause ? wrong(cause.message, cause) : cause;
  }
  const checked = v.safeParse(agentConfigurationSchema, value);
  if (!checked.success) throw wrong(checked.issues.map((issue) => `${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`).join("; "));
  const names = checked.output.probes.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(`two probes have the name ${twice}`);
  return checked.output;
}
