/** What is decided upon: a machine as it is, and what its repository says. Plain data, so that a decision can be made again of the same, anywhere. */
import type { AgentConfiguration, Policy, Withdrawals } from "@suture/protocol";
import type { VerifiedPatch } from "@suture/trust";

/** A livepatch in the kernel, with or without effect. */
export interface Present {
  name: string;
  /** Undefined for one that was not loaded by Suture. */
  sha256: string | undefined;
  inEffect: boolean;
}

/** One that is loaded at boot. */
export interface Kept {
  name: string;
  sha256: string;
  /** Why it is not, by the crash guard. */
  quarantine: string | undefined;
}

/** This machine, now. */
export interface Facts extends Pick<AgentConfiguration, "fleet" | "channel" | "labels" | "windows" | "soakSeconds"> {
  /** Lasting, and its own. */
  machineId: string;
  release: string;
  /** Undefined where the kernel does not tell it: then nothing is known to be for it. */
  buildId: string | undefined;
  /** Of its package; undefined where it is none of Debian's. */
  version?: string | undefined;
  bootId: string;
  /** In which its clocks on the wall are, of the IANA database. */
  zone: string;
  /** Why nothing may be changed here, if somebody said so. */
  hold: string | undefined;
  /** A server is told before anything is loaded by a roll-out that is not done. */
  watched: boolean;
  /** `suture=off` was given to the kernel. */
  off: boolean;
  /** The livepatch that is on its way in or out. */
  moving: string | undefined;
  present: readonly Present[];
  kept: readonly Kept[];
  /** Loaded at boot of other kernels. */
  keptElsewhere: readonly { name: string; sha256: string; release: string }[];
}

/** A livepatch of the repository. */
export type Offer = VerifiedPatch;

/** What the repository says, verified. */
export interface Truth {
  policy: Policy;
  withdrawals: Withdrawals;
  /** For the kernel that runs. */
  offers: readonly Offer[];
  /** What has expired, if something has: what was taken back stays so, but nothing new is loaded by it. */
  expired: string | undefined;
  /** What the fleet's server was told that it will be loaded. */
  announced: { sha256: string; rollOut: string } | undefined;
}

/** There is none: it could never be had. */
export interface NoTruth {
  missing: string;
}

export const isTruth = (truth: Truth | NoTruth): truth is Truth => !("missing" in truth);
