/** How far a livepatch goes. */
import { type Rollout, repoPolicyDocument, WEEKDAYS, type Window } from "@suture/protocol";
import type { RolloutChange } from "@suture/trust";
import { fail } from "../../errors.ts";
import { partsText, safeText, tableText } from "../../text.ts";
import { type Add, FOLDER, list, stagedText, trust } from "./words.ts";

interface PolicyOptions {
  rollOut?: string;
  livepatch?: string;
  channel?: string;
  ring: string[];
  notBefore?: string;
  deadline?: string;
  window: string[];
  soak?: string;
  hold?: boolean;
  resume?: boolean;
  done?: boolean;
  end?: boolean;
}

export const policy: Add = (repo, run) => {
  repo
    .command("policy")
    .description("shows the policy, or begins or changes a roll-out of it")
    .argument("<folder>", FOLDER)
    .option("--roll-out <id>", "which one; a new one needs --livepatch")
    .option("--livepatch <name>", "name, path or SHA-256 of one in the repository")
    .option("--channel <channel>", "machines that follow another one are not meant; stable unless given")
    .addOption(list("--ring <ring>", "LABEL=PERCENT, in order; all=PERCENT means every machine; replaces those before"))
    .option("--not-before <time>", "UTC, 2026-01-31T22:00:00Z; none takes it away")
    .option("--deadline <time>", "from then on windows do not matter; none takes it away")
    .addOption(list("--window <window>", "DAY,...,HH:MM-HH:MM[,utc|local], or none; replaces those before"))
    .option("--soak <seconds>", "that a machine watches it before it keeps it; 600 unless given")
    .option("--hold", "nobody more loads it")
    .option("--resume", "it goes on")
    .option("--done", "every machine of the channel takes it")
    .option("--end", "nobody loads it any more, for ever")
    .action(
      run(async (task, folder: string, options: PolicyOptions) => {
        const { changePolicy, showPolicy, Work } = await trust();
        const change = changeIn(options);
        const found = change === undefined ? await showPolicy(folder) : await changePolicy(task, folder, change, new Date());
        const staged = await (await Work.open(folder)).stagedRoles();
        return {
          document: repoPolicyDocument.of({ policy: found, staged }),
          text: safeText(
            partsText([
              tableText(
                ["roll-out", "state", "kernel", "release", "channel", "rings"],
                found.rollouts.map(({ id, state, kernel, target, channel, rings }) => [
                  id,
                  state,
                  kernel.release,
                  String(target.counter),
                  channel,
                  rings.map(({ label, share }) => `${label} ${share / 100} %`).join(", "),
                ]),
              ),
              stagedText(staged),
            ]),
          ),
        };
      }),
    );
};

function changeIn(options: PolicyOptions): RolloutChange | undefined {
  const { rollOut, hold, resume, done, end } = options;
  const states: [boolean | undefined, Rollout["state"]][] = [
    [hold, "held"],
    [resume, "rolling"],
    [done, "done"],
    [end, "withdrawn"],
  ];
  const asked = states.filter(([given]) => given === true).map(([, state]) => state);
  if (asked.length > 1) throw fail("CLI_USAGE", "--hold, --resume, --done and --end stand in place of each other");
  const { livepatch, channel, ring, notBefore, deadline, window, soak } = options;
  if (rollOut === undefined) {
    if (
      [livepatch, channel, notBefore, deadline, soak].some((given) => given !== undefined) ||
      ring.length + window.length + asked.length > 0
    )
      throw fail("CLI_USAGE", "which roll-out? --roll-out ID");
    return undefined;
  }
  if (soak !== undefined && !/^\d{1,7}$/.test(soak)) throw fail("CLI_USAGE", `--soak ${soak} is no number of seconds`);
  return {
    id: rollOut,
    livepatch,
    channel,
    rings: ring.length === 0 ? undefined : ring.map(ringOf),
    notBefore: notBefore === "none" ? null : notBefore,
    deadline: deadline === "none" ? null : deadline,
    windows: window.length === 0 ? undefined : window.filter((word) => word !== "none").map(windowOf),
    soak: soak === undefined ? undefined : Number(soak),
    state: asked[0],
  };
}

function ringOf(word: string): Rollout["rings"][number] {
  const [, label, percent] = /^([^=]+)=(\d{1,3}(?:\.\d{1,2})?)$/.exec(word) ?? [];
  const share = Math.round(Number(percent) * 100);
  if (label === undefined || !(share <= 10_000)) throw fail("CLI_USAGE", `--ring ${word} is not LABEL=PERCENT`);
  return { label, share };
}

function windowOf(word: string): Window {
  const parts = word.split(",");
  const days = parts.flatMap((part) => WEEKDAYS.filter((day) => day === part));
  const [, from, to] = parts.flatMap((part) => [/^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(part)]).find((found) => found !== null) ?? [];
  const zone = parts.find((part) => part === "utc" || part === "local") as Window["zone"] | undefined;
  if (from === undefined || to === undefined || parts.length !== days.length + 1 + (zone === undefined ? 0 : 1))
    throw fail(
      "CLI_USAGE",
      `--window ${word} is not DAY,...,HH:MM-HH:MM,utc`,
      {},
      { mend: `Days are ${WEEKDAYS.join(", ")}; without any it is each day.` },
    );
  return { days, from, to, zone: zone ?? "local" };
}
