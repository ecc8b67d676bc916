/** The fleet's server is told how this machine is: when something changed, and else once in a while. Nothing here changes the machine; a server that is down is told later. */

import { hostname } from "node:os";
import { SutureError } from "@suture/errors";
import type { Machine } from "@suture/host";
import { type AgentConfiguration, type AgentReport, enrolAnswerSchema, enrolText, type HostReportState } from "@suture/protocol";
import type { Task } from "@suture/task";
import * as v from "valibot";
import type { Facts } from "../decision/facts.ts";
import { fail } from "../errors.ts";
import { factsOf } from "../machine-facts.ts";
import { readPlain } from "../plain-file.ts";
import { lastRun } from "../report/report.ts";
import { dueOf, nextCounter, signedReport } from "./due.ts";
import { type Identity, identityOf, type Known, knownAs, remember } from "./identity.ts";
import { type Intent, reportState, stateDigest } from "./state.ts";
import { ask } from "./talk.ts";

const LIMIT = 4096;
/** Of what a newer server says, as much as this agent knows. */
const answerSchema = v.object({ outcomes: v.array(v.string()) });
const enrolledSchema = v.object(enrolAnswerSchema.entries);
type Server = NonNullable<AgentConfiguration["server"]>;

/**
 * @param intent what it is about to load
 * @returns undefined where no server is configured. What goes wrong with it is in the report, never thrown
 * @throws CANCELLED
 */
export async function tellServer(
  task: Task,
  machine: Machine,
  configuration: AgentConfiguration,
  intent?: Intent,
): Promise<AgentReport | undefined> {
  const { server } = configuration;
  if (server === undefined) return undefined;
  try {
    return await told(task, machine, configuration, server, intent);
  } catch (error) {
    if (error instanceof SutureError && error.code === "CANCELLED") throw error;
    // A full disk, too, is no reason to load nothing.
    const [code, why] = error instanceof SutureError ? [error.code, error.message] : ["AGENT_SERVER", String(error)];
    return { server: server.url, outcome: "not told", code, why };
  }
}

async function told(
  task: Task,
  machine: Machine,
  configuration: AgentConfiguration,
  server: Server,
  intent: Intent | undefined,
): Promise<AgentReport> {
  const { url } = server;
  const { proxy } = configuration;
  const facts = await factsOf(machine, configuration);
  const identity = await identityOf(machine);
  const known = (await knownAs(machine, url, identity)) ?? (await enrolled(task, machine, server, proxy, identity, facts));
  const run = await lastRun(machine);
  const isOfThisKernel = run?.kernel.release === facts.release && run.kernel.buildId === facts.buildId;
  const state = reportState({ ...facts, beatSeconds: server.beatSeconds }, isOfThisKernel ? run : undefined, intent);
  const digest = stateDigest(state);
  const due = dueOf(known.sent, { ...facts, digest, intent, beatSeconds: server.beatSeconds, at: new Date() });
  const isNews = due === "news";
  if (due === undefined) return { server: url, host: known.host, outcome: "nothing new", why: `it was told at ${known.sent?.at}` };
  let outcome = await send(task, machine, proxy, identity, known, facts, digest, isNews ? state : undefined);
  if (outcome === "whole wanted")
    outcome = await send(task, machine, proxy, identity, (await knownAs(machine, url, identity)) ?? known, facts, digest, state);
  // It may have been restored from before this machine came: it is to come again.
  if (outcome === "no such host") await remember(machine, { ...known, server: "" });
  if (outcome !== "taken") throw fail("AGENT_SERVER", `it says of the report: ${outcome}`, { file: url });
  return { server: url, host: known.host, outcome: isNews ? "told" : "still the same", why: "" };
}

async function send(
  task: Task,
  machine: Machine,
  proxy: string | undefined,
  identity: Identity,
  known: Known,
  facts: Facts,
  digest: string,
  state: HostReportState | undefined,
): Promise<string | undefined> {
  const at = new Date();
  const counter = nextCounter(known.counter, at);
  await remember(machine, { ...known, counter });
  const { bootId } = facts;
  const report = signedReport({ host: known.host, bootId, digest, state, at }, counter, identity.sign);
  const { outcomes } = await ask(task, new URL("v1/reports", known.server).href, { reports: [report] }, answerSchema, proxy);
  const [outcome] = outcomes;
  if (outcome === "taken") await remember(machine, { ...known, counter, sent: { digest, bootId, at: at.toISOString() } });
  return outcome;
}

/** @throws AGENT_SERVER */
async function enrolled(
  task: Task,
  machine: Machine,
  { url, tokenFile }: Server,
  proxy: string | undefined,
  identity: Identity,
  { machineId }: Facts,
): Promise<Known> {
  const file = machine.path(tokenFile);
  const bytes = await readPlain(file, LIMIT).catch((cause: unknown) => {
    throw fail("AGENT_SERVER", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  });
  if (bytes === undefined) throw fail("AGENT_SERVER", "there is no token to enrol with", { file });
  const request = { token: bytes.toString("utf8").trim(), name: hostname(), machineId };
  const body = { ...request, publicKey: identity.publicKey, proof: identity.sign(enrolText(request)) };
  const { host } = await ask(task, new URL("v1/enrol", url).href, body, enrolledSchema, proxy);
  const known: Known = { "suture-host": 1, server: url, host, publicKey: identity.publicKey, counter: 0, sent: null };
  await remember(machine, known);
  return known;
}
