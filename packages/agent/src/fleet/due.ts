/** What a machine says next to the fleet's server, and whether it has anything to say. Pure. */
import type { HostReportState, ReportBody, SignedReport } from "@suture/protocol";
import { reportText } from "@suture/protocol";
import { beatIsDue, type Intent } from "./state.ts";

/** What the server has acknowledged last. */
export interface Sent {
  digest: string;
  bootId: string;
  at: string;
}

interface Now {
  digest: string;
  bootId: string;
  machineId: string;
  /** What it is about to do is acknowledged now, or not done. */
  intent: Intent | undefined;
  beatSeconds: number;
  at: Date;
}

/** news: with its state; beat: it is still the same; undefined: nothing. */
export function dueOf(sent: Sent | null, { digest, bootId, machineId, intent, beatSeconds, at }: Now): "news" | "beat" | undefined {
  if (sent === null || sent.digest !== digest || sent.bootId !== bootId) return "news";
  return intent !== undefined || beatIsDue(new Date(sent.at).getTime(), at.getTime(), beatSeconds, machineId) ? "beat" : undefined;
}

interface Said {
  host: string;
  bootId: string;
  digest: string;
  /** Undefined: a beat. */
  state: HostReportState | undefined;
  at: Date;
}

/** By the machine's clock, so that a counter that was lost does not begin below. */
export const nextCounter = (last: number, at: Date): number => Math.max(last + 1, at.getTime());

export function signedReport({ host, bootId, digest, state, at }: Said, counter: number, sign: (text: string) => string): SignedReport {
  const body: ReportBody = {
    "suture-report": 1,
    host,
    counter,
    at: at.toISOString(),
    bootId,
    digest,
    ...(state === undefined ? {} : { state }),
  };
  const text = JSON.stringify(body);
  return { host, body: text, signature: sign(reportText(text)) };
}
