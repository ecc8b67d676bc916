/**
 * What root believes of the repository. It reads what another user has fetched, and holds every signature against a store of its own: whoever takes over the
 * one that talks to the network can keep news from root, and nothing else.
 */
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { Machine } from "@suture/host";
import { type AgentConfiguration, type AgentFetch, type AgentRun, agentFetchDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import { recall, refresh, type Source, TrustStore, type Verified } from "@suture/trust";
import * as v from "valibot";
import type { NoTruth, Truth } from "../decision/facts.ts";
import { fail } from "../errors.ts";
import { FETCH_REPORT, MIRROR, TRUST } from "../layout.ts";
import { readPlain } from "../plain-file.ts";

export interface Trusted {
  truth: Truth | NoTruth;
  /** At which it was judged. */
  at: Date;
  problem: AgentRun["repository"]["problem"];
  roles: AgentRun["repository"]["roles"];
  reached: string | undefined;
  warnings: string[];
}

const REPORT_LIMIT = 4 * 1024 * 1024;

/** Never throws for what the repository or the one who fetches may have done. @throws CANCELLED */
export async function trustedTruth(
  task: Task,
  machine: Machine,
  { root, freshSeconds }: AgentConfiguration,
  buildId: string | undefined,
  now: Date,
): Promise<Trusted> {
  const fetched = await fetchReport(machine);
  let problem: Trusted["problem"] = fetched?.problem;
  let verified: Verified | undefined;
  try {
    const store = await openStore(machine.path(TRUST), machine.path(root));
    const asked = { store, now, buildId };
    try {
      verified = await refresh(task, asked, [fetchedSource(machine.path(MIRROR))]);
    } catch (error) {
      problem ??= problemOf(error);
      verified = await recall(task, asked);
    }
  } catch (error) {
    problem ??= problemOf(error);
  }
  const reached = fetched?.good === true ? fetched.at : undefined;
  const common = { problem, reached, roles: verified?.expiries ?? [] };
  if (verified === undefined)
    return { ...common, at: now, truth: { missing: `the repository is not known: ${problem?.code}, ${problem?.why}` }, warnings: [] };
  const { at, policy, withdrawals, patches, refused, warnings } = verified;
  const expired = refused.map(({ message }) => message).join("; ") || tooOld(fetched, now, freshSeconds);
  return { ...common, at, truth: { policy, withdrawals, offers: patches, expired, announced: fetched?.announced }, warnings };
}

/** A hold of the roll-out is to be out in minutes: what was read long ago says nothing of it. */
function tooOld(fetched: AgentFetch | undefined, now: Date, freshSeconds: number): string | undefined {
  if (fetched === undefined) return "the repository has not been reached yet";
  const seconds = Math.round((now.getTime() - new Date(fetched.at).getTime()) / 1000);
  if (!fetched.good) return `the repository could not be reached: ${fetched.problem?.code ?? ""}, ${fetched.problem?.why ?? ""}`;
  return seconds <= freshSeconds
    ? undefined
    : `the repository was reached ${seconds} s ago, and is to be asked anew after ${freshSeconds} s`;
}

/** @throws AGENT_CONFIGURATION, TRUST_* */
export async function openStore(folder: string, root: string): Promise<TrustStore> {
  const bytes = await readPlain(root, 1024 * 1024);
  if (bytes === undefined)
    throw fail(
      "AGENT_CONFIGURATION",
      "the repository's root metadata are not there",
      { file: root },
      {
        mend: "Put the root.json that the repository's operators gave you there, by a way that you trust.",
      },
    );
  return TrustStore.create(folder, bytes);
}

/** Of several sources that which says most: that one is not reached is nothing beside one that is wrong. */
export function problemOf(error: unknown): { code: string; why: string } {
  if (!(error instanceof SutureError) || error.code === "CANCELLED") throw error;
  const all = [error, ...error.others];
  const worst = all.find(({ code }) => code !== "TRUST_FETCH") ?? error;
  const text = ({ where, message }: SutureError): string => (where.file === undefined ? message : `${where.file}: ${message}`);
  const others = all.filter((one) => one !== worst).map((one) => `${one.code}: ${text(one)}`);
  return { code: worst.code, why: [text(worst), ...others].join("; ") };
}

/** A folder of another user. */
export function fetchedSource(folder: string): Source {
  return {
    name: folder,
    async read(task, path, limit) {
      task.check();
      const file = join(folder, path);
      return readPlain(file, limit).catch((cause: unknown) => {
        throw fail("AGENT_FETCHED", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
      });
    },
  };
}

/** What is no report of a fetch is none. */
export async function fetchReport(machine: Machine): Promise<AgentFetch | undefined> {
  try {
    const bytes = await readPlain(machine.path(FETCH_REPORT), REPORT_LIMIT);
    return v.parse(agentFetchDocument.schema, JSON.parse(bytes?.toString("utf8") ?? ""));
  } catch {
    return undefined;
  }
}
