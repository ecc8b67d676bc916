/** What operators say: how far a livepatch goes, and what is taken back. */
import { randomBytes } from "node:crypto";
import type { Policy, Rollout, Window, Withdrawal, Withdrawals } from "@suture/protocol";
import type { Task } from "@suture/task";
import { patchesOf, type VerifiedPatch } from "../client/holds.ts";
import { fail } from "../errors.ts";
import { instantOf } from "../metadata/write.ts";
import { policyOf, stagePolicy, stageWithdrawals, withdrawalsOf } from "./roles.ts";
import { Work } from "./work.ts";

/** What is other in a roll-out from now on; a new one needs a livepatch. */
export interface RolloutChange {
  id: string;
  /** SHA-256, or the beginning of it, or a path or name in the repository. */
  livepatch?: string | undefined;
  channel?: string | undefined;
  rings?: Rollout["rings"] | undefined;
  notBefore?: string | null | undefined;
  deadline?: string | null | undefined;
  windows?: Window[] | undefined;
  soak?: number | undefined;
  state?: Rollout["state"] | undefined;
  /** Of a new one, by which its machines are ordered; drawn unless given. */
  salt?: string | undefined;
}

export const newSalt = (): string => randomBytes(16).toString("hex");

export async function showPolicy(folder: string): Promise<Policy> {
  return policyOf(await Work.open(folder));
}

/** @throws TRUST_REPOSITORY, TRUST_FORM */
export async function changePolicy(task: Task, folder: string, change: RolloutChange, now: Date): Promise<Policy> {
  return Work.locked(task, folder, async (work) => {
    const policy = await policyOf(work);
    const old = policy.rollouts.find(({ id }) => id === change.id);
    if (old?.state === "withdrawn") throw fail("TRUST_REPOSITORY", `the roll-out ${change.id} is withdrawn, for ever`, { file: folder });
    const livepatch = change.livepatch === undefined ? undefined : await livepatchIn(work, change.livepatch);
    const target =
      livepatch === undefined
        ? undefined
        : {
            kernel: { release: livepatch.custom.kernel.release, buildId: livepatch.custom.kernel.buildId },
            target: { sha256: livepatch.sha256, counter: livepatch.custom.counter },
          };
    if (old !== undefined && target !== undefined && old.target.sha256 !== target.target.sha256)
      throw fail("TRUST_REPOSITORY", `the roll-out ${change.id} is of another livepatch: a new one needs an id of its own`, {
        file: folder,
      });
    const { kernel, target: of } = target ?? old ?? {};
    if (kernel === undefined || of === undefined)
      throw fail("TRUST_REPOSITORY", `there is no roll-out ${change.id}: one is begun with a livepatch`, { file: folder });
    const next: Rollout = {
      id: change.id,
      salt: old?.salt ?? change.salt ?? newSalt(),
      kernel,
      target: of,
      channel: change.channel ?? old?.channel ?? "stable",
      rings: change.rings ?? old?.rings ?? [{ label: "all", share: 0 }],
      notBefore: change.notBefore === undefined ? (old?.notBefore ?? null) : change.notBefore,
      deadline: change.deadline === undefined ? (old?.deadline ?? null) : change.deadline,
      windows: change.windows ?? old?.windows ?? [],
      soak: change.soak ?? old?.soak ?? 600,
      state: change.state ?? old?.state ?? "rolling",
    };
    const rollouts = old === undefined ? [...policy.rollouts, next] : policy.rollouts.map((each) => (each === old ? next : each));
    const channels = [...new Set([...policy.channels, next.channel])];
    const changed = { ...policy, channels, rollouts };
    await stagePolicy(work, now, changed);
    return changed;
  });
}

export interface WithdrawOptions {
  action: Withdrawal["action"];
  replacement?: string | undefined;
  reason: string;
  now: Date;
}

/** @param livepatch that is in the repository, or any SHA-256 */
export async function withdraw(task: Task, folder: string, livepatch: string, options: WithdrawOptions): Promise<Withdrawals> {
  return Work.locked(task, folder, async (work) => {
    const before = await withdrawalsOf(work);
    const sha256 = /^[0-9a-f]{64}$/.test(livepatch) ? livepatch : (await livepatchIn(work, livepatch)).sha256;
    const replacement = options.replacement === undefined ? null : (await livepatchIn(work, options.replacement)).sha256;
    if ((options.action === "replace") !== (replacement !== null))
      throw fail("TRUST_REPOSITORY", "a replacement goes with the action replace, and with no other", { file: folder });
    const entry: Withdrawal = { sha256, action: options.action, replacement, reason: options.reason, at: instantOf(options.now) };
    const entries = [...before.entries.filter((each) => each.sha256 !== sha256), entry];
    const changed = { ...before, counter: before.counter + 1, entries };
    await stageWithdrawals(work, options.now, changed);
    return changed;
  });
}

async function livepatchIn(work: Work, asked: string): Promise<VerifiedPatch> {
  const { delegations } = await work.needed("patches", "targets");
  const all: VerifiedPatch[] = [];
  for (const { name } of delegations?.roles ?? []) {
    const line = (await work.newest(name, "targets"))?.signed;
    if (line !== undefined) all.push(...patchesOf(line, name, name.slice("linux-".length)));
  }
  const found = all.filter(
    ({ path, sha256, custom }) => path === asked || custom.name === asked || (/^[0-9a-f]{8,64}$/.test(asked) && sha256.startsWith(asked)),
  );
  const [one, another] = found;
  if (one === undefined) throw fail("TRUST_REPOSITORY", `no livepatch ${asked} is in the repository`, { file: work.folder });
  if (another !== undefined)
    throw fail("TRUST_REPOSITORY", `several livepatches are ${asked}: ${found.map(({ path }) => path).join(", ")}`, { file: work.folder });
  return one;
}
