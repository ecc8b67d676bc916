import type { AgentFetch, AgentRun, AgentStatus } from "@suture/protocol";
import {
  agentFetchDocument,
  agentProbeDocument,
  agentReportDocument,
  agentRetryDocument,
  agentRunDocument,
  agentStatusDocument,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import { Argument } from "commander";
import type { AddCommand, Answer } from "../answer.ts";
import { fail } from "../errors.ts";
import { secondsOf, thisProgram } from "../host-options.ts";
import { fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

const WHAT = ["run", "fetch", "apply", "report", "status", "probe", "retry"] as const;
type What = (typeof WHAT)[number];

interface Options {
  stay: string;
}

export const agentCommand: AddCommand = (program, run) => {
  program
    .command("agent")
    .description("follow a signed repository: fetch, verify, load in the window, watch, keep; or take out what was withdrawn")
    .addArgument(
      new Argument(
        "<what>",
        "run: fetch and apply. fetch: ask the repository, with no rights. apply: do what is due, with no network. report: tell the fleet's server how this machine is. status: what was done, and what is waited for. probe: the configuration's probes. retry: a livepatch that this machine refused may be taken again",
      ).choices(WHAT),
    )
    .argument("[name]", "of the probe, or of the livepatch")
    .option("--stay <seconds>", "how long run and apply stay for a soak; later runs see to the rest of it", "60")
    .action(
      run(async (task, what: What, name: string | undefined, options: Options) => {
        if (name !== undefined && what !== "probe" && what !== "retry") throw fail("CLI_USAGE", `${what} takes no name`);
        return ACTIONS[what](task, name, secondsOf(options.stay, "--stay"));
      }),
    );
};

type Action = (task: Task, name: string | undefined, stay: number) => Promise<Answer>;

const ACTIONS: Readonly<Record<What, Action>> = {
  run: runOnce,
  fetch: fetchOnce,
  apply: applyOnce,
  report: reportOnce,
  status: look,
  probe,
  retry: again,
};

async function runOnce(task: Task, name: string | undefined, stay: number): Promise<Answer> {
  const { fetchAsUser, readConfiguration } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const configuration = await readConfiguration(THIS_MACHINE);
  await fetchAsUser(task, THIS_MACHINE, configuration, thisProgram());
  const answer = await applyOnce(task, name, stay);
  // What is to be told is told again by the next run.
  if (configuration.server !== undefined)
    await fetchAsUser(task, THIS_MACHINE, configuration, thisProgram(), "report").catch((error: unknown) => {
      task.check();
      task.reporter.warn(`the fleet's server was not told: ${error instanceof Error ? error.message : String(error)}`);
    });
  return answer;
}

async function reportOnce(task: Task): Promise<Answer> {
  const { readConfiguration, tellServer } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const report = (await tellServer(task, THIS_MACHINE, await readConfiguration(THIS_MACHINE))) ?? {
    server: "",
    outcome: "nothing new",
    why: "no server is configured",
  };
  const { server, host, outcome, code, why } = report;
  const text = fieldsText([
    ["server", server],
    ["this machine", host ?? ""],
    ["outcome", [outcome, code, why].filter((word) => word !== undefined && word !== "").join(": ")],
  ]);
  return { document: agentReportDocument.of(report), text: safeText(text), code: outcome === "not told" ? 1 : 0 };
}

async function fetchOnce(task: Task): Promise<Answer> {
  const { fetchNews, readConfiguration } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const report = await fetchNews(task, THIS_MACHINE, await readConfiguration(THIS_MACHINE));
  return { document: agentFetchDocument.of(report), text: safeText(fetchText(report)), code: report.good ? 0 : 1 };
}

async function applyOnce(task: Task, _: string | undefined, stay: number): Promise<Answer> {
  const { apply, isFine, readConfiguration } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const configuration = await readConfiguration(THIS_MACHINE);
  const report = await apply({ task, machine: THIS_MACHINE, configuration, program: thisProgram(), stay });
  return { document: agentRunDocument.of(report), text: safeText(runText(report)), code: isFine(report) ? 0 : 1 };
}

async function look(): Promise<Answer> {
  const { agentStatus } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const found = await agentStatus(THIS_MACHINE);
  return { document: agentStatusDocument.of(found), text: safeText(statusText(found)) };
}

async function probe(task: Task, name: string | undefined): Promise<Answer> {
  const { readConfiguration, runProbes } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const { probes } = await readConfiguration(THIS_MACHINE);
  const asked = probes.filter((one) => name === undefined || one.name === name);
  if (name !== undefined && asked.length === 0)
    throw fail("CLI_USAGE", `no probe ${name} is configured; there are: ${probes.map((one) => one.name).join(", ") || "none"}`);
  const found = await runProbes(task, asked);
  const rows = found.map(({ name: which, good, why }) => [which, good ? "well" : "failed", why.trim()]);
  return {
    document: agentProbeDocument.of({ probes: found }),
    text: safeText(tableText(["probe", "found", "why"], rows)),
    code: found.every(({ good }) => good) ? 0 : 1,
  };
}

async function again(task: Task, name: string | undefined): Promise<Answer> {
  if (name === undefined)
    throw fail("CLI_USAGE", "retry takes the name of a livepatch", {}, { mend: "`suture agent status` shows which were refused." });
  const { retry } = await import("@suture/agent");
  const { THIS_MACHINE } = await import("@suture/host");
  const report = await retry(task, THIS_MACHINE, name);
  return { document: agentRetryDocument.of(report), text: safeText(`${report.name} may be taken again`) };
}

function fetchText({ good, problem, livepatches, received, warnings }: AgentFetch): string {
  return fieldsText([
    ["repository", good ? "verified" : `NOT VERIFIED: ${problem?.code}, ${problem?.why}`],
    ["received", `${received} bytes`],
    ["livepatches", livepatches.map(({ path }) => path).join("\n")],
    ["warnings", warnings.join("\n")],
  ]);
}

function runText({ why, done, warnings, repository: { problem }, livepatches, soak, rebootWanted }: AgentRun): string {
  return partsText([
    fieldsText([
      ["due", why],
      ["repository", problem === undefined ? "verified" : `NOT VERIFIED: ${problem.code}, ${problem.why}`],
      ["in its soak", soakText(soak)],
      ["reboot wanted", rebootWanted.join(", ")],
      ["warnings", warnings.join("\n")],
    ]),
    tableText(
      ["done", "livepatch", "outcome", "why"],
      done.map(({ what, name, outcome, code, why: because }) => [
        what,
        name,
        outcome,
        [code, because.split("\n")[0] ?? ""].filter((word) => word !== undefined).join(": "),
      ]),
    ),
    tableText(
      ["livepatch", "counter", "what this machine makes of it"],
      livepatches.map(({ path, counter, why: because }) => [path, String(counter), because]),
    ),
  ]);
}

function soakText(soak: AgentRun["soak"]): string {
  if (soak === null) return "";
  const after = soak.looks.at(-1)?.after;
  return `${soak.name}, ${after === undefined ? "not looked at yet" : `all was well ${after} s after it was loaded`}; ${soak.seconds} s are asked for`;
}

function statusText({ hold, run, fetch, soak, accepted, refused }: AgentStatus): string {
  return partsText([
    fieldsText([
      ["hold", hold ?? ""],
      ["fetched", fetch === undefined ? "never" : `${fetch.at}${fetch.good ? "" : `, NOT VERIFIED: ${fetch.problem?.code}`}`],
      ["ran", run?.at ?? "never"],
      ["kept", accepted.map(({ name, counter, at }) => `${name}, counter ${counter}, since ${at}`).join("\n")],
      ["in its soak", soakText(soak)],
    ]),
    headedText(
      "refused by this machine",
      refused
        .map(({ name, counter, code, why, at }) => `  ${name}, counter ${counter}, on ${at}: ${code}, ${why.split("\n")[0]}`)
        .join("\n"),
    ),
    run === undefined ? "" : headedText("the last run", runText(run)),
  ]);
}
