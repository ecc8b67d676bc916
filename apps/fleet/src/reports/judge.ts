/** What a machine's report says of it, in a word; and what is other than before. Pure. */
import type { HostReportState } from "@suture/protocol";

export type Told = "trouble" | "reboot wanted" | "held" | "soaking" | "well";

export function statusOf({ failed, problem, refused, rebootWanted, hold, soak }: HostReportState): Told {
  if (failed.length > 0 || problem !== null || refused.length > 0) return "trouble";
  if (rebootWanted.length > 0) return "reboot wanted";
  if (hold !== null) return "held";
  return soak === null ? "well" : "soaking";
}

export interface Event {
  what: string;
  detail: string;
}

/** For the history of a machine: what people ask after. */
export function eventsBetween(
  before: { bootId: string; state: HostReportState } | undefined,
  bootId: string,
  now: HostReportState,
): Event[] {
  if (before === undefined) return [{ what: "first report", detail: now.release }];
  const was = before.state;
  const events: Event[] = [];
  const note = (what: string, detail: string): void => {
    events.push({ what, detail: detail.slice(0, 1000) });
  };
  if (before.bootId !== bootId) note("booted", now.release);
  if (was.release !== now.release && before.bootId === bootId) note("kernel", `${was.release}, now ${now.release}`);
  const effective = (state: HostReportState): Map<string, string> =>
    new Map(state.livepatches.flatMap(({ name, sha256, inEffect }) => (inEffect ? [[`${name} ${sha256 ?? ""}`, name]] : [])));
  const had = effective(was);
  const has = effective(now);
  for (const [key, name] of has) if (!had.has(key)) note("in effect", name);
  for (const [key, name] of had) if (!has.has(key)) note("out of effect", name);
  if (now.intent !== null && now.intent.sha256 !== was.intent?.sha256)
    note("about to load", `${now.intent.sha256} by ${now.intent.rollOut}`);
  if (now.soak !== null && now.soak.sha256 !== was.soak?.sha256) note("in its soak", `${now.soak.sha256} by ${now.soak.rollOut}`);
  for (const { sha256, code, why } of now.refused)
    if (!was.refused.some((one) => one.sha256 === sha256)) note("refused", `${sha256}: ${code}, ${why}`);
  for (const { what, name, code, why } of now.failed)
    if (!was.failed.some((one) => one.what === what && one.name === name && one.code === code))
      note("failed", `${what} ${name}: ${code}, ${why}`);
  if (now.hold !== was.hold) note(now.hold === null ? "held no more" : "held", now.hold ?? was.hold ?? "");
  if (now.problem?.code !== was.problem?.code)
    note(
      now.problem === null ? "the repository is believed" : "the repository is not believed",
      now.problem === null ? "" : `${now.problem.code}, ${now.problem.why}`,
    );
  return events;
}
