/** A report in the text form of Prometheus, for the textfile collector of its node exporter. */
import { type AgentRun, lineOf } from "@suture/protocol";

type Labels = Readonly<Record<string, string>>;
interface Metric {
  name: string;
  help: string;
  values: readonly (readonly [labels: Labels, value: number])[];
}

export function metricsText(report: AgentRun, hold: boolean): string {
  return metricsOf(report, hold)
    .filter(({ values }) => values.length > 0)
    .map(({ name, help, values }) =>
      [
        `# HELP suture_agent_${name} ${help}`,
        `# TYPE suture_agent_${name} gauge`,
        ...values.map(([labels, value]) => `suture_agent_${name}${labelsText(labels)} ${value}`),
      ].join("\n"),
    )
    .map((text) => `${text}\n`)
    .join("");
}

function metricsOf(
  { at, kernel, done, repository, livepatches, present, soak, counters, refused, rebootWanted }: AgentRun,
  hold: boolean,
): Metric[] {
  const seconds = (time: string): number => new Date(time).getTime() / 1000;
  const one = (name: string, help: string, value: number | undefined): Metric => ({
    name,
    help,
    values: value === undefined ? [] : [[{}, value]],
  });
  const { release, buildId = "" } = kernel;
  return [
    one("run_seconds", "When the agent ran last, seconds since 1970.", seconds(at)),
    one(
      "reached_seconds",
      "When the repository was reached last, seconds since 1970.",
      repository.reached === undefined ? undefined : seconds(repository.reached),
    ),
    one("repository_believed", "1 if the repository could be verified in the last run.", repository.problem === undefined ? 1 : 0),
    {
      name: "role_expires_seconds",
      help: "When a role's metadata expire, seconds since 1970.",
      values: repository.roles.map(({ role, expires }) => [{ role }, seconds(expires)]),
    },
    one("steps_failed", "Steps of the last run that failed.", done.filter(({ outcome }) => outcome === "failed").length),
    one("counter_accepted", "The highest counter that was accepted for the kernel that runs.", counters[lineOf({ release, buildId })] ?? 0),
    one(
      "counter_newest",
      "The highest counter of the repository for the kernel that runs.",
      Math.max(0, ...livepatches.map(({ counter }) => counter)),
    ),
    {
      name: "livepatch",
      help: "A livepatch in the kernel; 1 if it is in effect.",
      values: present.map(({ name, sha256, kept, inEffect }) => [{ name, sha256: sha256 ?? "", kept: String(kept) }, inEffect ? 1 : 0]),
    },
    one("soaking", "1 while a livepatch is in its soak.", soak === null ? 0 : 1),
    one("refused", "Livepatches that this machine does not take again by itself.", refused.length),
    one("hold", "1 while a person holds this machine.", hold ? 1 : 0),
    one("reboot_wanted", "Withdrawn livepatches that are still in the kernel.", rebootWanted.length),
  ];
}

function labelsText(labels: Labels): string {
  const entries = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return entries.length === 0 ? "" : `{${entries.join(",")}}`;
}
