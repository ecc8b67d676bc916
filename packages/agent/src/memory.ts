/**
 * What the agent remembers from one run to the next. It is written before the kernel is changed, so that whatever happens then is known to the next run, in
 * this boot or another.
 */
import { makeFolderDurably, writeDurably } from "@suture/files";
import type { Machine } from "@suture/host";
import { type AgentMemory, agentMemorySchema, lineOf, type Soak } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "./errors.ts";
import { FOLDER, MEMORY } from "./layout.ts";
import { readPlain } from "./plain-file.ts";

export const NOTHING: AgentMemory = { "suture-agent-memory": 1, counters: {}, soak: null, accepted: [], refused: [] };
const LIMIT = 4 * 1024 * 1024;

/** @throws AGENT_MEMORY if there is one that cannot be read: it may forbid what is about to be done */
export async function readMemory(machine: Machine): Promise<AgentMemory> {
  const file = machine.path(MEMORY);
  const bytes = await readPlain(file, LIMIT).catch((cause: unknown) => {
    throw fail("AGENT_MEMORY", `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  });
  if (bytes === undefined) return NOTHING;
  try {
    return v.parse(agentMemorySchema, JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw fail("AGENT_MEMORY", `it is damaged: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
}

/** @throws AGENT_MEMORY */
export async function writeMemory(machine: Machine, memory: AgentMemory): Promise<void> {
  const file = machine.path(MEMORY);
  try {
    await makeFolderDurably(machine.path(FOLDER));
    await writeDurably(file, `${JSON.stringify(memory, undefined, 1)}\n`, 0o644);
  } catch (cause) {
    throw fail("AGENT_MEMORY", `it cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
}

/** Its trial ended badly: it is not taken again. */
export function withRefused(
  memory: AgentMemory,
  { sha256, name, release, counter }: Soak,
  { code, why }: { code: string; why: string },
  at: Date,
): AgentMemory {
  const entry = { sha256, name, release, counter, code, why, at: at.toISOString() };
  return { ...memory, soak: null, refused: [...memory.refused.filter((one) => one.sha256 !== sha256), entry] };
}

/** Its trial ended well: it is kept, in the place of what it replaced. */
export function withAccepted(memory: AgentMemory, soak: Soak, at: Date): AgentMemory {
  const { sha256, name, release, counter, replaced } = soak;
  const line = lineOf(soak);
  const out = new Set([sha256, ...replaced.map((one) => one.sha256)]);
  return {
    ...memory,
    soak: null,
    counters: { ...memory.counters, [line]: Math.max(memory.counters[line] ?? 0, counter) },
    accepted: [...memory.accepted.filter((one) => !out.has(one.sha256)), { sha256, name, release, counter, at: at.toISOString() }],
  };
}
