/** Real processes, of which a made-up machine says that they hold up a transition. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { afterAll, expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { signalStragglers } from "./signal.ts";

const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
});

function sleeper(): number {
  const child = spawn("sleep", ["100"]);
  started.push(child);
  if (child.pid === undefined) throw new Error("sleep did not start");
  return child.pid;
}

const stateOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] ?? "";

test("--stop stops and continues what holds up the transition; what was stopped by others stays so, what moved is left alone", async () => {
  const [asleep, stopped, moved] = [sleeper(), sleeper(), sleeper()];
  process.kill(stopped, "SIGSTOP");
  process.kill(moved, "SIGSTOP");
  await expect.poll(() => stateOf(stopped) + stateOf(moved)).toBe("TT");
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, true, []) });
  for (const [pid, state] of [
    [asleep, "0"],
    [stopped, "0"],
    [moved, "1"],
  ] as const) {
    const folder = join(machine.root, `proc/${pid}`);
    mkdirSync(join(folder, `task/${pid}`), { recursive: true });
    writeFileSync(join(folder, `task/${pid}/patch_state`), `${state}\n`);
    for (const file of ["comm", "statm", "stack"]) symlinkSync(`/proc/${pid}/${file}`, join(folder, `task/${pid}/${file}`));
    symlinkSync(`/proc/${pid}/stat`, join(folder, "stat"));
  }
  const seen = new Set<string>();
  const timer = setInterval(() => seen.add(stateOf(asleep)), 5);
  const report = await signalStragglers(new Task(), machine, true);
  clearInterval(timer);
  expect(report).toMatchObject({ name: "fix", how: "stop", signalled: 1, ended: false });
  expect([...seen]).toContain("T");
  expect([stateOf(asleep), stateOf(stopped), stateOf(moved)]).toEqual(["S", "T", "T"]);
});
