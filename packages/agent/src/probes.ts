/** The operator's own commands, which tell whether the machine does its work. */
import { SutureError } from "@suture/errors";
import { type Machine, runsSystemd } from "@suture/host";
import type { Probe, ProbeFound } from "@suture/protocol";
import { run, type Task } from "@suture/task";

const UNIT = "suture-agent-probe@";

/** All of them, one after the other. @throws CANCELLED */
export async function runProbes(task: Task, probes: readonly Probe[]): Promise<ProbeFound[]> {
  const found: ProbeFound[] = [];
  for (const { name, run: command, seconds } of probes)
    found.push({ name, ...(await outcomeOf(task, ["/bin/sh", "-c", command], seconds)) });
  return found;
}

/**
 * The same from within a unit that has no network and sees little of the machine: each probe is a unit of its own, with nothing taken away from it but what
 * an operator takes away.
 */
export async function probesOutside(task: Task, machine: Machine, probes: readonly Probe[]): Promise<ProbeFound[]> {
  if (!runsSystemd(machine) || !hasUnit(machine)) return runProbes(task, probes);
  const found: ProbeFound[] = [];
  for (const { name, seconds } of probes) {
    const unit = `${UNIT}${name}.service`;
    const { good, why } = await outcomeOf(task, ["systemctl", "start", unit], seconds + 30);
    found.push({ name, good, why: good ? why : `journalctl -u ${unit}: ${why}` });
  }
  return found;
}

const FOLDERS = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const hasUnit = (machine: Machine): boolean => FOLDERS.some((folder) => machine.names(folder).includes(`${UNIT}.service`));

async function outcomeOf(task: Task, argv: readonly string[], seconds: number): Promise<{ good: boolean; why: string }> {
  try {
    await run(task, argv, { timeoutMs: seconds * 1000, outputLimit: 1024 * 1024 });
    return { good: true, why: "" };
  } catch (error) {
    if (error instanceof SutureError && error.code !== "CANCELLED") return { good: false, why: inOneLine(error.message) };
    throw error;
  }
}

/** What it printed stands behind what was run: reports show one line. */
function inOneLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .join("; ")
    .slice(0, 500);
}
