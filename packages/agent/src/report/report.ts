/** What a run did, as files: for people, for programs, and for a Prometheus collector. */
import { makeFolderDurably, writeAtomic } from "@suture/files";
import type { Machine } from "@suture/host";
import { type AgentConfiguration, type AgentRun, type AgentStatus, agentRunDocument } from "@suture/protocol";
import * as v from "valibot";
import { FOLDER, REPORT } from "../layout.ts";
import { holdOf } from "../machine-facts.ts";
import { readMemory } from "../memory.ts";
import { readPlain } from "../plain-file.ts";
import { fetchReport } from "../run/trusted.ts";
import { metricsText } from "./metrics.ts";

const LIMIT = 16 * 1024 * 1024;

export async function writeReport(machine: Machine, { textfile }: AgentConfiguration, report: AgentRun): Promise<void> {
  await makeFolderDurably(machine.path(FOLDER));
  await writeAtomic(machine.path(REPORT), `${JSON.stringify(agentRunDocument.of(report), undefined, 1)}\n`, 0o644);
  // Its folder is the collector's.
  if (textfile !== undefined) await writeAtomic(machine.path(textfile), metricsText(report, holdOf(machine) !== undefined), 0o644);
}

/** Reads only. @throws AGENT_MEMORY */
export async function agentStatus(machine: Machine): Promise<AgentStatus> {
  const { "suture-agent-memory": _, ...memory } = await readMemory(machine);
  const fetch = await fetchReport(machine);
  const run = await lastRun(machine);
  return { hold: holdOf(machine), run, fetch: fetch === undefined ? undefined : { schema: "suture/agent-fetch-1", ...fetch }, ...memory };
}

/** @returns undefined if there is none, or it is of another version */
export async function lastRun(machine: Machine): Promise<AgentStatus["run"]> {
  try {
    const bytes = await readPlain(machine.path(REPORT), LIMIT);
    return v.parse(agentRunDocument.schema, JSON.parse(bytes?.toString("utf8") ?? ""));
  } catch {
    // There is none, or it is of another version.
    return undefined;
  }
}
