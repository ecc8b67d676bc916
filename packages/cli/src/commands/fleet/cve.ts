/** What the fleet is open to. */
import { type FleetCve, fleetCveDocument, fleetCvesDocument, fleetCvesSchema, fleetCveWholeSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import { headedText, partsText, safeText, tableText } from "../../text.ts";
import { hostsTable, hostsWhere } from "./look.ts";
import { type Add, askFleet } from "./server.ts";

export const cve: Add = (fleet, run) => {
  fleet
    .command("cve")
    .description("CVEs and how many machines are open to each; of one, which machines, and why")
    .argument("[id]", "CVE-YEAR-NUMBER")
    .option("--open", "those alone to which machines are open")
    .action(
      run(async (task, id: string | undefined, { open }: { open?: boolean }) =>
        id === undefined ? all(task, open === true) : one(task, id),
      ),
    );
};

async function all(task: Task, open: boolean) {
  const cves: FleetCve[] = [];
  for (let after: string | null = "0"; after !== null; ) {
    const query: URLSearchParams = new URLSearchParams({ after, ...(open ? { open: "1" } : {}) });
    const page = await askFleet(task, fleetCvesSchema, `v1/cves?${query}`);
    cves.push(...page.cves);
    after = page.next;
  }
  const text = tableText(
    ["CVE", "open", "not known", "closed", "fix"],
    cves.map((each) => [each.id, String(each.open), String(each.unknown), String(each.closed), each.title]),
  );
  return { document: fleetCvesDocument.of({ cves }), text: safeText(text === "" ? "There is none." : text) };
}

async function one(task: Task, id: string) {
  const found = await askFleet(task, fleetCveWholeSchema, `v1/cves/${encodeURIComponent(id)}`);
  const hosts = await hostsWhere(task, { cve: found.id, state: "approved" });
  const text = partsText([
    `${found.id}: ${found.title}\n${found.open} machines are open to it, of ${found.unknown} nothing says, ${found.closed} are not.`,
    tableText(
      ["kernel", "livepatches", "machines", "stands", "why", "what to do"],
      found.kernels.map(({ release, livepatches, machines, standing, reason, why, mend }) => [
        release,
        livepatches.join(" "),
        String(machines),
        standing,
        `${reason}: ${why}`,
        mend ?? "",
      ]),
    ),
    ...(hosts.length === 0 ? [] : [headedText("open to it", hostsTable(hosts))]),
  ]);
  return { document: fleetCveDocument.of({ ...found, hosts }), text: safeText(text) };
}
