/** Made-up machines and repositories, as the decision sees them. */
import { createHash } from "node:crypto";
import type { AgentMemory, PatchTargetCustom, Policy, Rollout, Withdrawal } from "@suture/protocol";
import type { Facts, Offer, Truth } from "../src/decision/facts.ts";

export const KERNEL = { release: "6.1.0-7-amd64", buildId: "ab".repeat(20) };
export const LINE = `${KERNEL.release} ${KERNEL.buildId}`;
export const NOW = new Date("2026-06-10T12:00:00Z");

/** SHA-256 of the livepatch with that counter. */
export const digest = (of: number | string): string => createHash("sha256").update(String(of)).digest("hex");

export const FACTS: Facts = {
  machineId: "0123456789abcdef0123456789abcdef",
  ...KERNEL,
  bootId: "this boot",
  zone: "Europe/Berlin",
  fleet: "prod",
  channel: "stable",
  labels: [],
  windows: [],
  soakSeconds: 60,
  hold: undefined,
  watched: false,
  off: false,
  moving: undefined,
  present: [],
  kept: [],
  keptElsewhere: [],
};

export const MEMORY: AgentMemory = { "suture-agent-memory": 1, counters: {}, soak: null, accepted: [], refused: [] };

export function offer(counter: number, more: Partial<PatchTargetCustom> = {}): Offer {
  const sha256 = digest(counter);
  const beside = { path: "beside", sha256 };
  return {
    path: `patches/fix-${counter}.ko`,
    sha256,
    length: 1000,
    custom: {
      suture: 1,
      name: `fix_${counter}`,
      kernel: { ...KERNEL, arch: "x86_64" },
      counter,
      predecessor: null,
      replace: true,
      cves: [],
      proof: { proven: true, functions: 1, sha256 },
      inputs: sha256,
      keepsAddresses: false,
      signer: null,
      beside: { manifest: beside, account: null, review: null },
      ...more,
    },
  };
}

export function rollout(counter: number, more: Partial<Rollout> = {}): Rollout {
  return {
    id: `to-${counter}`,
    salt: "00".repeat(16),
    kernel: KERNEL,
    target: { sha256: digest(counter), counter },
    channel: "stable",
    rings: [{ label: "all", share: 10_000 }],
    notBefore: null,
    deadline: null,
    windows: [],
    soak: 900,
    state: "rolling",
    ...more,
  };
}

export function withdrawal(counter: number, action: Withdrawal["action"], replacement?: number): Withdrawal {
  return {
    sha256: digest(counter),
    action,
    replacement: replacement === undefined ? null : digest(replacement),
    reason: "it does harm",
    at: "2026-06-09T00:00:00Z",
  };
}

export function truth(
  counters: readonly number[],
  rollouts: readonly Rollout[],
  withdrawn: readonly Withdrawal[] = [],
  fleet = "prod",
): Truth {
  const policy: Policy = { suture: 1, fleet, channels: ["stable", "beta"], rollouts: [...rollouts], note: null };
  return {
    policy,
    withdrawals: { suture: 1, fleet, counter: 1, entries: [...withdrawn] },
    offers: counters.map((counter) => offer(counter)),
    expired: undefined,
    announced: undefined,
  };
}

export const here = (counter: number, inEffect = true): Facts["present"][number] => ({
  name: `fix_${counter}`,
  sha256: digest(counter),
  inEffect,
});
export const kept = (counter: number, quarantine?: string): Facts["kept"][number] => ({
  name: `fix_${counter}`,
  sha256: digest(counter),
  quarantine,
});

export function soaking(counter: number, more: Partial<NonNullable<AgentMemory["soak"]>> = {}): NonNullable<AgentMemory["soak"]> {
  return {
    sha256: digest(counter),
    name: `fix_${counter}`,
    ...KERNEL,
    target: `patches/fix-${counter}.ko`,
    counter,
    rollOut: `to-${counter}`,
    phase: "soaking",
    failure: null,
    before: { bootId: "this boot", uptime: 100, taint: "OE", log: 10 },
    loaded: 110,
    seconds: 900,
    looks: [],
    replaced: [],
    ...more,
  };
}
