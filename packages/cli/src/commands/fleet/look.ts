/** What the server knows: machines, roll-outs, who did what. */
import {
  auditCheckSchema,
  type FleetHost,
  type FleetRollout,
  fleetAuditDocument,
  fleetAuditSchema,
  fleetHostDocument,
  fleetHostsDocument,
  fleetHostsSchema,
  fleetHostWholeSchema,
  fleetRolloutsDocument,
  fleetRolloutsSchema,
} from "@suture/protocol";
import type { Task } from "@suture/task";
import { fieldsText, headedText, partsText, safeText, tableText } from "../../text.ts";
import { type Add, askFleet } from "./server.ts";

export const hostsTable = (found: readonly FleetHost[]): string =>
  tableText(["machine", "status", "kernel", "livepatch", "labels", "last heard of", "id"], found.map(hostCells));

/** All pages. @param words of the query */
export async function hostsWhere(task: Task, words: Readonly<Record<string, string | undefined>>): Promise<FleetHost[]> {
  const given = Object.entries(words).flatMap(([word, value]): [string, string][] => (value === undefined ? [] : [[word, value]]));
  const found: FleetHost[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const query: URLSearchParams = new URLSearchParams([...given, ...(after === "" ? [] : ([["after", after]] as [string, string][]))]);
    const page = await askFleet(task, fleetHostsSchema, `v1/hosts?${query}`);
    found.push(...page.hosts);
    after = page.next;
  }
  return found;
}

interface HostsOptions {
  name?: string;
  status?: string;
  label?: string;
  livepatch?: string;
  cve?: string;
}

const timeShort = (iso: string | null): string => (iso === null ? "never" : `${iso.slice(0, 16).replace("T", " ")} UTC`);
const hostCells = ({ name, status, release, counter, labels, seen, id }: FleetHost): string[] => [
  name,
  status,
  release ?? "",
  counter === null || counter === 0 ? "none" : String(counter),
  labels.join(","),
  timeShort(seen),
  id,
];

export const hosts: Add = (fleet, run) => {
  fleet
    .command("hosts")
    .description("machines by name")
    .option("--name <name>", "that begin with it")
    .option("--status <what>", "never seen, silent, trouble, reboot wanted, held, soaking, well")
    .option("--label <name>", "that bear it")
    .option("--livepatch <digest>", "that have the one with this SHA-256 in effect")
    .option("--cve <id>", "that are open to it")
    .action(
      run(async (task, { name, status, label, livepatch, cve }: HostsOptions) => {
        const found = await hostsWhere(task, { name, status, label, livepatch, cve });
        const text = hostsTable(found);
        return { document: fleetHostsDocument.of({ hosts: found }), text: safeText(text === "" ? "There is none." : text) };
      }),
    );
};

export const host: Add = (fleet, run) => {
  fleet
    .command("host")
    .description("a machine, and its history")
    .argument("<id>", "as `suture fleet hosts` shows it")
    .action(
      run(async (task, id: string) => {
        const found = await askFleet(task, fleetHostWholeSchema, `v1/hosts/${encodeURIComponent(id)}`);
        const { name, state, status, release, seen, labels } = found.host;
        const text = partsText([
          fieldsText([
            ["machine", name],
            ["status", state === "approved" ? status : state],
            ["kernel", release ?? ""],
            ["labels", labels.join(", ")],
            ["last heard of", timeShort(seen)],
            ["held", found.report?.hold ?? ""],
            [
              "livepatches",
              (found.report?.livepatches ?? []).map((one) => `${one.name}${one.inEffect ? "" : ", not in effect"}`).join("\n"),
            ],
            ["refused", (found.report?.refused ?? []).map(({ code, why }) => `${code}: ${why}`).join("\n")],
          ]),
          headedText(
            "history",
            tableText(
              ["when", "what", ""],
              found.events.map(({ at, what, detail }) => [timeShort(at), what, detail]),
            ),
          ),
        ]);
        return { document: fleetHostDocument.of(found), text: safeText(text) };
      }),
    );
};

const rolloutCells = ({ id, phase, stage, stages, tally, why }: FleetRollout): string[] => [
  id,
  phase,
  stages[stage]?.name ?? "",
  `${tally.succeeded} of ${tally.exposed}`,
  String(tally.failed + tally.crashed + tally.booted),
  String(tally.silent + tally.lost),
  why,
];

export const rollouts: Add = (fleet, run) => {
  fleet
    .command("rollouts")
    .description("roll-outs, the newest first: where each is, and what its machines say")
    .argument("[id]", "of one")
    .action(
      run(async (task, id: string | undefined) => {
        const found = await askFleet(task, fleetRolloutsSchema, id === undefined ? "v1/rollouts" : `v1/rollouts/${encodeURIComponent(id)}`);
        const text = tableText(["roll-out", "phase", "stage", "have it", "wrong", "silent", "why"], found.rollouts.map(rolloutCells));
        return { document: fleetRolloutsDocument.of(found), text: safeText(text === "" ? "There is none." : text) };
      }),
    );
};

export const audit: Add = (fleet, run) => {
  fleet
    .command("audit")
    .description("who did what, the newest 200, and whether all of it is as it was written")
    .action(
      run(async (task) => {
        const { rows } = await askFleet(task, fleetAuditSchema, "v1/audit");
        const { broken } = await askFleet(task, auditCheckSchema, "v1/audit/check");
        const text = partsText([
          broken === null ? "All is as it was written." : `ROW ${broken} IS NOT AS IT WAS WRITTEN.`,
          tableText(
            ["", "when", "who", "what", "about"],
            rows.map(({ n, at, who, what, about }) => [String(n), timeShort(at), who, what, about]),
          ),
        ]);
        return { document: fleetAuditDocument.of({ rows, broken }), text: safeText(text), code: broken === null ? 0 : 1 };
      }),
    );
};
