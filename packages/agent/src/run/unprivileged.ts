/** Fetching by a process of its own that may do nothing else, where systemd does not start one. */
import { once } from "node:events";
import { chown } from "node:fs/promises";
import { makeFolderDurably } from "@suture/files";
import type { Machine } from "@suture/host";
import type { AgentConfiguration } from "@suture/protocol";
import { start, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { FETCHED } from "../layout.ts";

/**
 * What comes of it is in its report. Groups and rights of this process are not handed on.
 * @param program the words that run Suture
 * @param what fetch, or tell the fleet's server
 * @throws AGENT_CONFIGURATION if there is no such user, AGENT_FETCHED if the process could not do its work
 */
export async function fetchAsUser(
  task: Task,
  machine: Machine,
  { user }: AgentConfiguration,
  program: readonly string[],
  what: "fetch" | "report" = "fetch",
): Promise<void> {
  const ids = idsOf(machine, user);
  const folder = machine.path(FETCHED);
  await makeFolderDurably(folder, 0o755);
  await chown(folder, ids.uid, ids.gid);
  const child = start(task, [...program, "agent", what, "--json"], { ...ids, cwd: "/", stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    if (said.length < 10_000) said += chunk.toString("utf8");
  });
  const [code] = (await once(child, "exit")) as [number | null];
  task.check();
  // 1: the repository could not be believed, which its report says.
  if (code !== 0 && !said.includes(`suture/agent-${what}-`))
    throw fail("AGENT_FETCHED", `${what} ended with ${code}: ${said.slice(0, 1000).trim()}`, { file: folder });
}

function idsOf(machine: Machine, user: string): { uid: number; gid: number } {
  const file = "/etc/passwd";
  const line = (machine.text(file) ?? "").split("\n").find((one) => one.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(gid))
    throw fail(
      "AGENT_CONFIGURATION",
      `there is no user ${user}`,
      { file },
      { mend: `useradd --system --user-group --home-dir ${FETCHED} --shell /usr/sbin/nologin ${user}` },
    );
  return { uid: Number(uid), gid: Number(gid) };
}
