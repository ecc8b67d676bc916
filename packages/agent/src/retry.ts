/** A person has looked: a livepatch that this machine refused may be taken again. */
import type { Machine } from "@suture/host";
import type { AgentRetry } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";
import { LOCK } from "./layout.ts";
import { readMemory, writeMemory } from "./memory.ts";
import { alone } from "./run/apply.ts";

/** @param word its name or the beginning of its SHA-256. @throws AGENT_NOT_REFUSED, AGENT_BUSY, AGENT_MEMORY */
export async function retry(task: Task, machine: Machine, word: string): Promise<AgentRetry> {
  return alone(task, machine.path(LOCK), async () => {
    const memory = await readMemory(machine);
    const is = (one: { name: string; sha256: string }): boolean =>
      one.name === word.replaceAll("-", "_") || one.name === word || (word.length >= 8 && one.sha256.startsWith(word));
    // The newest of that name.
    const found = memory.refused.findLast(is);
    if (found === undefined)
      throw fail("AGENT_NOT_REFUSED", `refused were: ${memory.refused.map(({ name }) => name).join(", ") || "none"}. Nothing was changed.`);
    await writeMemory(machine, { ...memory, refused: memory.refused.filter((one) => one !== found) });
    return { name: found.name, sha256: found.sha256 };
  });
}
